//! Certificates instead of keys, sealed contents, payment codes, bills and logins.

use std::time::Duration;

use futures::StreamExt;
use metropay_core::channel::{
    BillError, BillRow, BillRowKind, CodePayQuestion, News, Outcome, Reversed, SignedContract,
};
use metropay_core::clock::Clock;
use metropay_core::id::PayNo;
use metropay_core::secret::Secret;
use metropay_simulator::{Effect, Gateway};
use serde_json::{Value, json};

use crate::shop::{Shop, USER, money};

/// A shop whose app works with certificates and sealed contents, and whose payments are partly paid by coupons.
async fn sealed() -> (Shop, SignedContract) {
    let terms = json!({
        "mode": "certificate", "encrypt_key": "make", "coupon_fen": 30, "merchant_coupon_fen": 20, "fee_rate": 60,
    });
    Shop::signed(terms).await
}

impl Shop {
    /// The payment code in the user's App.
    async fn shown(&self, needs_password: &str) -> Secret {
        let form = [("user", USER), ("needs_password", needs_password)];
        let shown = self.post("/alipay/phone/code", &form).await.text().await.unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        Secret::from(shown["code"].as_str().unwrap())
    }

    fn by_code(&self, no: &str, fen: u64, code: Secret) -> CodePayQuestion {
        CodePayQuestion {
            no: PayNo::from(no),
            at: self.clock.now(),
            amount: money(fen),
            body: "水".to_owned(),
            store: "S1".to_owned(),
            code,
        }
    }

    /// Lets a day and a half pass, for the gateway too: yesterday's bill is there.
    fn until_the_bill_is_made(&self) {
        let pause = Duration::from_secs(36 * 3_600);
        self.clock.advance(pause);
        let clock = &self.sim.frame().clock;
        clock.set_offset_ms(clock.offset_ms() + 36 * 3_600 * 1_000);
    }
}

#[tokio::test]
async fn with_certificates_and_sealed_contents_money_moves_as_with_keys_also_after_a_rotation() {
    let (shop, signed) = sealed().await;
    let paid = shop.channel.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(
        matches!(&paid, Ok(Outcome::Done(paid)) if (paid.amount, paid.coupon) == (money(450), money(50))),
        "{paid:?}"
    );
    let app_id = shop.config["app_id"].as_str().unwrap();
    let rotated = json!({ "app_id": app_id, "rotate_alipay_cert": true });
    shop.sim.frame().open_account(Gateway::Alipay, &rotated).unwrap();
    let answer = shop.channel.deduct(&shop.deduction("P2", 1000, &signed.handle)).await;
    assert!(matches!(answer, Ok(Outcome::Done(_))), "{answer:?}");
    shop.news(|news| matches!(news, News::Payment { no, standing: Some(_) } if no.0 == "P2"))
        .await;
    let refunded = shop.channel.refund(&shop.refund("P1", 450, "R1", 450)).await;
    assert!(
        matches!(&refunded, Ok(Outcome::Done(refunded)) if refunded.coupon == money(50)),
        "{refunded:?}"
    );
}

#[tokio::test]
async fn a_payment_code_pays_once_and_waits_for_a_password() {
    let (shop, _) = sealed().await;
    let product = shop.channel.code_pay().unwrap();
    let question = shop.by_code("P3", 888, shop.shown("0").await);
    let paid = product.pay_by_code(&question).await;
    assert!(matches!(&paid, Ok(Outcome::Done(_))), "{paid:?}");
    assert_eq!(
        product.pay_by_code(&question).await,
        paid,
        "the same question is the same payment"
    );
    let question = shop.by_code("P4", 888, shop.shown("1").await);
    assert_eq!(product.pay_by_code(&question).await, Ok(Outcome::Pending));
    assert_eq!(
        shop.channel.reverse(&shop.reversal("P4", 888)).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
}

#[tokio::test]
async fn the_bill_tells_what_happened_and_one_that_is_cut_off_is_not_believed() {
    let (shop, signed) = sealed().await;
    let today = shop.clock.now().day();
    let bills = shop.channel.bills().unwrap();
    assert!(matches!(bills.trades(today).await.err(), Some(BillError::NotReady)));
    for no in ["P1", "P2"] {
        let paid = shop.channel.deduct(&shop.deduction(no, 450, &signed.handle)).await;
        assert!(matches!(paid, Ok(Outcome::Done(_))), "{paid:?}");
    }
    let refunded = shop.channel.refund(&shop.refund("P1", 450, "R1", 100)).await;
    assert!(matches!(refunded, Ok(Outcome::Done(_))), "{refunded:?}");
    shop.until_the_bill_is_made();

    let rows: Vec<_> = bills.trades(today).await.unwrap().collect().await;
    let rows: Vec<BillRow> = rows.into_iter().collect::<Result<_, _>>().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.kind, row.no.as_deref(), row.amount))
        .collect();
    assert_eq!(
        told,
        [
            (BillRowKind::Payment, Some("P1"), money(450)),
            (BillRowKind::Payment, Some("P2"), money(450)),
            (BillRowKind::Refund, Some("R1"), money(100)),
        ]
    );
    let funds: Vec<_> = bills.funds(today).await.unwrap().unwrap().collect().await;
    assert!(!funds.is_empty() && funds.iter().all(Result::is_ok), "{funds:?}");
    shop.fault("alipay.data.dataservice.bill.downloadurl.query", Effect::BillTruncated);
    let rows: Vec<_> = bills.trades(today).await.unwrap().collect().await;
    assert!(rows.iter().any(Result::is_err), "{rows:?}");
}

#[tokio::test]
async fn who_agrees_on_alipays_page_is_known_by_a_code_that_is_good_once() {
    let (shop, _) = sealed().await;
    let identity = shop.channel.identity().unwrap();
    let page = identity.page("https://m.example.com/back?x=1", "s 1");
    let html = shop.browser.get(page).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("phone/authorize"), "{html}");
    let agreed = [
        ("app_id", shop.config["app_id"].as_str().unwrap()),
        ("scope", "auth_user"),
        ("redirect_uri", "https%3A%2F%2Fm.example.com%2Fback"),
        ("state", "s1"),
        ("agree", "1"),
        ("user", USER),
    ];
    let back = shop.post("/alipay/phone/authorize", &agreed).await;
    let location = back.headers()["location"].to_str().unwrap();
    let code = location
        .split("auth_code=")
        .nth(1)
        .and_then(|rest| rest.split('&').next());
    let code = Secret::from(code.unwrap());
    let user = identity.user(&code).await;
    assert!(
        matches!(&user, Ok(Outcome::Done(user)) if user.nickname.is_some()),
        "{user:?}"
    );
    let again = identity.user(&code).await;
    assert!(matches!(&again, Ok(Outcome::Refused(_))), "{again:?}");
}
