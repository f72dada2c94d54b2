//! Bills: asked for, downloaded, unpacked, and read against the books.

use std::io::{Cursor, Read};

use encoding_rs::GBK;
use serde_json::{Value, json};

use crate::shop::{Answer, REFUND, Shop, code_order};

const BILL: &str = "alipay.data.dataservice.bill.downloadurl.query";
const DAY: &str = "2026-03-01";

/// A bill as a merchant reads it.
struct Bill {
    names: Vec<String>,
    detail: String,
    summary: String,
}

impl Bill {
    /// The detail's rows, their fields trimmed.
    fn rows(&self) -> Vec<Vec<String>> {
        rows(&self.detail)
    }

    /// One column of the detail.
    fn column(&self, place: usize) -> Vec<String> {
        self.rows().iter().map(|row| row[place].clone()).collect()
    }
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .split("\r\n")
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .skip(1)
        .map(|line| line.split(',').map(|field| field.trim().to_owned()).collect())
        .collect()
}

fn ask(bill_type: &str, date: &str) -> Value {
    json!({"bill_type": bill_type, "bill_date": date})
}

impl Shop {
    async fn ask_bill(&self, date: &str) -> Answer {
        self.call(BILL, ask("trade", date)).await
    }

    async fn bill(&self, bill_type: &str, date: &str) -> Bill {
        let answer = self.call(BILL, ask(bill_type, date)).await;
        assert!(answer.fits);
        let url = answer.says("code=10000").text("bill_download_url").to_owned();
        let archive = self.client.get(url).send().await.unwrap();
        assert_eq!(archive.headers()["content-type"], "application/zip");
        unpack(&archive.bytes().await.unwrap())
    }

    /// A payment by code, at this time.
    async fn sell(&self, time: &str, number: &str, yuan: &str) {
        self.set_clock(time);
        let code = self.code("2088000000000099", "0").await;
        self.call(crate::shop::PAY, code_order(number, &code, yuan))
            .await
            .says("code=10000");
    }

    async fn give_back(&self, number: &str, request: &str, yuan: &str) {
        let refund = json!({"out_trade_no": number, "out_request_no": request, "refund_amount": yuan});
        self.call(REFUND, refund).await.says("fund_change=Y");
    }

    fn spoil(&self, effect: &Value) {
        let mut line = json!({"operation": BILL});
        line.as_object_mut()
            .unwrap()
            .extend(effect.as_object().unwrap().clone());
        self.fault(line);
    }
}

fn unpack(bytes: &[u8]) -> Bill {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for place in 0..archive.len() {
        let mut entry = archive.by_index(place).unwrap();
        assert!(std::str::from_utf8(entry.name_raw()).is_err(), "the name is not UTF-8");
        names.push(GBK.decode(entry.name_raw()).0.into_owned());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let (text, _, is_broken) = GBK.decode(&bytes);
        assert!(!is_broken);
        texts.push(text.into_owned());
    }
    let summary = texts.pop().unwrap();
    Bill {
        names,
        detail: texts.pop().unwrap(),
        summary,
    }
}

/// Four payments and three refunds on the day, one payment before it and one after.
async fn busy_shop(spec: Value) -> Shop {
    let shop = Shop::open(spec).await;
    shop.sell("2026-02-28T23:59:58", "P0", "9.00").await;
    shop.sell("2026-03-01T00:00:01", "P1", "4.50").await;
    shop.sell("2026-03-01T08:30:00", "P2", "10.00").await;
    shop.give_back("P2", "R2", "3.00").await;
    shop.sell("2026-03-01T12:00:00", "P3", "2.00").await;
    shop.cancel("P3").await.says("action=refund");
    shop.sell("2026-03-01T23:59:50", "P4", "1.00").await;
    shop.give_back("P0", "R0", "9.00").await;
    shop.sell("2026-03-02T00:00:05", "P5", "7.00").await;
    shop.set_clock("2026-03-02T09:00:00");
    shop
}

