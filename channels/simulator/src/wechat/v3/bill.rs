//! Bills over APIv3: the link, and the file behind it (wechat reference, 6.3).

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha1::{Digest, Sha1};

use super::super::account::{self, Account};
use super::super::bill::{NoBill, Paper, Wish, truncated};
use super::super::bill_file::BillType;
use super::super::flow::Ledger;
use super::super::number;
use super::super::operation::{Family, Form};
use super::answer::{Answer, Failure};
use super::operation::{Call, Operation};
use super::schema::{Kind, Objection, Rule, may, must};
use crate::fault::Effect;
use crate::frame::Frame;

const LINKS: &str = "wechat_bill_link";

/// What a link leads to. The file is made again from the books when it is fetched: a bill does not change.
#[derive(Clone, Serialize, Deserialize)]
struct Link {
    mch_id: String,
    sub_mch_id: Option<String>,
    /// `yyyy-MM-DD`.
    day: String,
    /// `bill_type` or `account_type`, as asked.
    kind: String,
    is_fund_flow: bool,
    packed: bool,
    effects: Vec<Effect>,
    asked_at_ms: i64,
    expires_at_ms: i64,
}

const SHOP: &[Rule] = &[may("/sub_mchid", Kind::Text(Form::Id(32)))];

/// `GET /v3/bill/tradebill`.
pub(super) static TRADEBILL: Operation = Operation {
    name: "tradebill",
    family: Family::BillLink,
    method: "GET",
    rules: &[
        must("/bill_date", Kind::Text(Form::Text(10))),
        may(
            "/bill_type",
            Kind::Text(Form::OneOf(&[
                "ALL",
                "SUCCESS",
                "REFUND",
                "RECHARGE_REFUND",
                "ALL_SPECIAL",
                "SUC_SPECIAL",
                "REF_SPECIAL",
            ])),
        ),
        may("/tar_type", Kind::Text(Form::OneOf(&["GZIP"]))),
    ],
    direct: &[],
    provider: SHOP,
    act: |frame, call| link(frame, call, call.text("/bill_type").unwrap_or("ALL"), false),
};

/// `GET /v3/bill/fundflowbill`.
pub(super) static FUNDFLOWBILL: Operation = Operation {
    name: "fundflowbill",
    family: Family::BillLink,
    method: "GET",
    rules: &[
        must("/bill_date", Kind::Text(Form::Text(10))),
        may(
            "/account_type",
            Kind::Text(Form::OneOf(&["BASIC", "OPERATION", "FEES"])),
        ),
        may("/tar_type", Kind::Text(Form::OneOf(&["GZIP"]))),
    ],
    direct: &[],
    provider: &[],
    act: |frame, call| link(frame, call, call.text("/account_type").unwrap_or("BASIC"), true),
};

/// `GET /v3/billdownload/file`.
pub(super) static DOWNLOAD: Operation = Operation {
    name: "file",
    family: Family::BillFile,
    method: "GET",
    rules: &[must("/token", Kind::Text(Form::Id(64)))],
    direct: &[],
    provider: &[],
    act: |frame, call| {
        let found: Option<Link> = frame.store.begin().get(LINKS, &call.field("/token"));
        let link = found
            .filter(|link| link.mch_id == call.account.mch_id)
            .ok_or_else(|| Failure::new("RESOURCE_NOT_EXISTS", "账单文件不存在"))?;
        if call.now_ms >= link.expires_at_ms {
            return Err(Failure::new("INVALID_REQUEST", "下载链接已过期，请重新申请"));
        }
        let account = account::find(&frame.store.begin(), &link.mch_id).unwrap_or_else(|| call.account.clone());
        let file = link.file(frame, &account).map_err(refused)?;
        let text = if link.effects.contains(&Effect::BillTruncated) {
            truncated(&file).to_owned()
        } else {
            file
        };
        Ok(Answer::File {
            text,
            packed: link.packed,
        })
    },
};

impl Link {
    fn paper(&self) -> Paper {
        if self.is_fund_flow {
            return Paper::FundFlow(Ledger::named(&self.kind));
        }
        match self.kind.as_str() {
            "SUCCESS" | "SUC_SPECIAL" => Paper::Trade(BillType::Success),
            "REFUND" | "REF_SPECIAL" => Paper::Trade(BillType::Refund),
            "RECHARGE_REFUND" => Paper::RechargeRefund,
            _ => Paper::Trade(BillType::All),
        }
    }

    fn file(&self, frame: &Frame, account: &Account) -> Result<String, NoBill> {
        let wish = Wish {
            account,
            sub_mch_id: self.sub_mch_id.clone(),
            day: day(&self.day).ok_or(NoBill::Empty)?,
            paper: self.paper(),
            effects: &self.effects,
            now_ms: self.asked_at_ms,
        };
        wish.file(frame)
    }
}

fn day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    day.filter(|_| text.len() == 10)
}

fn refused(no_bill: NoBill) -> Failure {
    Failure::of(match no_bill {
        NoBill::Creating => "STATEMENT_CREATING",
        NoBill::Empty => "NO_STATEMENT_EXIST",
    })
}

/// Makes the file to know its hash, and a link to it.
fn link(frame: &Arc<Frame>, call: &Call, kind: &str, is_fund_flow: bool) -> Result<Answer, Failure> {
    let date = call.field("/bill_date");
    if day(&date).is_none() {
        let objection = Objection {
            field: "/bill_date".to_owned(),
            value: json!(date),
            issue: "日期格式须为yyyy-MM-DD",
        };
        return Err(Failure::field("query", &objection));
    }
    let life_ms = i64::from(call.account.terms.download_url_life_s) * 1_000;
    let bill_effects = call.effects.iter().filter(|effect| effect.is_about_bills());
    let link = Link {
        mch_id: call.account.mch_id.clone(),
        sub_mch_id: call.sub_mch_id().map(str::to_owned),
        day: date,
        kind: kind.to_owned(),
        is_fund_flow,
        packed: call.text("/tar_type").is_some(),
        effects: bill_effects.cloned().collect(),
        asked_at_ms: call.now_ms,
        expires_at_ms: call.now_ms.saturating_add(life_ms),
    };
    let file = link.file(frame, &call.account).map_err(refused)?;
    let token = number::token();
    let mut tx = frame.store.begin();
    tx.put(LINKS, &token, &link);
    tx.commit();
    Ok(Answer::Done(json!({
        "hash_type": "SHA1",
        "hash_value": hex::encode(Sha1::digest(file.as_bytes())),
        "download_url": format!("{}/wechat/v3/billdownload/file?token={token}", frame.public_url),
    })))
}
