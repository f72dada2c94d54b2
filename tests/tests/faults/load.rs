//! Tills that pay without a break, as people write them who read the guide: a request without an answer is sent again, with
//! the same number, until it has one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures::future::join_all;
use metropay_tests::{App, Phone, Till, World};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::ground::{CHANNELS, Ground};

/// Our number of an order, and how it ended.
pub(crate) type Orders = BTreeMap<String, String>;

/// Between two sendings of a request that has no answer.
const AGAIN: Duration = Duration::from_millis(300);
/// How long one order may take to its end.
const END_MAX: Duration = Duration::from_secs(150);
/// How long it may take after everything was mended.
const MENDED_MAX: Duration = Duration::from_secs(90);
/// The price of everything.
pub(crate) const PRICE: u64 = 100;

/// A load that goes on until it is ended.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    tills: Vec<JoinHandle<Result<Orders>>>,
}

impl Load {
    /// A till for each rider with a mandate, and one for each channel's own payment codes.
    pub(crate) fn begin(ground: &Ground) -> Self {
        Self::named(ground, "L")
    }

    /// The same under numbers that begin so: for a ground that bears several loads.
    pub(crate) fn named(ground: &Ground, name: &'static str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut tills = Vec::new();
        for (at, rider) in ground.riders.iter().enumerate() {
            let (till, rider, over) = (ground.till.clone(), rider.clone(), Arc::clone(&over));
            tills.push(tokio::spawn(async move {
                let mut orders = Orders::new();
                while !over.load(Ordering::Relaxed) {
                    if let Some(code) = code_of(&rider).await? {
                        let no = format!("SZTX001-{name}{at}-{}", orders.len());
                        pay(&till, &no, &World::order(&no, &code, PRICE), &mut orders).await?;
                    }
                }
                Ok(orders)
            }));
        }
        for channel in CHANNELS {
            let (till, over, url) = (ground.till.clone(), Arc::clone(&over), ground.gateways_url());
            tills.push(tokio::spawn(async move {
                let mut orders = Orders::new();
                while !over.load(Ordering::Relaxed) {
                    let code = Phone::new("shopper").show_code(&url, channel, false).await?;
                    let no = format!("SZTX001-{name}{channel}-{}", orders.len());
                    pay(&till, &no, &World::order(&no, &code, PRICE), &mut orders).await?;
                    sleep(Duration::from_millis(50)).await;
                }
                Ok(orders)
            }));
        }
        Self { over, tills }
    }

    /// Ends it; every till finishes what it is at. Answers all orders.
    pub(crate) async fn end(self) -> Result<Orders> {
        self.end_of(30).await
    }

    /// The same of a load that was to have so many orders.
    pub(crate) async fn end_of(self, least: usize) -> Result<Orders> {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Orders::new();
        for till in self.tills {
            all.extend(till.await??);
        }
        ensure!(all.len() >= least, "only {} orders: that is no load", all.len());
        println!("{} orders under load", all.len());
        Ok(all)
    }
}

/// A fresh code of a rider; nothing where the App must wait, because of its pace or because nobody answers.
pub(crate) async fn code_of(rider: &App) -> Result<Option<String>> {
    match rider.post("codes", &json!({})).await {
        Ok(issued) if issued.status == 200 => Ok(Some(issued.text("digits"))),
        Ok(other) if other.status == 429 || other.status >= 500 => {
            sleep(Duration::from_secs(1)).await;
            Ok(None)
        }
        Ok(other) => bail!("no code: {}", other.body),
        Err(_) => {
            sleep(AGAIN).await;
            Ok(None)
        }
    }
}

/// Pays, and asks until the end is known.
pub(crate) async fn pay(till: &Till, no: &str, order: &Value, orders: &mut Orders) -> Result<()> {
    let begun = Instant::now();
    let mut request = ("applypay", order.clone());
    loop {
        ensure!(begun.elapsed() < END_MAX, "{no} has no end");
        match till.call(request.0, &request.1).await {
            Ok(told) if told.status == 200 => {
                if told.text("pay_status") != "PS_PAYING" {
                    orders.insert(told.text("pay_out_trade_no"), told.text("pay_status"));
                    return Ok(());
                }
                request = ("orderquery", json!({ "out_request_no": no }));
            }
            // Not taken in: nothing stands under this number.
            Ok(told) if ["CODE_INVALID", "CODE_USED"].contains(&told.code()) => {
                return not_there(till, no).await;
            }
            Ok(told) if told.status >= 500 || told.status == 429 => {}
            Ok(told) => bail!("{no} is refused: {}", told.body),
            // No answer proves nothing: the same again.
            Err(_) => {}
        }
        sleep(AGAIN).await;
    }
}

/// How the order of this number of ours ends, when everything was mended.
pub(crate) async fn end_of(till: &Till, no: &str) -> Result<String> {
    let deadline = Instant::now() + MENDED_MAX;
    loop {
        let asked = till.call("orderquery", &json!({ "pay_out_trade_no": no })).await?;
        let status = asked.text("pay_status");
        if asked.status == 200 && status != "PS_PAYING" {
            return Ok(status);
        }
        ensure!(Instant::now() < deadline, "INV-15: {no} has no end: {}", asked.body);
        sleep(AGAIN).await;
    }
}

/// A code that ran out before its request arrived leaves no order.
async fn not_there(till: &Till, no: &str) -> Result<()> {
    for _ in 0..100 {
        if let Ok(told) = till.call("orderquery", &json!({ "out_request_no": no })).await
            && told.status < 500
        {
            ensure!(
                told.code() == "ORDER_NOT_FOUND",
                "{no} was refused and stands: {}",
                told.body
            );
            return Ok(());
        }
        sleep(AGAIN).await;
    }
    bail!("nobody answers about {no}")
}

/// The same request many times at once, over both nodes.
pub(crate) async fn identical(ground: &Ground, times: usize) -> Result<Orders> {
    let mut code = None;
    while code.is_none() {
        code = code_of(&ground.riders[0]).await?;
    }
    let request: Value = World::order("SZTX001-SAME", &code.unwrap_or_default(), PRICE);
    let calls = (0..times).map(|_| async {
        // Connections of their own, so that the proxy spreads them.
        let till = ground.new_till()?;
        let mut orders = Orders::new();
        let told = till.call("applypay", &request).await?;
        ensure!(told.status == 200, "one of the same is refused: {}", told.body);
        let status = told.text("pay_status");
        ensure!(["PS_SUCCESS", "PS_PAYING"].contains(&status.as_str()), "{}", told.body);
        orders.insert(told.text("pay_out_trade_no"), "PS_SUCCESS".to_owned());
        anyhow::Ok(orders)
    });
    let mut all = Orders::new();
    for orders in join_all(calls).await {
        all.extend(orders?);
    }
    Ok(all)
}
