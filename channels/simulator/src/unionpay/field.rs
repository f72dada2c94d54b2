//! The form of each field, and which fields a message must have (unionpay reference, 1.4, 3.2 and 5.2).

use super::form::{self, Fields};
use super::message::Message;
use super::request::{text, time};

/// What every message must have. The numbers of merchant, order and time were looked at before.
const ALWAYS: [&str; 8] = [
    "accessType",
    "bizType",
    "encoding",
    "signMethod",
    "signature",
    "txnSubType",
    "txnType",
    "version",
];

fn mandatory(message: Message) -> &'static [&'static str] {
    match message {
        Message::Consume => &["backUrl", "channelType", "currencyCode", "tokenPayData", "txnAmt"],
        Message::ConsumeByCode => &["backUrl", "channelType", "currencyCode", "qrNo", "txnAmt"],
        Message::PayAtCashier => &["backUrl", "channelType", "currencyCode", "frontUrl", "txnAmt"],
        Message::Undo | Message::Refund => &["backUrl", "channelType", "origQryId", "txnAmt"],
        Message::Reverse => &["channelType"],
        Message::DeleteToken | Message::ApplyToken => &["tokenPayData"],
        Message::UpdateToken => &["customerInfo", "tokenPayData"],
        Message::Open => &["backUrl", "channelType", "frontUrl", "tokenPayData"],
        Message::OpenByMerchant => &["accNo", "channelType", "customerInfo", "encryptCertId", "tokenPayData"],
        Message::SmsForOpening => &["accNo", "channelType", "customerInfo", "encryptCertId"],
        Message::SmsForConsumption => &[
            "channelType",
            "currencyCode",
            "customerInfo",
            "encryptCertId",
            "tokenPayData",
            "txnAmt",
        ],
        Message::EncryptionCertificate => &["certType", "channelType"],
        Message::File => &["fileType", "settleDate"],
        Message::Query | Message::OpenQuery | Message::CardQuery => &[],
    }
}

/// A certificate number must be named where certificates sign.
fn with_certificate(sign_method: &str) -> &'static [&'static str] {
    if sign_method == "01" { &["certId"] } else { &[] }
}

/// What a platform or an acquirer must tell of the shop it acts for.
fn on_behalf(message: Message, access_type: &str) -> &'static [&'static str] {
    let moves_money = message.moves_money() || message == Message::PayAtCashier;
    match access_type {
        "1" if moves_money => &["acqInsCode", "merAbbr", "merCatCode", "merName"],
        "2" if moves_money => &["subMerAbbr", "subMerId", "subMerName"],
        _ => &[],
    }
}

/// The first complaint about the form of a message, in the gateway's words.
pub(super) fn complaint(message: Option<Message>, fields: &Fields) -> Option<String> {
    let own = message.map_or(&[][..], mandatory);
    let shop = message.map_or(&[][..], |message| on_behalf(message, text(fields, "accessType")));
    let missed = ALWAYS
        .iter()
        .chain(with_certificate(text(fields, "signMethod")))
        .chain(own)
        .chain(shop)
        .find(|name| text(fields, name).is_empty());
    if let Some(name) = missed {
        return Some(format!("Mandatory field[{name}] missed"));
    }
    let wrong = fields
        .iter()
        .find(|(name, value)| !value.is_empty() && !well_formed(name, value))
        .map(|(name, _)| name);
    if let Some(name) = wrong {
        return Some(format!("Invalid field[{name}]"));
    }
    let token = form::domain(text(fields, "tokenPayData")).unwrap_or_default();
    let token_fits = message.is_none_or(|message| token_fits(message, &token));
    (!token_fits).then(|| "Invalid field[tokenPayData]".to_owned())
}

/// Whether the token domain tells what the message needs: the requester always, the token where there is one, and the
/// kind of token where one is to be made or changed.
fn token_fits(message: Message, token: &Fields) -> bool {
    let (names_token, names_kind) = match message {
        Message::Consume | Message::DeleteToken | Message::SmsForConsumption => (true, false),
        Message::UpdateToken => (true, true),
        Message::Open | Message::OpenByMerchant | Message::ApplyToken => (false, true),
        _ => return true,
    };
    !text(token, "trId").is_empty()
        && (!names_token || !text(token, "token").is_empty())
        && matches!((names_kind, text(token, "tokenType")), (_, "01") | (false, ""))
}

