//! Orders of all products over APIv3: query, close, reverse (wechat reference, 4.6).

use std::sync::Arc;

use serde_json::json;

use super::super::operation::{Family, Form};
use super::super::order::Named;
use super::super::settle::{self, Due};
use super::super::{order_close, reverse};
use super::answer::{Answer, Failure};
use super::codepay::{DIRECT, told};
use super::operation::{Call, Operation};
use super::schema::{Kind, Rule, may, must};
use crate::frame::Frame;

const ID: Kind = Kind::Text(Form::Id(32));

const MCHID: &[Rule] = &[must("/mchid", ID)];
const SHOP: &[Rule] = &[must("/sp_mchid", ID), must("/sub_mchid", ID)];

/// `GET …/out-trade-no/{}`.
pub(super) static BY_OUT_TRADE_NO: Operation = query(|frame, call| {
    let order = by_out_trade_no(call).find(&frame.store.begin())?;
    Ok(Answer::Done(told(&order)))
});

/// `GET …/id/{}`.
pub(super) static BY_ID: Operation = query(|frame, call| {
    let names = Named {
        transaction_id: Some(&call.number),
        out_trade_no: None,
        ..by_out_trade_no(call)
    };
    Ok(Answer::Done(told(&names.find(&frame.store.begin())?)))
});

const fn query(act: fn(&Arc<Frame>, &Call) -> Result<Answer, Failure>) -> Operation {
    Operation {
        name: "orderquery",
        family: Family::OrderQuery,
        method: "GET",
        rules: &[],
        direct: MCHID,
        provider: SHOP,
        act,
    }
}

/// `POST …/out-trade-no/{}/reverse`. There is no `recall`: whoever gets no answer asks again.
pub(super) static REVERSE: Operation = Operation {
    name: "reverse",
    family: Family::Reverse,
    method: "POST",
    rules: &[],
    direct: DIRECT,
    provider: &[
        may("/sp_appid", ID),
        may("/sub_appid", ID),
        must("/sp_mchid", ID),
        must("/sub_mchid", ID),
    ],
    act: |frame, call| {
        let names = by_out_trade_no(call);
        reverse::reverse(frame, &names, &call.account.terms, &call.effects, call.now_ms)?;
        let mut answer = json!({"out_trade_no": call.number});
        match call.sub_mch_id() {
            None => {
                answer["appid"] = json!(call.account.appid);
                answer["mchid"] = json!(call.account.mch_id);
            }
            Some(sub_mch_id) => {
                answer["sp_appid"] = json!(call.account.appid);
                answer["sp_mchid"] = json!(call.account.mch_id);
                answer["sub_mchid"] = json!(sub_mch_id);
            }
        }
        Ok(Answer::Done(answer))
    },
};

/// `POST …/out-trade-no/{}/close`.
pub(super) static CLOSE: Operation = Operation {
    name: "close",
    family: Family::Close,
    method: "POST",
    rules: &[],
    direct: MCHID,
    provider: SHOP,
    act: |frame, call| {
        let mut tx = frame.store.begin();
        let mut order = by_out_trade_no(call).find(&tx)?;
        let closed = order_close::end(&mut tx, &mut order, &call.account.terms, &call.effects, call.now_ms);
        match closed {
            Err(failure) if failure.code == "ORDERCLOSED" => return Ok(Answer::Empty),
            closed => closed?,
        }
        tx.commit();
        if order.awaits_settlement() {
            settle::later(frame, Due::Order(order.key()), order.settle_at_ms);
        }
        Ok(Answer::Empty)
    },
};

fn by_out_trade_no(call: &Call) -> Named<'_> {
    Named {
        mch_id: &call.account.mch_id,
        sub_mch_id: call.sub_mch_id(),
        transaction_id: None,
        out_trade_no: Some(&call.number),
    }
}
