//! Words cross from node to node, get lost with Redis, and come again with it.

use std::time::{Duration, Instant};

use metropay_core::peers::{Peers, Word};
use metropay_redis::RedisConfig;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::server::{NOTICED, ground, node, reached, redis};

fn wake(uid: &str) -> Word {
    Word::Wake(vec![uid.into()])
}

async fn hears(heard: &mut Receiver<Word>, word: &Word) {
    let heard = async { while heard.recv().await.expect("the node lives") != *word {} };
    timeout(NOTICED, heard).await.expect("the word arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_reaches_the_other_node_at_once_and_not_the_one_that_said_it() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let config = RedisConfig::single(&server.url());
    let (one, two) = (
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    );
    let (mut at_one, mut at_two) = (one.peers.hear(), two.peers.hear());
    let begun = Instant::now();
    for round in 0..100 {
        let word = wake(&format!("u{round}"));
        one.peers.tell(word.clone());
        hears(&mut at_two, &word).await;
    }
    let mean = begun.elapsed() / 100;
    assert!(mean < Duration::from_millis(20), "{mean:?}");
    assert!(at_one.try_recv().is_err());
    // Nothing stays behind in Redis, and another platform with another prefix hears nothing.
    assert_eq!(server.say(&["DBSIZE"]), Some(redis::Value::Int(0)));
    let mut elsewhere = config.clone();
    elsewhere.prefix = "elsewhere".to_owned();
    let three = node("three", &elsewhere, &ground.db).await;
    let mut at_three = three.peers.hear();
    one.peers.tell(wake("anna"));
    hears(&mut at_two, &wake("anna")).await;
    assert!(at_three.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn words_go_on_after_a_flush_and_after_a_restart() {
    let Some(mut server) = redis(&[]) else { return };
    let ground = ground().await;
    let config = RedisConfig::single(&server.url());
    let (one, two) = (
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    );
    let mut heard = two.peers.hear();
    server.say(&["FLUSHALL"]).unwrap();
    one.peers.tell(wake("anna"));
    hears(&mut heard, &wake("anna")).await;

    server.stop();
    reached(&one, false).await;
    reached(&two, false).await;
    for _ in 0..10_000 {
        let begun = Instant::now();
        one.peers.tell(wake("lost"));
        assert!(begun.elapsed() < Duration::from_millis(50), "telling never waits");
    }
    server.start();
    reached(&one, true).await;
    reached(&two, true).await;
    one.peers.tell(wake("bert"));
    hears(&mut heard, &wake("bert")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_could_not_tell_something_says_so_when_it_can() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let config = RedisConfig::single(&server.url());
    let (one, two) = (
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    );
    let mut heard = two.peers.hear();
    server.signal("STOP");
    one.peers.tell(wake("anna"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("CONT");
    // Too short for the other to notice: it would wait for news that it was not told of.
    hears(&mut heard, &Word::Missed).await;
    assert!(*two.peers.whole().borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_is_noticed_and_one_that_goes_on_is_too() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let config = RedisConfig::single(&server.url());
    let (one, two) = (
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    );
    let mut heard = two.peers.hear();
    server.signal("STOP");
    let begun = Instant::now();
    reached(&one, false).await;
    reached(&two, false).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.signal("CONT");
    reached(&one, true).await;
    reached(&two, true).await;
    one.peers.tell(wake("anna"));
    hears(&mut heard, &wake("anna")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_redis_and_finds_it_later() {
    let Some(mut server) = redis(&[]) else { return };
    let ground = ground().await;
    let config = RedisConfig::single(&server.url());
    server.stop();
    let one = metropay_redis::Redis::start(&config, "one", ground.db.clone()).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!*one.peers.whole().borrow());
    server.start();
    reached(&one, true).await;
}