fn well_formed(name: &str, value: &str) -> bool {
    let length = value.chars().count();
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let letters = value.bytes().all(|b| b.is_ascii_alphanumeric());
    if value.chars().any(char::is_control) {
        return false;
    }
    match name {
        "version" => value == "5.1.0",
        "encoding" => value.eq_ignore_ascii_case("UTF-8"),
        "signMethod" => matches!(value, "01" | "11" | "12"),
        "certType" => matches!(value, "01" | "02"),
        "fileType" => value == "00",
        "settleDate" => digits && length == 4,
        "qrNo" => digits && length == 19 && value.starts_with("62"),
        "termInfo" => form::domain(value).is_some(),
        "currencyCode" => value == "156",
        "accessType" => matches!(value, "0" | "1" | "2"),
        "channelType" => matches!(value, "05" | "07" | "08" | "16"),
        "txnType" | "txnSubType" => digits && length == 2,
        "bizType" => digits && length == 6,
        "merId" => letters && length == 15,
        "orderId" => letters && (8..=40).contains(&length),
        "txnTime" | "payTimeout" => digits && length == 14 && time(value).is_some(),
        "txnAmt" => digits && length <= 12 && value.bytes().any(|b| b != b'0'),
        "origQryId" => letters && matches!(length, 20 | 21),
        "certId" | "encryptCertId" => digits && length <= 128,
        "termId" => length == 8,
        "backUrl" => is_url(value.strip_prefix("ZX|").unwrap_or(value)),
        "frontUrl" | "frontFailUrl" => is_url(value),
        "tokenPayData" => form::domain(value).is_some(),
        "subMerId" => letters && (5..=15).contains(&length),
        "acqInsCode" => letters && (8..=11).contains(&length),
        "merCatCode" | "payType" => digits && length == 4,
        "merAbbr" => length <= 8,
        "subMerAbbr" => length <= 16,
        "orderDesc" => length <= 32,
        "merName" | "subMerName" => length <= 40,
        "reqReserved" | "signature" | "accNo" | "customerInfo" => length <= 1024,
        "reserved" | "riskRateInfo" => length <= 2048,
        _ => true,
    }
}

fn is_url(value: &str) -> bool {
    value.len() <= 256 && (value.starts_with("http://") || value.starts_with("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> Fields {
        let form = "accessType=0&bizType=000000&certId=1&encoding=UTF-8&merId=700000000000001&orderId=MCP20250301&\
                    signMethod=01&signature=x&txnSubType=00&txnTime=20250301123456&txnType=00&version=5.1.0";
        form::decode(form.as_bytes()).unwrap()
    }

    #[test]
    fn a_message_lacking_a_field_is_told_which() {
        let mut fields = query();
        assert_eq!(complaint(Some(Message::Query), &fields), None);
        assert_eq!(
            complaint(Some(Message::Reverse), &fields).unwrap(),
            "Mandatory field[channelType] missed"
        );
        fields.insert("accessType".to_owned(), String::new());
        assert_eq!(
            complaint(Some(Message::Query), &fields).unwrap(),
            "Mandatory field[accessType] missed"
        );
    }

    #[test]
    fn a_field_of_wrong_form_is_named() {
        for (name, value) in [
            ("orderId", "MCP-2025-0301"),
            ("txnTime", "20251301000000"),
            ("encoding", "GBK"),
        ] {
            let mut fields = query();
            fields.insert(name.to_owned(), value.to_owned());
            assert_eq!(
                complaint(Some(Message::Query), &fields).unwrap(),
                format!("Invalid field[{name}]")
            );
        }
    }

    #[test]
    fn a_platform_must_name_the_shop_when_money_moves() {
        let mut fields = query();
        for (name, value) in [
            ("accessType", "2"),
            ("backUrl", "http://x"),
            ("channelType", "07"),
            ("txnAmt", "1"),
        ] {
            fields.insert(name.to_owned(), value.to_owned());
        }
        fields.insert("origQryId".to_owned(), "1".repeat(21));
        assert_eq!(
            complaint(Some(Message::Refund), &fields).unwrap(),
            "Mandatory field[subMerAbbr] missed"
        );
        assert_eq!(complaint(Some(Message::Query), &fields), None);
    }
}