#[tokio::test]
async fn the_bill_of_a_day_tells_the_books_of_that_day_in_china() {
    let shop = busy_shop(json!({"coupon_fen": 100, "store_name": "三十一号店"})).await;
    let bill = shop.bill("trade", DAY).await;
    assert_eq!(
        bill.names,
        [
            "20880000000000010156_20260301_业务明细.csv",
            "20880000000000010156_20260301_业务明细(汇总).csv"
        ]
    );
    let head = "#支付宝业务明细查询\r\n#账号：[20880000000000010156]\r\n\
                #起始日期：[2026年03月01日 00:00:00]   终止日期：[2026年03月02日 00:00:00]\r\n\
                #-----------------------------------------业务明细列表----------------------------------------\r\n\
                支付宝交易号,商户订单号,业务类型,商品名称,";
    assert!(bill.detail.starts_with(head), "{}", bill.detail);
    let found = bill.column(1).into_iter().zip(bill.column(2)).zip(bill.column(21));
    let found: Vec<String> = found
        .map(|((order, kind), request)| format!("{order} {kind} {request}"))
        .collect();
    let expected = [
        "P1 交易 ",
        "P2 交易 ",
        "P2 退款 R2",
        "P3 交易 ",
        "P3 退款 P3",
        "P4 交易 ",
        "P0 退款 R0",
    ];
    assert_eq!(found, expected);
    assert_eq!(
        bill.column(11),
        ["4.50", "10.00", "-3.00", "2.00", "-2.00", "1.00", "-9.00"]
    );
    assert_eq!(
        bill.column(15),
        ["1.00", "1.00", "0.00", "1.00", "-1.00", "1.00", "-1.00"]
    );
    // 0.6 %, rounded half up; what refunds return adds up to what was taken.
    assert_eq!(
        bill.column(22),
        ["-0.03", "-0.06", "0.02", "-0.01", "0.01", "-0.01", "0.05"]
    );
    let first = &bill.rows()[0];
    assert_eq!(first.len(), 25);
    assert_eq!(
        first[3..11],
        [
            "地铁便利店",
            "2026-03-01 00:00:01",
            "2026-03-01 00:00:01",
            "S031",
            "三十一号店",
            "C07",
            "T0001",
            "**明(159******20)"
        ]
    );
    assert_eq!(
        shop.bill("trade", DAY).await.rows(),
        bill.rows(),
        "a closed day stays as it is"
    );
}

#[tokio::test]
async fn trailer_and_summary_add_the_rows_up() {
    let shop = busy_shop(json!({"coupon_fen": 100, "store_name": "三十一号店"})).await;
    let bill = shop.bill("trade", DAY).await;
    let tail = "业务明细列表结束------------------------------------\r\n\
                #交易合计：4笔，商家实收共17.50元，商家优惠共0.00元\r\n\
                #退款合计：3笔，商家实收退款共-14.00元，商家优惠退款共0.00元\r\n\
                #导出时间：[2026年03月02日 09:00:00]\r\n";
    assert!(bill.detail.ends_with(tail), "{}", bill.detail);
    let sums = rows(&bill.summary);
    assert_eq!(sums.len(), 2);
    assert_eq!(
        sums[1],
        [
            "合计", "", "4", "3", "3.50", "3.50", "2.00", "0.00", "0.00", "-0.03", "0.00", "3.47"
        ]
    );
    assert_eq!(sums[0][..2], ["S031", "三十一号店"]);
}

#[tokio::test]
async fn fees_and_signs_follow_the_account() {
    let shop = Shop::open(json!({"fee_rate": 0, "bill_refund_positive": true})).await;
    shop.sell("2026-03-01T10:00:00", "P1", "4.50").await;
    shop.change(json!({"fee_rate": 55}));
    shop.sell("2026-03-01T10:00:01", "P2", "4.50").await;
    shop.give_back("P2", "R2", "4.50").await;
    shop.set_clock("2026-03-03T09:00:00");
    shop.change(json!({"fee_rate": 10_000}));
    let bill = shop.bill("trade", DAY).await;
    assert_eq!(
        bill.column(22),
        ["0.00", "-0.02", "0.02"],
        "the rate of the payment counts"
    );
    assert_eq!(bill.column(11), ["4.50", "4.50", "4.50"]);
}

