//! Bills of a day, over both versions, against the gateway's books.

use std::io::Read;

use flate2::read::GzDecoder;
use metropay_simulator::{Gateway, MovementKind};
use serde_json::json;
use sha1::{Digest, Sha1};

use super::business_day::{Bill, DAY_MS, Day, NOON_MS, set_clock};
use super::merchant::Merchant;
use super::v3_client::Client;
use super::wire::{Algorithm, from_xml, to_xml};

fn fen(yuan: &str) -> u64 {
    yuan.replace('.', "").parse().unwrap()
}

#[tokio::test]
async fn a_trade_bill_is_the_day_s_books() {
    let day = Day::direct().await;
    let bill = day.bill().await;
    assert_eq!(bill.names.len(), 27);
    let books = day.simulator.frame().books();
    assert_eq!((books.len(), bill.rows.len()), (5, 5));
    for movement in &books {
        let row = bill
            .rows
            .iter()
            .find(|row| match movement.kind {
                MovementKind::Debit => {
                    bill.cell(row, "微信订单号") == movement.gateway_no && bill.cell(row, "交易状态") == "SUCCESS"
                }
                MovementKind::Refund | MovementKind::Reversal => bill.cell(row, "微信退款单号") == movement.gateway_no,
            })
            .unwrap_or_else(|| panic!("no row for {movement:?}"));
        let amount = if movement.kind == MovementKind::Debit {
            "订单金额"
        } else {
            "申请退款金额"
        };
        assert_eq!(fen(bill.cell(row, amount)), movement.amount_fen);
        assert_eq!(bill.cell(row, "商户订单号"), movement.payment_no);
        assert_eq!(bill.cell(row, "用户标识"), movement.payer);
    }
    assert_eq!(
        bill.column("交易类型"),
        ["PAP", "PAP", "MICROPAY", "MICROPAY", "MICROPAY"]
    );
    assert_eq!(
        bill.column("交易状态"),
        ["SUCCESS", "REFUND", "SUCCESS", "SUCCESS", "REVOKED"]
    );
    assert_eq!(
        bill.column("手续费"),
        ["0.08000", "-0.02000", "0.03000", "0.03000", "-0.03000"]
    );
    assert_eq!(bill.column("退款状态"), ["", "SUCCESS", "", "", "SUCCESS"]);
    assert_eq!(bill.column("商品名称")[2], "可乐,薯片");
    assert_eq!(bill.column("特约商户号")[0], "0");
    assert!(
        bill.column("交易时间")
            .iter()
            .all(|time| time.starts_with("2025-03-01 12:0"))
    );
    assert_eq!(bill.sums, ["5", "22.80", "8.00", "0.00", "0.09000", "22.80", "8.00"]);
}

#[tokio::test]
async fn types_packing_and_rates_are_as_asked() {
    let spec = json!({"mode": "direct", "fee_rate": 38, "bill_line_feed_only": false});
    let day = Day::of(&spec).await;
    let packed = day.fetch(&[("bill_date", "20250301"), ("tar_type", "GZIP")]).await;
    assert_eq!(packed[..2], [0x1f, 0x8b]);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    let bill = Bill::read(&unpacked);
    assert_eq!((bill.rows.len(), bill.column("费率")[0]), (5, "0.38%"));
    assert_eq!(bill.column("手续费")[0], "0.05000");
    let paid = Bill::read(&day.fetch(&[("bill_date", "20250301"), ("bill_type", "SUCCESS")]).await);
    assert_eq!((paid.names.len(), paid.rows.len(), paid.sums[0].as_str()), (20, 3, "3"));
    let refunds = Bill::read(&day.fetch(&[("bill_date", "20250301"), ("bill_type", "REFUND")]).await);
    assert_eq!(
        (refunds.names.len(), refunds.rows.len(), refunds.sums[2].as_str()),
        (29, 2, "8.00")
    );
    assert_eq!(
        day.refusal(&[("bill_date", "20250301"), ("bill_type", "RECHARGE_REFUND")])
            .await,
        "No Bill Exist"
    );
    assert_eq!(
        day.refusal(&[("bill_date", "20250301"), ("bill_type", "OTHER")]).await,
        "invalid bill_type"
    );
    assert_eq!(day.refusal(&[("bill_date", "20251301")]).await, "data format error");
    assert_eq!(day.refusal(&[]).await, "missing parameter");
}

#[tokio::test]
async fn bills_are_there_from_their_hour_and_for_three_months() {
    let day = Day::direct().await;
    let asked = [("bill_date", "20250301")];
    set_clock(&day.simulator, NOON_MS);
    assert_eq!(day.refusal(&asked).await, "No Bill Exist", "the day is not over");
    set_clock(&day.simulator, NOON_MS + DAY_MS - 2 * 3_600_000 - 60_000);
    assert_eq!(day.refusal(&asked).await, "Bill Creating");
    set_clock(&day.simulator, NOON_MS + DAY_MS - 2 * 3_600_000 + 60_000);
    assert_eq!(day.bill().await.rows.len(), 5);
    assert_eq!(day.refusal(&[("bill_date", "20250228")]).await, "No Bill Exist");
    set_clock(&day.simulator, NOON_MS + 91 * DAY_MS);
    assert_eq!(day.bill().await.rows.len(), 5, "31 May still knows 1 March");
    set_clock(&day.simulator, NOON_MS + 93 * DAY_MS);
    assert_eq!(day.refusal(&asked).await, "No Bill Exist");
    day.merchant.change(&day.simulator, json!({"bill_ready_hour": 0}));
    set_clock(&day.simulator, NOON_MS + DAY_MS / 2 + 60_000);
    assert_eq!(day.bill().await.rows.len(), 5);
}

