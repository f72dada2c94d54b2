//! Notifications: contracts, deductions, refunds (wechat reference, 3.4, 3.8, 5.4, 9).

use metropay_core::channel::{ContractKey, ContractStanding, News, NoticeAnswer, NoticeRefused, RawNotice, Standing};
use metropay_core::id::{ContractNo, PayNo, RefundNo};

use crate::Wechat;
use crate::call::{other, other_shop};
use crate::contract::{ended_by, signed_contract};
use crate::query::paid;
use crate::sign::SignType;
use crate::xml::Message;

impl Wechat {
    pub(crate) async fn read_news(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        // APIv3 signs in a header, APIv2 in the message: a message without either is refused by both.
        if notice.headers.iter().any(|(name, _)| name == "wechatpay-signature") {
            return self.read_v3_news(notice).await;
        }
        self.read_v2_news(notice)
    }

    fn read_v2_news(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        let message = Message::read(&notice.body, "xml").map_err(|error| not_genuine(error.to_string()))?;
        if let Some(req_info) = message.get("req_info") {
            return self.refund_news(&message, req_info);
        }
        // A contract is told of by the algorithm with which it was signed, which may be an older choice than the present.
        let of_contract = message.get("change_type").is_some();
        let usual: &[SignType] = match (of_contract, self.account.sign_type) {
            (true, _) => &[SignType::Md5, SignType::HmacSha256],
            (false, SignType::Md5) => &[SignType::Md5],
            (false, SignType::HmacSha256) => &[SignType::HmacSha256],
        };
        if !self.account.keys.verify(&message, usual) {
            return Err(not_genuine("the signature does not fit"));
        }
        if message.get("mch_id") != Some(&self.account.mch_id) || other(&message, "appid", &self.account.appid) {
            return Err(mismatch("another merchant"));
        }
        if of_contract {
            self.contract_news(&message)
        } else {
            self.payment_news(&message)
        }
    }

    /// A contract belongs to merchant number, plan and user, not to the shop through which it was signed: the shop is not
    /// compared (wechat reference, 3.2).
    fn contract_news(&self, message: &Message) -> Result<Vec<News>, NoticeRefused> {
        if message.get("plan_id") != Some(&self.account.plan_id) {
            return Err(mismatch("another plan"));
        }
        let by_no = |no: &str| ContractKey::No(ContractNo::from(no));
        let by_handle = |handle: &str| ContractKey::Handle(handle.to_owned());
        let contract = message.get("contract_code").map(by_no);
        let Some(contract) = contract.or_else(|| message.get("contract_id").map(by_handle)) else {
            return Ok(vec![News::Nothing]);
        };
        let happened = message.get("return_code") == Some("SUCCESS") && message.get("result_code") == Some("SUCCESS");
        let standing = match message.get("change_type").filter(|_| happened) {
            Some("ADD") => signed_contract(message, "operate_time").map(ContractStanding::Active),
            Some("DELETE") => Some(ContractStanding::Ended {
                by: ended_by(message),
                at: message.time("operate_time"),
            }),
            _ => None,
        };
        Ok(vec![News::Contract { contract, standing }])
    }

    /// Success only where everything says so; in every other case the notice is a reason to query.
    fn payment_news(&self, message: &Message) -> Result<Vec<News>, NoticeRefused> {
        if other_shop(&self.account, message) {
            return Err(mismatch("another shop"));
        }
        if other(message, "fee_type", "CNY") {
            return Err(mismatch("another currency"));
        }
        let Some(no) = message.get("out_trade_no") else {
            return Ok(vec![News::Nothing]);
        };
        let success = ["return_code", "result_code"]
            .iter()
            .all(|name| message.get(name) == Some("SUCCESS"))
            && !other(message, "trade_state", "SUCCESS");
        Ok(vec![News::Payment {
            no: PayNo::from(no),
            standing: paid(message).filter(|_| success).map(Standing::Paid),
        }])
    }

    /// A refund's notice is encrypted but not signed, and its cipher does not protect the order of its blocks: it tells
    /// which refund to query, and nothing more is taken from it.
    fn refund_news(&self, message: &Message, req_info: &str) -> Result<Vec<News>, NoticeRefused> {
        let plain = self.account.keys.decrypt(req_info);
        let inner = plain.iter().find_map(|text| Message::read(text, "root").ok());
        let Some(inner) = inner else {
            return Err(not_genuine("req_info cannot be decrypted"));
        };
        if message.get("mch_id") != Some(&self.account.mch_id)
            || other(message, "appid", &self.account.appid)
            || other_shop(&self.account, message)
        {
            return Err(mismatch("another merchant"));
        }
        let (Some(no), Some(_)) = (inner.get("out_refund_no"), inner.get("refund_status")) else {
            return Err(not_genuine("req_info names no refund"));
        };
        Ok(vec![News::Refund {
            no: RefundNo::from(no),
            standing: None,
        }])
    }
}

/// What the channel expects: APIv2 this line and nothing around it; APIv3 looks at the status only, so that a refusal must
/// not be a 200 (wechat reference, 9.2).
pub(crate) fn answer(taken: bool) -> NoticeAnswer {
    let (status, code, text) = if taken {
        (200, "SUCCESS", "OK")
    } else {
        (500, "FAIL", "失败")
    };
    NoticeAnswer {
        status,
        content_type: "text/xml; charset=utf-8",
        body: format!(
            "<xml><return_code><![CDATA[{code}]]></return_code><return_msg><![CDATA[{text}]]></return_msg></xml>"
        ),
    }
}

pub(crate) fn not_genuine(reason: impl Into<String>) -> NoticeRefused {
    NoticeRefused::NotGenuine(reason.into())
}

pub(crate) fn mismatch(reason: &str) -> NoticeRefused {
    NoticeRefused::Mismatch(reason.to_owned())
}