#[tokio::test]
async fn the_statement_of_the_account_runs_through_every_movement() {
    let shop = busy_shop(json!({"balance_fen": 10_000})).await;
    let bill = shop.bill("signcustomer", DAY).await;
    assert!(bill.detail.starts_with("#支付宝账务明细查询\r\n"));
    assert_eq!(bill.names[0], "20880000000000010156_20260301_账务明细.csv");
    let kinds = [
        "在线支付",
        "收费",
        "在线支付",
        "收费",
        "交易退款",
        "退费",
        "在线支付",
        "收费",
        "交易退款",
        "退费",
        "在线支付",
        "收费",
        "交易退款",
        "退费",
    ];
    assert_eq!(bill.column(10), kinds);
    // 100.00 + 9.00 - 0.05 the day before.
    assert_eq!(bill.column(8)[..4], ["113.45", "113.42", "123.42", "123.36"]);
    let last = bill.column(8).pop().unwrap();
    // + 4.50 + 10.00 - 3.00 + 2.00 - 2.00 + 1.00 - 9.00, fees - 0.03 - 0.06 + 0.02 - 0.01 + 0.01 - 0.01 + 0.05
    assert_eq!(last, "112.42");
    assert!(
        bill.detail.contains("#收入合计：7笔，共17.58元") && bill.detail.contains("#支出合计：7笔，共-14.11元"),
        "{}",
        bill.detail
    );
    assert_eq!(
        rows(&bill.summary).pop().unwrap(),
        ["合计", "7", "17.58", "7", "-14.11", "3.47"]
    );
}

#[tokio::test]
async fn a_month_is_one_bill_on_the_third() {
    let shop = busy_shop(json!({})).await;
    shop.ask_bill("2026-02")
        .await
        .says("code=40004 sub_code=isp.bill_not_exist");
    shop.set_clock("2026-03-03T09:00:00");
    let bill = shop.bill("trade", "2026-02").await;
    assert_eq!(bill.column(1), ["P0"]);
    assert!(bill.names[0].contains("_202602_"));
}

#[tokio::test]
async fn days_that_have_no_bill_say_why() {
    let shop = busy_shop(json!({"registered_on": "2026-02-20"})).await;
    let says = async |bill_type: &str, date: &str, sub_code: &str| {
        let answer = shop.call(BILL, ask(bill_type, date)).await;
        answer.says(&format!("code=40004 sub_code={sub_code}"));
    };
    says("trade", "2026-03-02", "isp.bill_not_exist").await;
    says("trade", "2026-03-05", "INVAILID_ARGUMENTS").await;
    says("trade", "2026-3-1", "INVAILID_ARGUMENTS").await;
    says("trade", "2026-02-19", "BILL_DATE_BEFORE_REGISTRATION").await;
    says("trade", "2026-02-22", "NO_BILL_DATA").await;
    says("merchant_act", DAY, "TYPE_NOT_SUPPORTED").await;
    says("trades", DAY, "INVAILID_ARGUMENTS").await;
    shop.call(BILL, json!({"bill_type": "trade"}))
        .await
        .says("sub_code=INVAILID_ARGUMENTS");
    shop.change(json!({"bill_empty_as_file": true}));
    shop.ask_bill("2026-02-22")
        .await
        .says("code=10000 bill_file_code=EMPTY_DATA_WITH_BILL_FILE");
    assert!(shop.bill("trade", "2026-02-22").await.rows().is_empty());
    shop.set_clock("2026-03-03T08:59:59");
    says("trade", "2026-03-02", "isp.bill_not_exist").await;
    shop.set_clock("2026-03-03T09:00:00");
    assert_eq!(shop.bill("trade", "2026-03-02").await.column(1), ["P5"]);
}

