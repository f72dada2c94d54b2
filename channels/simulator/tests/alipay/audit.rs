//! Many payments, refunds and cancels in no order: what everybody has must always add up (alipay reference, 11.3).

use std::collections::BTreeMap;

use metropay_simulator::MovementKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::shop::{PAY, QUERY, REFUND, Shop, code_order};

const RIDER: &str = "2088000000000123";
const BALANCE_FEN: u64 = 100_000;
const PACKET_FEN: u64 = 700;

/// One step, chosen by chance; refusals are as good as successes here.
async fn step(shop: &Shop, chance: &mut StdRng, orders: &mut Vec<String>) {
    let known = |chance: &mut StdRng, orders: &[String]| {
        let place = chance.gen_range(0..orders.len().max(1));
        orders.get(place).cloned().unwrap_or_else(|| "P0".to_owned())
    };
    match chance.gen_range(0..10) {
        0..4 => {
            let number = format!("P{}", orders.len());
            let needs_password = if chance.gen_bool(0.3) { "1" } else { "0" };
            let code = shop.code(RIDER, needs_password).await;
            let fen = chance.gen_range(1..900);
            let yuan = format!("{}.{:02}", fen / 100, fen % 100);
            shop.call(PAY, code_order(&number, &code, &yuan)).await;
            if chance.gen_bool(0.7) {
                shop.password(&code, if chance.gen_bool(0.8) { "1" } else { "0" }).await;
            }
            orders.push(number);
        }
        4..8 => {
            let fen = chance.gen_range(1..400);
            let refund = json!({"out_trade_no": known(chance, orders), "refund_amount": format!("{}.{:02}", fen / 100, fen % 100),
                "out_request_no": format!("R{}", chance.gen_range(0..5))});
            shop.call(REFUND, refund).await;
        }
        8 => {
            let number = known(chance, orders);
            shop.cancel(&number).await;
        }
        _ => shop.advance(30),
    }
}

#[tokio::test]
async fn whatever_happens_no_fen_is_made_or_lost() {
    for seed in 0..3 {
        let mut chance = StdRng::seed_from_u64(seed);
        let shop = Shop::open(json!({"coupon_fen": 50, "merchant_coupon_fen": 20})).await;
        shop.give(RIDER, "balance_fen", &BALANCE_FEN.to_string()).await;
        shop.give(RIDER, "packet_fen", &PACKET_FEN.to_string()).await;
        let mut orders = Vec::new();
        for _ in 0..120 {
            step(&shop, &mut chance, &mut orders).await;
        }
        adds_up(&shop, seed).await;
    }
}

async fn adds_up(shop: &Shop, seed: u64) {
    let mut paid: BTreeMap<String, u64> = BTreeMap::new();
    let mut returned: BTreeMap<String, u64> = BTreeMap::new();
    let (mut debits, mut numbers) = (0, Vec::new());
    for movement in shop.sim.frame().books() {
        assert!(movement.amount_fen > 0);
        numbers.push((
            movement.payment_no.clone(),
            movement.order_no.clone(),
            movement.kind == MovementKind::Debit,
        ));
        let side = if movement.kind == MovementKind::Debit {
            &mut paid
        } else {
            &mut returned
        };
        debits += u32::from(movement.kind == MovementKind::Debit);
        *side.entry(movement.payment_no).or_default() += movement.amount_fen;
    }
    assert!(debits > 10 && returned.len() > 5, "seed {seed} did too little");
    let all = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "one movement for one number");

    let fen = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
    let (mut own_fen, mut packet_fen) = (0, 0);
    for (number, paid_fen) in &paid {
        let back_fen = returned.get(number).copied().unwrap_or(0);
        assert!(back_fen <= *paid_fen, "{number} of seed {seed}");
        let ask = json!({"out_trade_no": number, "query_options": ["fund_bill_list"]});
        let found = shop.call(QUERY, ask).await;
        assert_eq!(found.text("trade_status") == "TRADE_CLOSED", back_fen == *paid_fen);
        let lines = found.node["fund_bill_list"].as_array().unwrap();
        assert_eq!(lines.iter().map(|line| fen(&line["amount"])).sum::<u64>(), *paid_fen);
        let of = |channel: &str| {
            let line = lines.iter().find(|line| line["fund_channel"] == channel);
            line.map_or(0, |line| fen(&line["amount"]))
        };
        // Own money goes back first, then the red packet.
        let (own, packet) = (of("ALIPAYACCOUNT"), of("COUPON"));
        own_fen += own - own.min(back_fen);
        packet_fen += packet - packet.min(back_fen.saturating_sub(own));
    }
    let wallet = shop.phone("wallet", &[("user", RIDER)]).await.text().await.unwrap();
    let wallet: Value = serde_json::from_str(&wallet).unwrap();
    assert_eq!(wallet["balance_fen"], BALANCE_FEN - own_fen, "seed {seed}");
    assert_eq!(wallet["packet_fen"], PACKET_FEN - packet_fen, "seed {seed}");
}
