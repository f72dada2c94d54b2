//! Payment by code over APIv3: `codepay`, its query and its reversal (wechat reference, 4.6).

use metropay_core::channel::{CallError, CodePayQuestion, Hint, Paid, PaymentRef, Refusal, Standing};
use metropay_core::money::Fen;
use percent_encoding::utf8_percent_encode;
use serde::Serialize;

use super::{Asked, Json, Reply};
use crate::Wechat;
use crate::call::maybe;
use crate::code_pay::{Tried, subject};
use crate::code_reverse::{Revoked, said};
use crate::codes::Class;
use crate::config::Mode;
use crate::contract::UNRESERVED;
use crate::query::{Order, failed};
use crate::text::fitting;

/// Who sells, in the words of either mode.
#[derive(Default, Serialize)]
struct Seller<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
}

#[derive(Serialize)]
struct CodePayBody<'a> {
    #[serde(flatten)]
    seller: Seller<'a>,
    description: String,
    out_trade_no: &'a str,
    payer: Payer<'a>,
    amount: Amount,
    scene_info: Scene<'a>,
}

#[derive(Serialize)]
struct Payer<'a> {
    auth_code: &'a str,
}

#[derive(Serialize)]
struct Amount {
    total: Fen,
    currency: &'static str,
}

#[derive(Serialize)]
struct Scene<'a> {
    device_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_info: Option<Store>,
}

#[derive(Serialize)]
struct Store {
    out_id: String,
}

impl Wechat {
    fn seller(&self) -> Seller<'_> {
        let account = &self.account;
        let (appid, mchid) = (Some(account.appid.as_str()), Some(account.mch_id.as_str()));
        match account.mode {
            Mode::Direct => Seller {
                appid,
                mchid,
                ..Seller::default()
            },
            Mode::Provider => Seller {
                sp_appid: appid,
                sp_mchid: mchid,
                sub_appid: account.sub_appid.as_deref(),
                sub_mchid: account.sub_mch_id.as_deref(),
                ..Seller::default()
            },
        }
    }

    fn transactions(&self) -> &'static str {
        match self.account.mode {
            Mode::Direct => "/v3/pay/transactions",
            Mode::Provider => "/v3/pay/partner/transactions",
        }
    }

    /// The order's own address.
    fn order_path(&self, payment: &PaymentRef) -> String {
        let no = utf8_percent_encode(payment.no.as_str(), UNRESERVED);
        format!("{}/out-trade-no/{no}", self.transactions())
    }

    pub(crate) async fn codepay(&self, question: &CodePayQuestion) -> Result<Tried, CallError> {
        let store = fitting(&question.store, 32);
        let body = CodePayBody {
            seller: self.seller(),
            description: subject(&question.body),
            out_trade_no: question.no.as_str(),
            payer: Payer {
                auth_code: question.code.expose(),
            },
            amount: Amount {
                total: question.amount,
                currency: "CNY",
            },
            scene_info: Scene {
                device_ip: &self.account.spbill_create_ip,
                store_info: Some(store).filter(|id| !id.is_empty()).map(|out_id| Store { out_id }),
            },
        };
        let path = format!("{}/codepay", self.transactions());
        let timeout = self.account.code_pay_timeout;
        match self.v3()?.post(&path, &body, timeout).await? {
            Reply::Taken(answer) => {
                let order = self.read_v3_order(question.no.as_str(), question.amount, &answer)?;
                Ok(Tried::Told(order.standing))
            }
            Reply::Failed(failure) => {
                let class = failure.class(Asked::PayByCode);
                Ok(Tried::Failed(failure.told, class))
            }
        }
    }

    pub(crate) async fn v3_order(&self, payment: &PaymentRef) -> Result<Order, CallError> {
        let account = &self.account;
        let whose = match account.mode {
            Mode::Direct => format!("mchid={}", account.mch_id),
            Mode::Provider => format!(
                "sp_mchid={}&sub_mchid={}",
                account.mch_id,
                account.sub_mch_id.as_deref().unwrap_or_default()
            ),
        };
        let path = format!("{}?{whose}", self.order_path(payment));
        match self.v3()?.get(&path, account.query_timeout).await? {
            Reply::Taken(answer) => self.read_v3_order(payment.no.as_str(), payment.amount, &answer),
            Reply::Failed(failure) => match failure.class(Asked::QueryOrder) {
                Some((Class::Done, _)) => Ok(Order::absent()),
                _ => Err(maybe(failure.line())),
            },
        }
    }

    fn read_v3_order(&self, no: &str, amount: Fen, answer: &Json) -> Result<Order, CallError> {
        if answer.text("/out_trade_no") != Some(no) || self.other_seller(answer) {
            return Err(maybe("the answer is about another order"));
        }
        if answer.has("/amount/total") && answer.fen("/amount/total") != Some(amount) {
            return Err(maybe("the answer tells another amount"));
        }
        let Some(state) = answer.text("/trade_state") else {
            return Err(maybe("an answer without trade_state"));
        };
        let standing = match state {
            "SUCCESS" | "REFUND" => {
                let paid = paid(answer).map(Standing::Paid);
                paid.ok_or_else(|| maybe("a paid order without number, amount or time"))?
            }
            state => failed(state).map_or(Standing::Pending, |state| {
                Standing::NotPaid(Refusal {
                    code: state.to_owned(),
                    text: answer.text("/trade_state_desc").unwrap_or_default().to_owned(),
                    hint: Hint::None,
                })
            }),
        };
        Ok(Order {
            standing,
            state: state.to_owned(),
            was_paid: answer.has("/transaction_id"),
        })
    }

    /// Whether a message is about another merchant or shop than ours, or names none.
    pub(crate) fn other_seller(&self, answer: &Json) -> bool {
        let account = &self.account;
        match account.mode {
            Mode::Direct => answer.text("/mchid") != Some(&account.mch_id) || answer.other("/appid", &account.appid),
            Mode::Provider => {
                answer.text("/sp_mchid") != Some(&account.mch_id)
                    || answer.text("/sub_mchid") != account.sub_mch_id.as_deref()
                    || answer.other("/sp_appid", &account.appid)
            }
        }
    }

    pub(crate) async fn send_v3_reverse(&self, payment: &PaymentRef) -> Result<Revoked, CallError> {
        let path = format!("{}/reverse", self.order_path(payment));
        let timeout = self.account.refund_timeout;
        match self.v3()?.post(&path, &self.seller(), timeout).await? {
            Reply::Taken(answer) if answer.text("/out_trade_no") == Some(payment.no.as_str()) => Ok(Revoked::Settled),
            Reply::Taken(_) => Err(maybe("the answer is about another order")),
            Reply::Failed(failure) => {
                let class = failure.class(Asked::Reverse).map(|(class, _)| class);
                if class.is_none() {
                    tracing::warn!(code = %failure.told.code, payment = %payment.no, "WeChat answered a reversal with an unlisted code");
                }
                Ok(said(class))
            }
        }
    }
}

/// The payment that a message of success tells of.
fn paid(answer: &Json) -> Option<Paid> {
    let amount = answer.fen("/amount/total")?;
    let payer = if answer.has("/amount/payer_total") {
        answer.fen("/amount/payer_total")?
    } else {
        amount
    };
    if answer.other("/amount/currency", "CNY") || amount.is_zero() {
        return None;
    }
    Some(Paid {
        channel_no: answer.text("/transaction_id")?.to_owned(),
        amount,
        coupon: amount.minus(payer).ok()?,
        paid_at: answer.time("/success_time")?,
    })
}