#[tokio::test]
async fn a_provider_s_bill_holds_all_shops_or_one() {
    let day = Day::of(&json!({"mode": "provider"})).await;
    let whole = day.merchant.without_shop();
    let ask = async |merchant: &Merchant, more: &[(&str, &str)]| {
        let request = merchant.signed("/pay/downloadbill", &[&[("bill_date", "20250301")], more].concat());
        merchant.send("/pay/downloadbill", to_xml(&request)).await
    };
    let all = Bill::read(ask(&whole, &[]).await.as_bytes());
    assert_eq!(all.rows.len(), 5);
    assert_eq!(all.column("特约商户号")[0], day.merchant.sub_mch_id.as_deref().unwrap());
    assert_eq!(Bill::read(ask(&day.merchant, &[]).await.as_bytes()).rows.len(), 5);
    let provider = json!({"provider": day.merchant.mch_id});
    let second = day.simulator.frame().open_account(Gateway::Wechat, &provider).unwrap();
    let other = second["sub_mch_id"].as_str().unwrap();
    let answer = from_xml(&ask(&whole, &[("sub_mch_id", other)]).await, "xml");
    assert_eq!(answer["return_msg"], "No Bill Exist");
}

#[tokio::test]
async fn a_fund_flow_tells_every_yuan_and_what_was_left() {
    let mut day = Day::direct().await;
    let asked = [("bill_date", "20250301"), ("account_type", "Basic")];
    let denied = day.fetch_from("/pay/downloadfundflow", &asked).await;
    let denied = from_xml(std::str::from_utf8(&denied).unwrap(), "xml");
    assert_eq!(denied["return_msg"], "签名错误", "MD5 does not do here");
    day.merchant.algorithm = Algorithm::Hmac;
    let flow = Bill::read(&day.fetch_from("/pay/downloadfundflow", &asked).await);
    assert_eq!(
        flow.column("业务名称"),
        [
            "交易",
            "扣除交易手续费",
            "退款",
            "交易",
            "扣除交易手续费",
            "交易",
            "扣除交易手续费",
            "退款"
        ]
    );
    assert_eq!(
        flow.column("收支金额(元)"),
        ["12.80", "0.08", "2.98", "5.00", "0.03", "5.00", "0.03", "4.97"]
    );
    assert_eq!(flow.column("账户结余(元)").last(), Some(&"14.71"));
    assert_eq!(flow.column("业务凭证号")[2], "REF1");
    assert_eq!(
        flow.column("资金变更提交申请人")[2],
        format!("{}API", day.merchant.mch_id)
    );
    assert_eq!(flow.sums, ["8", "3", "22.80", "5", "8.09"]);
    let other = [("bill_date", "20250301"), ("account_type", "Fees")];
    let empty = day.merchant.call("/pay/downloadfundflow", &other).await;
    assert_eq!(
        (empty["result_code"].as_str(), empty["err_code"].as_str()),
        ("FAIL", "NO_BILL_EXIST")
    );
}

#[tokio::test]
async fn bills_of_apiv3_come_by_a_link_with_a_hash() {
    let day = Day::direct().await;
    for (target, packed) in [
        ("/v3/bill/tradebill?bill_date=2025-03-01&bill_type=ALL", false),
        ("/v3/bill/tradebill?bill_date=2025-03-01&tar_type=GZIP", true),
        ("/v3/bill/fundflowbill?bill_date=2025-03-01&account_type=BASIC", false),
    ] {
        let link = day.client.get(&day.simulator, target).await;
        assert_eq!(link.status, 200, "{}", link.json());
        let told = link.json();
        let url = told["download_url"].as_str().unwrap();
        let target = url.strip_prefix(&day.client.base).unwrap();
        let file = day.client.get(&day.simulator, target).await;
        assert_eq!(file.status, 200);
        assert!(
            !file.headers.contains_key("wechatpay-signature"),
            "a file is not signed"
        );
        let mut text = file.body.clone();
        if packed {
            text.clear();
            GzDecoder::new(file.body.as_slice()).read_to_end(&mut text).unwrap();
        }
        assert_eq!(told["hash_type"], "SHA1");
        assert_eq!(told["hash_value"], hex::encode(Sha1::digest(&text)));
        assert!(Bill::read(&text).rows.len() >= 5);
        let stranger = Client::open(&day.simulator, &json!({"mode": "direct"}));
        assert_eq!(stranger.get(&day.simulator, target).await.status, 404);
        let unsigned = day.client.send_as("GET", target, "", &[]).await;
        assert_eq!(unsigned.refusal(), (401, "SIGN_ERROR".to_owned()));
        set_clock(&day.simulator, NOON_MS + DAY_MS + 301_000);
        assert_eq!(
            day.client.get(&day.simulator, target).await.status,
            400,
            "the link has expired"
        );
        set_clock(&day.simulator, NOON_MS + DAY_MS);
    }
    for (target, code) in [
        ("/v3/bill/tradebill?bill_date=2025-02-28", "NO_STATEMENT_EXIST"),
        ("/v3/bill/tradebill?bill_date=20250301", "PARAM_ERROR"),
        ("/v3/bill/tradebill?bill_date=2025-03-01&bill_type=X", "PARAM_ERROR"),
        ("/v3/bill/tradebill", "PARAM_ERROR"),
        (
            "/v3/bill/fundflowbill?bill_date=2025-03-01&account_type=FEES",
            "NO_STATEMENT_EXIST",
        ),
    ] {
        assert_eq!(
            day.client.get(&day.simulator, target).await.refusal(),
            (400, code.to_owned()),
            "{target}"
        );
    }
}
