//! Stopping and coming back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use metropay_simulator::Effect;
use metropay_tests::process::Process;
use metropay_tests::store::Store;

use crate::crowd::{self, Case};
use crate::ground::{CHANNELS, Ground, STOP_MAX};
use crate::{events, till};

/// How long a server may take until it serves again.
const BACK_MAX: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_answers_what_is_in_progress_and_takes_nothing_new() {
    if !Store::asked().is_there().await {
        return;
    }
    let cases = CHANNELS.map(|channel| Case::new(format!("stopped, {channel}"), stopped_in_a_payment(channel)));
    crowd::play(cases.into()).await;
}

async fn stopped_in_a_payment(channel: &'static str) -> Result<()> {
    let ground = Ground::new(channel, &[]).await?;
    let mut server = ground.serve().await?;
    let operation = match channel {
        "wechat" => "pappayapply",
        "alipay" => "alipay.trade.pay",
        _ => "01",
    };
    let slow = ground.fault(operation, Effect::Delay { ms: 2_500 })?;
    let (own, request) = (ground.till.clone(), till::order(&ground.code().await?));
    let asked = tokio::spawn(async move { own.call("applypay", &request).await });
    ground.struck(slow).await?;
    server.terminate().await?;
    let begun = Instant::now();
    nobody_is_let_in(&server).await?;
    let paid = asked.await??;
    ensure!(
        paid.text("pay_status") == "PS_SUCCESS",
        "a payment in progress was answered {}",
        paid.body
    );
    let status = server.ended(STOP_MAX).await?;
    ensure!(status.success(), "the stopped server ended with {status}");
    ensure!(begun.elapsed() < STOP_MAX, "stopping took {:?}", begun.elapsed());
    ensure!(ground.books().len() == 1, "not debited once: {:?}", ground.books());
    let server = ground.serve().await?;
    till::same_again(
        &ground.till,
        "orderquery",
        &till::named(),
        &till::until_known(&ground.till, Duration::from_secs(5)).await?,
    )
    .await?;
    ground.close(server).await
}

/// New connections are refused while requests in progress are let end.
async fn nobody_is_let_in(server: &Process) -> Result<()> {
    let address = server.url().trim_start_matches("http://").to_owned();
    for _ in 0..50 {
        if tokio::net::TcpStream::connect(&address).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("a stopping server still lets new connections in")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_listening_apps_stops_within_its_drain() {
    if !Store::asked().is_there().await {
        return;
    }
    let ground = Ground::new("wechat", &[]).await.expect("the ground");
    let server = ground.serve().await.expect("the server serves");
    let from = events::position(&ground.app).await.expect("a position");
    let _stream = ground.app.events(Some(from)).await.expect("a stream");
    ground.close(server).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_serves_again_within_five_seconds() {
    if !Store::asked().is_there().await {
        return;
    }
    let ground = Ground::new("alipay", &[]).await.expect("the ground");
    for _ in 0..3 {
        let server = ground.serve().await.expect("the server serves");
        assert!(server.ready_after < BACK_MAX, "serving took {:?}", server.ready_after);
        server.kill().await.expect("it is killed");
    }
    let server = ground.serve().await.expect("the server serves");
    assert!(server.ready_after < BACK_MAX, "serving took {:?}", server.ready_after);
    till::pay(&ground.till, &ground.code().await.expect("a code"))
        .await
        .expect("a payment");
    ground.close(server).await.expect("the books are sound");
}
