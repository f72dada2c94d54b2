//! What notifications say, pair by pair (alipay reference, 3.3, 3.4 and 9.1).

use super::account::Account;
use super::agreement::Agreement;
use super::discount;
use super::money::yuan;
use super::trade::{Trade, moment};

/// Names and values in the order in which they are sent; `notify_time` is filled in at each try.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// What a notification tells of a trade that was paid or refunded, in the order of vector T7.
pub(super) fn payment_pairs(account: &Account, trade: &Trade, notify_id: &str) -> Pairs {
    let own = yuan(trade.parts.own_fen);
    let some = |name: &'static str, value: Option<String>| value.map(|value| (name, value));
    let pairs = [
        some("gmt_create", Some(moment(trade.created_ms))),
        some("charset", Some(trade.charset.name().to_owned())),
        some("gmt_payment", trade.paid_ms.map(moment)),
        some("notify_time", Some(String::new())),
        some("gmt_close", trade.closed_ms.map(moment)),
        some("subject", Some(trade.subject.clone())),
        some("body", trade.body.clone()),
        some(
            account.user_field("buyer_id", "buyer_open_id"),
            Some(account.name_of(&trade.buyer_user_id)),
        ),
        some("passback_params", trade.passback_params.clone()),
        some("agreement_no", trade.agreement_no.clone()),
        some("external_agreement_no", trade.external_agreement_no.clone()),
        some("invoice_amount", Some(own.clone())),
        some("version", Some("1.0".to_owned())),
        some("notify_id", Some(notify_id.to_owned())),
        some(
            "fund_bill_list",
            Some(discount::fund_text(trade.parts, &trade.fund_channel)),
        ),
        some("voucher_detail_list", discount::voucher_text(&trade.vouchers)),
        some("notify_type", Some("trade_status_sync".to_owned())),
        some("out_trade_no", Some(trade.out_trade_no.clone())),
        some("total_amount", Some(yuan(trade.total_fen()))),
        some("trade_status", Some(trade.status.word().to_owned())),
        some("trade_no", Some(trade.trade_no.clone())),
        some("auth_app_id", Some(trade.merchant_app().to_owned())),
        some("receipt_amount", Some(yuan(trade.parts.receipt_fen()))),
        some("point_amount", Some(yuan(trade.parts.point_fen))),
        some("buyer_pay_amount", Some(own)),
        some("app_id", Some(trade.app_id.clone())),
        some("seller_id", Some(trade.seller_id.clone())),
        some("buyer_logon_id", Some(trade.buyer_logon_id.clone())),
        some("sign_type", Some("RSA2".to_owned())),
    ];
    pairs.into_iter().flatten().collect()
}

/// What a notification tells of an agreement that was signed, in the order of vector T8.
pub(super) fn signed_pairs(account: &Account, agreement: &Agreement, notify_id: &str) -> Pairs {
    agreement_pairs(account, agreement, notify_id, "dut_user_sign", |name| match name {
        "sign_time" => Some(moment(agreement.signed_ms)),
        "valid_time" => Some(moment(agreement.signed_ms)),
        "invalid_time" => Some(agreement.invalid_time()),
        "status" => Some("NORMAL".to_owned()),
        _ => None,
    })
}

/// What a notification tells of an agreement that ended (vector T8u).
pub(super) fn unsigned_pairs(account: &Account, agreement: &Agreement, notify_id: &str) -> Pairs {
    agreement_pairs(account, agreement, notify_id, "dut_user_unsign", |name| match name {
        "unsign_time" => agreement.ended_ms.map(moment),
        "status" => Some("UNSIGN".to_owned()),
        _ => None,
    })
}