#[tokio::test]
async fn an_address_is_good_for_thirty_seconds() {
    let shop = busy_shop(json!({})).await;
    let url = shop.ask_bill(DAY).await.text("bill_download_url").to_owned();
    assert!(
        url.contains("bizType=trade&userId=20880000000000010156&fileType=csv.zip&bizDates=20260301&"),
        "{url}"
    );
    shop.advance(31);
    let late = shop.client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(late.starts_with("<!doctype html>"), "{late}");
    let forged = url.split("&token=").next().unwrap().to_owned() + "&token=" + &"0".repeat(32);
    let page = shop.client.get(forged).send().await.unwrap().text().await.unwrap();
    assert!(page.starts_with("<!doctype html>"));
    let url = shop.ask_bill(DAY).await.text("bill_download_url").to_owned();
    shop.fault(json!({"operation": "downloadBillFile.resource", "effect": "half_body"}));
    let fetch = async || shop.client.get(&url).send().await?.bytes().await;
    assert!(fetch().await.is_err(), "the connection breaks in the middle");
    assert_eq!(unpack(&fetch().await.unwrap()).rows().len(), 7);
}

#[tokio::test]
async fn the_fault_script_spoils_bills_row_by_row() {
    let shop = busy_shop(json!({})).await;
    let truth = shop.bill("trade", DAY).await.rows();
    let spoilt = async |effect: Value| {
        shop.spoil(&effect);
        shop.bill("trade", DAY).await
    };
    let bill = spoilt(json!({"effect": "bill_row_missing", "told": "P3"})).await;
    assert_eq!(
        bill.column(1),
        ["P1", "P2", "P2", "P3", "P4", "P0"],
        "the payment, not its undoing"
    );
    let bill = spoilt(json!({"effect": "bill_row_extra", "told": "X1", "fen": 123})).await;
    let extra = bill.rows().pop().unwrap();
    assert_eq!(
        (extra[1].as_str(), extra[2].as_str(), extra[11].as_str()),
        ("X1", "交易", "1.23")
    );
    let bill = spoilt(json!({"effect": "bill_row_amount", "told": "R2", "fen": 301})).await;
    assert_eq!(bill.rows()[2][11..13], ["-3.01", "-3.01"]);
    let bill = spoilt(json!({"effect": "bill_row_fee", "told": "P1", "fen": 99})).await;
    assert_eq!(bill.rows()[0][22], "-0.99");
    let bill = spoilt(json!({"effect": "bill_row_state", "told": "P1"})).await;
    assert_eq!(bill.rows()[0][2], "退款");
    let bill = spoilt(json!({"effect": "bill_doubled"})).await;
    assert_eq!(bill.rows().len(), truth.len() * 2);
    let bill = spoilt(json!({"effect": "bill_empty"})).await;
    assert!(bill.rows().is_empty());
    let bill = spoilt(json!({"effect": "bill_truncated"})).await;
    let last = bill.rows().pop().unwrap();
    assert!(last.len() < 25 && !bill.detail.contains("合计"), "{}", bill.detail);
    shop.spoil(&json!({"effect": "bill_not_ready"}));
    shop.ask_bill(DAY).await.says("code=40004 sub_code=isp.bill_not_exist");
    shop.spoil(&json!({"effect": "refuse", "code": "SYSTEM_RATE_LIMIT"}));
    shop.ask_bill(DAY).await.says("code=40004 sub_code=SYSTEM_RATE_LIMIT");
    shop.spoil(&json!({"effect": "system_error_before"}));
    shop.ask_bill(DAY).await.says("code=20000 sub_code=SYSTEM_ERROR");
    shop.fault(json!({"effect": "bill_empty", "times": 0}));
    assert_eq!(shop.status("P1").await, "TRADE_SUCCESS");
    shop.sim.frame().faults.clear();
    assert_eq!(shop.bill("trade", DAY).await.rows(), truth);
}
