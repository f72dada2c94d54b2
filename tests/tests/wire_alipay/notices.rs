//! Notices, genuine and forged.

use metropay_core::channel::{News, NoticeRefused, Standing};
use metropay_simulator::Effect;
use serde_json::json;

use crate::shop::{Shop, money};

#[tokio::test]
async fn forged_and_foreign_notices_are_refused_and_repeated_until_they_are_right() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault("notify", Effect::NoticeForged);
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    let read = shop.read(Result::is_err).await;
    assert!(matches!(read, Err(NoticeRefused::NotGenuine(_))), "{read:?}");
    let account = "2021000000009999".to_owned();
    shop.fault("notify", Effect::WrongMerchant { account });
    shop.channel
        .deduct(&shop.deduction("P2", 450, &signed.handle))
        .await
        .unwrap();
    let read = shop.read(|read| matches!(read, Err(NoticeRefused::Mismatch(_)))).await;
    assert!(read.is_err());
    let refused = shop.sim.frame().notices.attempts();
    let refused = refused
        .iter()
        .filter(|attempt| ["P1", "P2"].contains(&attempt.order_no.as_str()));
    assert!(
        refused
            .into_iter()
            .all(|attempt| !attempt.acknowledged && attempt.status == 200)
    );
    // The amount is the engine's to compare, and it is told as the notice has it.
    shop.fault("notify", Effect::WrongAmount { fen: 1 });
    shop.channel
        .deduct(&shop.deduction("P3", 450, &signed.handle))
        .await
        .unwrap();
    let news = shop
        .news(|news| matches!(news, News::Payment { no, .. } if no.as_str() == "P3"))
        .await;
    assert!(matches!(&news, News::Payment { standing: Some(Standing::Paid(paid)), .. } if paid.amount == money(1)));
}
