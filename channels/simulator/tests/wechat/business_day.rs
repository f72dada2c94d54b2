//! A business day of a shop, and its bills as a merchant reads them.

use metropay_simulator::{Gateway, Simulator};
use serde_json::{Value, json};

use super::merchant::{Merchant, simulator};
use super::phone::Phone;
use super::receiver::Receiver;
use super::v3_client::Client;
use super::wire::{from_xml, to_xml};

pub(crate) const DAY_MS: i64 = 86_400_000;

/// 2025-03-01 12:00:00 in China.
pub(crate) const NOON_MS: i64 = 1_740_801_600_000;

/// A shop whose business day was the first of March, and whose gateway now has another time.
pub(crate) struct Day {
    pub(crate) simulator: Simulator,
    pub(crate) merchant: Merchant,
    pub(crate) client: Client,
}

impl Day {
    pub(crate) async fn of(spec: &Value) -> Self {
        let simulator = simulator().await;
        set_clock(&simulator, NOON_MS);
        let account = simulator.frame().open_account(Gateway::Wechat, spec).unwrap();
        let client = Client::of(account.clone());
        let merchant = Merchant::of(&account);
        let receiver = Receiver::start().await;
        let phone = Phone::of(&merchant, "小明");
        let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
        merchant.paid(&receiver, &contract, "PAP1", 1_280).await;
        merchant.refund(&receiver, ("PAP1", 1_280), "REF1", 300).await;
        receiver.wait("/refund/REF1", 1).await;
        for number in ["CODE1", "CODE2"] {
            let fields = [
                ("body", "可乐,薯片"),
                ("out_trade_no", number),
                ("total_fee", "500"),
                ("spbill_create_ip", "203.0.113.10"),
                ("auth_code", &phone.code().await),
            ];
            assert_eq!(merchant.call("/pay/micropay", &fields).await["result_code"], "SUCCESS");
        }
        let reversed = merchant.call("/secapi/pay/reverse", &[("out_trade_no", "CODE2")]).await;
        assert_eq!(reversed["result_code"], "SUCCESS");
        set_clock(&simulator, NOON_MS + DAY_MS);
        Self {
            simulator,
            merchant,
            client,
        }
    }

    pub(crate) async fn direct() -> Self {
        Self::of(&json!({"mode": "direct"})).await
    }

    /// What `downloadbill` answers.
    pub(crate) async fn fetch(&self, fields: &[(&str, &str)]) -> Vec<u8> {
        self.fetch_from("/pay/downloadbill", fields).await
    }

    pub(crate) async fn fetch_from(&self, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let request = self.merchant.signed(path, fields);
        let url = format!("{}{path}", self.merchant.base);
        let sent = self
            .merchant
            .http
            .post(url)
            .body(to_xml(&request))
            .send()
            .await
            .unwrap();
        sent.bytes().await.unwrap().to_vec()
    }

    pub(crate) async fn refusal(&self, fields: &[(&str, &str)]) -> String {
        let answer = from_xml(std::str::from_utf8(&self.fetch(fields).await).unwrap(), "xml");
        assert_eq!(answer["return_code"], "FAIL");
        assert!(answer.contains_key("error_code") && !answer.contains_key("sign"));
        answer["return_msg"].clone()
    }

    pub(crate) async fn bill(&self) -> Bill {
        Bill::read(&self.fetch(&[("bill_date", "20250301")]).await)
    }
}

pub(crate) fn set_clock(simulator: &Simulator, to_ms: i64) {
    let clock = &simulator.frame().clock;
    clock.set_offset_ms(clock.offset_ms() + to_ms - clock.now_ms());
}

/// A bill as a merchant reads it.
pub(crate) struct Bill {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) sums: Vec<String>,
}

impl Bill {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap().strip_prefix('\u{feff}').unwrap();
        let mut lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.pop(), Some(""));
        let cells = |line: &str| -> Vec<String> {
            let inner = line.strip_prefix('`').unwrap();
            inner.split(",`").map(str::to_owned).collect()
        };
        let sums = cells(lines.pop().unwrap());
        assert!(!lines.pop().unwrap().contains('`'));
        let names: Vec<String> = lines.remove(0).split(',').map(str::to_owned).collect();
        let rows: Vec<Vec<String>> = lines.into_iter().map(cells).collect();
        assert!(rows.iter().all(|row| row.len() == names.len()), "{names:?} {rows:?}");
        Self { names, rows, sums }
    }

    pub(crate) fn cell<'a>(&self, row: &'a [String], name: &str) -> &'a str {
        &row[self.names.iter().position(|known| known == name).unwrap()]
    }

    pub(crate) fn column(&self, name: &str) -> Vec<&str> {
        self.rows.iter().map(|row| self.cell(row, name)).collect()
    }
}
