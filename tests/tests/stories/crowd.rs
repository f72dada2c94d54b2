//! Many at once: one order, one debit, and never more back than came.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::{join_all, try_join_all};
use metropay_simulator::MovementKind::{self, Debit};
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Reply, World, story};

#[tokio::test]
async fn fifty_identical_requests_are_one_debit_of_wechat() {
    identical(&WECHAT).await;
}

#[tokio::test]
async fn fifty_identical_requests_are_one_debit_of_alipay() {
    identical(&ALIPAY).await;
}

#[tokio::test]
async fn fifty_identical_requests_are_one_debit_of_unionpay() {
    identical(&UNIONPAY).await;
}

/// FLT-23.
async fn identical(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let (digits, _) = world.code(&app).await?;
        let (till, order) = (world.till(), World::order("S1", &digits, 600));
        let told = try_join_all((0..50).map(|_| till.call("applypay", &order))).await?;
        let number = told[0].text("pay_out_trade_no");
        assert!(!number.is_empty(), "{}", told[0].body);
        for reply in &told {
            assert_eq!(reply.text("pay_out_trade_no"), number, "{}", reply.body);
            assert_eq!(reply.text("pay_status"), "PS_SUCCESS", "{}", reply.body);
        }
        assert_eq!(world.moved("S1").await?, [(Debit, 600)]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_code_at_two_stores_at_once_is_debited_once_by_wechat() {
    two_stores(&WECHAT).await;
}

#[tokio::test]
async fn a_code_at_two_stores_at_once_is_debited_once_by_alipay() {
    two_stores(&ALIPAY).await;
}

#[tokio::test]
async fn a_code_at_two_stores_at_once_is_debited_once_by_unionpay() {
    two_stores(&UNIONPAY).await;
}

/// FLT-24, about two hundred rounds over the three channels.
async fn two_stores(channel: &Words) {
    story(async |world| {
        let mut riders = Vec::new();
        for n in 0..11 {
            riders.push(world.rider_of(&format!("U3000{n}"), channel.id).await?);
        }
        for round in 0..6 {
            // Side by side, so that rounds cross.
            let rounds = riders.iter().enumerate().map(async |(n, app)| {
                let (digits, _) = world.code(app).await?;
                let (till, a, b) = (world.till(), format!("A{round}-{n}"), format!("B{round}-{n}"));
                let (first, mut second) = (World::order(&a, &digits, 10), World::order(&b, &digits, 10));
                second["store_id"] = "SZTX002".into();
                let (one, other) = tokio::try_join!(till.call("applypay", &first), till.call("applypay", &second))?;
                one_of_two(&one, &other)
            });
            try_join_all(rounds).await?;
        }
        assert_eq!(world.frame().books().len(), 66);
        Ok(())
    })
    .await;
}

fn one_of_two(one: &Reply, other: &Reply) -> Result<()> {
    let (paid, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
    ensure!(
        (refused.status, refused.code()) == (422, "CODE_USED"),
        "{}",
        refused.body
    );
    Ok(())
}

#[tokio::test]
async fn fifty_refunds_at_once_never_exceed_what_wechat_debited() {
    refunds(&WECHAT, 0x5eed_0001).await;
}

#[tokio::test]
async fn fifty_refunds_at_once_never_exceed_what_alipay_debited() {
    refunds(&ALIPAY, 0x5eed_0002).await;
}

#[tokio::test]
async fn fifty_refunds_at_once_never_exceed_what_unionpay_debited() {
    refunds(&UNIONPAY, 0x5eed_0003).await;
}

const PAID_FEN: u64 = 1_000;

/// INV-11.
async fn refunds(channel: &Words, seed: u64) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        assert_eq!(world.pay(&app, "S1", PAID_FEN).await?.text("pay_status"), "PS_SUCCESS");
        let parts = parts(seed);
        assert!(
            parts.iter().sum::<u64>() > PAID_FEN,
            "seed {seed:x} asks for too little"
        );
        let asked = parts.iter().enumerate().map(async |(n, fen)| {
            let told = world.refund("S1", &format!("R{n}"), *fen).await?;
            Ok::<_, anyhow::Error>((*fen, told))
        });
        let watch = async {
            loop {
                assert!(given_back(&world) <= PAID_FEN, "seed {seed:x}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let told = tokio::select! {
            told = join_all(asked) => told,
            () = watch => unreachable!("it watches for ever"),
        };
        world.rest().await?;
        let (mut taken, mut refused) = (0, Vec::new());
        for reply in told {
            let (fen, reply) = reply?;
            match reply.code() {
                "OK" => taken += fen,
                code => {
                    assert_eq!((reply.status, code), (422, "REFUND_EXCEEDS"), "{}", reply.body);
                    refused.push(fen);
                }
            }
        }
        assert_eq!(given_back(&world), taken, "seed {seed:x}");
        assert!(
            taken <= PAID_FEN && refused.iter().all(|fen| *fen > PAID_FEN - taken),
            "seed {seed:x}: {refused:?}"
        );
        Ok(())
    })
    .await;
}

fn given_back(world: &World) -> u64 {
    let books = world.frame().books();
    let back = books.iter().filter(|movement| movement.kind != Debit);
    back.map(|movement| movement.amount_fen).sum()
}

/// Fifty parts between 1 and 60 fen.
fn parts(seed: u64) -> Vec<u64> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 60 + 1
    };
    (0..50).map(|_| next()).collect()
}

