//! The test vectors C1 to C12 and C22 to C29 of the wechat reference, section 14, and what they tell of.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::contract::Contract;
use super::order::{Order, Product, State};
use super::refund::{Refund, Status, Version};
use super::sign::SignType;

/// The APIv2 key of all vectors.
pub(super) const KEY: &str = "TESTONLYapiv2key0000000000000001";

/// One message of the reference.
#[derive(Default)]
pub(super) struct Vector {
    pub id: &'static str,
    /// The signed string without the key, where the message is signed.
    pub source: Option<&'static str>,
    pub sign: Option<&'static str>,
    /// The message as it travels.
    pub wire: &'static str,
}

/// All of them, in the order of the reference.
pub(super) fn all() -> Vec<Vector> {
    let blocks = include_str!("vectors.txt")
        .split("\n\n")
        .filter(|block| !block.trim().is_empty());
    blocks.map(read).collect()
}

/// The message of a vector as it travels.
pub(super) fn wire(id: &str) -> &'static str {
    let all = all();
    all.iter()
        .find(|vector| vector.id == id)
        .expect("a vector of this name")
        .wire
}

/// The trade bill of C21, packed in the reference.
pub(super) fn bill() -> String {
    let packed: String = include_str!("vectors_c21.b64").split_whitespace().collect();
    let packed = STANDARD.decode(packed).unwrap();
    let mut bill = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut bill).unwrap();
    bill
}

/// The contract of the vectors, signed in C3.
pub(super) fn contract() -> Contract {
    Contract {
        contract_id: "202503016600000001".to_owned(),
        mch_id: "1900009999".to_owned(),
        sub_mch_id: Some("1900012345".to_owned()),
        appid: "wxd0b1c2a3948576f0".to_owned(),
        sub_appid: None,
        plan_id: "123456".to_owned(),
        contract_code: "MCWX20250301000001".to_owned(),
        request_serial: "1740801600000001".to_owned(),
        display_account: "消费码用户0001".to_owned(),
        user: "小明".to_owned(),
        openid: "oTEST0000000000000000000001A".to_owned(),
        sub_openid: None,
        notify_url: "http://127.0.0.1:9/contract".to_owned(),
        sign_type: SignType::Md5,
        signed_at_ms: 1_740_801_690_000,
        expires_at_ms: 2_687_486_490_000,
        ended: None,
    }
}

/// The order of the vectors, paid as in C7.
pub(super) fn order() -> Order {
    let contract = contract();
    Order {
        mch_id: contract.mch_id,
        sub_mch_id: contract.sub_mch_id,
        appid: contract.appid,
        sub_appid: None,
        out_trade_no: "MC20250301123456000000000000001".to_owned(),
        attach: Some("store=S0001".to_owned()),
        total_fee: 1_280,
        coupon_fee: 0,
        contract_id: contract.contract_id,
        openid: contract.openid,
        sub_openid: None,
        notify_url: "http://127.0.0.1:9/deduct".to_owned(),
        sign_type: SignType::Md5,
        fingerprint: String::new(),
        quota_key: "day".to_owned(),
        state: State::Paid,
        created_at_ms: 1_740_803_696_000,
        settle_at_ms: 1_740_803_698_000,
        will_fail: None,
        paid_after_close_ms: None,
        transaction_id: Some("4200000000202503010000000001".to_owned()),
        paid_at_ms: Some(1_740_803_698_000),
        err_code: None,
        refunded_fen: 0,
        refunded_coupon_fen: 0,
        refunds: Vec::new(),
        last_refund_at_ms: None,
        product: Product::Papay,
        user: contract.user,
        body: "示例便利店-消费".to_owned(),
        device_info: None,
        auth_code: None,
        awaits_password: false,
        fee_fen: 8,
        fee_rate: 60,
        reversal: None,
    }
}

/// The refund of the vectors, done as in C12.
pub(super) fn refund() -> Refund {
    let order = order();
    Refund {
        mch_id: order.mch_id,
        sub_mch_id: order.sub_mch_id,
        appid: order.appid,
        sub_appid: None,
        out_refund_no: "MCR20250301150000000000000000001".to_owned(),
        refund_id: "50300000002025030100000000001".to_owned(),
        out_trade_no: order.out_trade_no,
        transaction_id: "4200000000202503010000000001".to_owned(),
        openid: order.openid,
        total_fee: 1_280,
        refund_fee: 300,
        coupon_fee: 0,
        account: "REFUND_SOURCE_RECHARGE_FUNDS".to_owned(),
        notify_url: None,
        status: Status::Success,
        will_end: Status::Success,
        settle_at_ms: 1_740_812_405_000,
        succeeded_at_ms: Some(1_740_812_405_000),
        filed_at_ms: 1_740_812_400_000,
        ended_at_ms: Some(1_740_812_405_000),
        fee_fen: 2,
        version: Version::V2,
        reason: None,
        paid_out_to: None,
    }
}

fn read(block: &'static str) -> Vector {
    let mut vector = Vector::default();
    for line in block.lines() {
        match line.split_once(' ').unwrap() {
            ("id", id) => vector.id = id,
            ("source", source) => vector.source = Some(source),
            ("sign", sign) => vector.sign = Some(sign),
            ("wire", wire) => vector.wire = wire,
            other => panic!("unknown line {other:?}"),
        }
    }
    vector
}