fn agreement_pairs(
    account: &Account,
    agreement: &Agreement,
    notify_id: &str,
    notify_type: &str,
    own: impl Fn(&'static str) -> Option<String>,
) -> Pairs {
    let some = |name: &'static str, value: &str| Some((name, value.to_owned()));
    let special = |name: &'static str| own(name).map(|value| (name, value));
    let pairs = [
        some("charset", "UTF-8"),
        some("notify_time", ""),
        some(
            account.user_field("alipay_user_id", "alipay_open_id"),
            &account.name_of(&agreement.user_id),
        ),
        agreement
            .external_agreement_no
            .clone()
            .map(|number| ("external_agreement_no", number)),
        some("version", "1.0"),
        special("sign_time"),
        special("unsign_time"),
        some("notify_id", notify_id),
        some("notify_type", notify_type),
        some("agreement_no", &agreement.agreement_no),
        special("invalid_time"),
        some("auth_app_id", agreement.merchant_app()),
        some("personal_product_code", &agreement.personal_product_code),
        special("valid_time"),
        some("app_id", &agreement.app_id),
        some("sign_type", "RSA2"),
        some("alipay_logon_id", &agreement.logon_id),
        special("status"),
        some("sign_scene", &agreement.sign_scene),
    ];
    pairs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::account::Terms;
    use super::super::agreement::Status;
    use super::super::charset::Charset;
    use super::super::notify::form;
    use super::super::sign;
    use super::super::vectors::{at, paid_trade, vector};
    use super::*;

    fn account() -> Account {
        Account {
            app_id: "2021000000000001".to_owned(),
            seller_id: "2088000000000001".to_owned(),
            app_public_key: String::new(),
            alipay_private_key: String::new(),
            certificates: None,
            encrypt_key: None,
            terms: Terms::default(),
        }
    }

    fn written(pairs: &Pairs, time: &str) -> String {
        String::from_utf8(form(pairs, time, vector("alipay private key"), Charset::Utf8, false)).unwrap()
    }

    fn agreement() -> Agreement {
        Agreement {
            agreement_no: "20265301000000000001".to_owned(),
            app_id: "2021000000000001".to_owned(),
            auth_app_id: None,
            seller_id: "2088000000000001".to_owned(),
            external_agreement_no: Some("MTSIGN20260301000001".to_owned()),
            external_logon_id: None,
            user_id: "2088000000000099".to_owned(),
            logon_id: "159****5620".to_owned(),
            product_code: "GENERAL_WITHHOLDING".to_owned(),
            personal_product_code: "GENERAL_WITHHOLDING_P".to_owned(),
            sign_scene: "INDUSTRY|METRO".to_owned(),
            third_party_type: "PARTNER".to_owned(),
            status: Status::Normal,
            signed_ms: at("2026-03-01T07:00:01"),
            invalid_ms: None,
            ended_ms: Some(at("2026-03-09T21:10:00")),
        }
    }

    #[test]
    fn a_payment_is_told_as_in_vector_t7() {
        let pairs = payment_pairs(&account(), &paid_trade(), "2026030100222083006000010000000001");
        assert_eq!(written(&pairs, "2026-03-01 08:30:07"), vector("T7 body"));
        let timed = pairs.iter().map(|(name, value)| {
            (
                *name,
                if *name == "notify_time" {
                    "2026-03-01 08:30:07"
                } else {
                    value
                },
            )
        });
        assert_eq!(sign::notice_string(timed), vector("T7 string"));
    }

    #[test]
    fn signing_is_told_as_in_vector_t8() {
        let pairs = signed_pairs(&account(), &agreement(), "2026030100222070002000010000000002");
        assert_eq!(written(&pairs, "2026-03-01 07:00:02"), vector("T8 body"));
    }

    #[test]
    fn unsigning_is_told_as_in_vector_t8u() {
        let pairs = unsigned_pairs(&account(), &agreement(), "2026030900222211001000010000000004");
        let body = written(&pairs, "2026-03-09 21:10:01");
        let received: std::collections::BTreeMap<String, String> =
            form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert_eq!(received["sign"], vector("T8u sign"));
        let text = sign::notice_string(received.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(text, vector("T8u string"));
    }

    #[test]
    fn a_forged_one_differs_only_in_its_signature() {
        let pairs = payment_pairs(&account(), &paid_trade(), "1");
        let forged = form(
            &pairs,
            "2026-03-01 08:30:07",
            vector("alipay private key"),
            Charset::Utf8,
            true,
        );
        let forged = String::from_utf8(forged).unwrap();
        let (forged_rest, forged_sign) = forged.split_once("&sign=").unwrap();
        let right = written(&pairs, "2026-03-01 08:30:07");
        let (right_rest, right_sign) = right.split_once("&sign=").unwrap();
        assert_eq!(forged_rest, right_rest);
        assert_ne!(forged_sign, right_sign);
    }
}