#[tokio::test]
async fn a_reversal_and_two_refunds_at_once_of_wechat_end_one_way_or_the_other() {
    reversal_and_refunds(&WECHAT).await;
}

#[tokio::test]
async fn a_reversal_and_two_refunds_at_once_of_alipay_end_one_way_or_the_other() {
    reversal_and_refunds(&ALIPAY).await;
}

#[tokio::test]
async fn a_reversal_and_two_refunds_at_once_of_unionpay_end_one_way_or_the_other() {
    reversal_and_refunds(&UNIONPAY).await;
}

/// INV-13, FLT-25.
async fn reversal_and_refunds(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        for round in 0..6 {
            let no = format!("S{round}");
            assert_eq!(world.pay(&app, &no, 600).await?.text("pay_status"), "PS_SUCCESS");
            let (one, two) = (format!("R{round}-1"), format!("R{round}-2"));
            // Who comes first changes with the round.
            let late = |n: u64| tokio::time::sleep(Duration::from_millis((round * 7 + n * 3) % 11));
            let (first, undone, second) = tokio::try_join!(
                async {
                    late(1).await;
                    world.refund(&no, &one, 300).await
                },
                async {
                    late(2).await;
                    world.reverse(&no).await
                },
                async {
                    late(3).await;
                    world.refund(&no, &two, 400).await
                },
            )?;
            world.rest().await?;
            let back: Vec<(MovementKind, u64)> = world.moved(&no).await?.into_iter().skip(1).collect();
            let status = world.query(&no).await?.text("pay_status");
            let codes = (first.code(), undone.code(), second.code());
            match status.as_str() {
                "PS_CLOSED" => {
                    assert_eq!(codes, ("ORDER_REVERSED", "OK", "ORDER_REVERSED"));
                    assert_eq!(back.iter().map(|(_, fen)| fen).sum::<u64>(), 600, "{back:?}");
                }
                _ => {
                    let one_refund = [
                        ("OK", "REVERSE_REFUSED", "REFUND_EXCEEDS"),
                        ("REFUND_EXCEEDS", "REVERSE_REFUSED", "OK"),
                    ];
                    assert!(one_refund.contains(&codes), "{codes:?}");
                    assert_eq!(back.len(), 1, "{back:?}");
                }
            }
        }
        Ok(())
    })
    .await;
}
