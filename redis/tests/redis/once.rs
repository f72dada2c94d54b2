//! What was used once counts once, whatever Redis forgets, as far as it must.

use std::time::{Duration, Instant};

use metropay_core::clock::Time;
use metropay_core::once::{Memory, Once};
use metropay_redis::{Redis, RedisConfig};

use crate::server::{IN_TIME, Server, ground, node, reached, redis, until};

const NOW: Time = Time(1_785_542_400_000);

async fn uses(redis: &Redis, memory: Memory, value: &str) -> bool {
    let begun = Instant::now();
    let until = NOW.plus(Duration::from_secs(660));
    let first = redis.once.use_once(memory, "K1", value, NOW, until).await.unwrap();
    assert!(begun.elapsed() < IN_TIME, "{value}: {:?}", begun.elapsed());
    first
}

async fn keeps(redis: &Redis, value: &str) {
    let until = NOW.plus(Duration::from_secs(660));
    redis.once.keep("K1", value, until).await.unwrap();
}

fn size(server: &Server) -> i64 {
    match server.say(&["DBSIZE"]) {
        Some(redis::Value::Int(size)) => size,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_uses_on_two_nodes_one_is_the_first() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let config = RedisConfig::single(&server.url());
    let nodes = [
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    ];
    for memory in [Memory::MayBeLost, Memory::Lasting] {
        let value = format!("{memory:?}");
        let uses = (0..40).map(|nth| uses(&nodes[nth % 2], memory, &value));
        let firsts = futures::future::join_all(uses).await;
        assert_eq!(firsts.iter().filter(|first| **first).count(), 1, "{memory:?}");
    }
    // What lasts is in the database alone; what may be lost is one value, and the key that says since when.
    assert_eq!(size(&server), 2);
    let scopes = [("a:b", "c"), ("a", "b:c")];
    for (scope, value) in scopes {
        let until = NOW.plus(Duration::from_secs(660));
        let once = &nodes[0].once;
        assert!(
            once.use_once(Memory::MayBeLost, scope, value, NOW, until)
                .await
                .unwrap()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_forgotten_when_its_time_is_over() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let one = node("one", &RedisConfig::single(&server.url()), &ground.db).await;
    let until = NOW.plus(Duration::from_millis(300));
    let once = &one.once;
    assert!(once.use_once(Memory::MayBeLost, "K1", "a", NOW, until).await.unwrap());
    assert!(!once.use_once(Memory::MayBeLost, "K1", "a", NOW, until).await.unwrap());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(once.use_once(Memory::MayBeLost, "K1", "a", NOW, until).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_flush_what_was_kept_is_known_and_only_what_may_be_lost_was_lost() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let one = node("one", &RedisConfig::single(&server.url()), &ground.db).await;
    for value in ["answered", "refused"] {
        assert!(uses(&one, Memory::MayBeLost, value).await);
    }
    assert!(uses(&one, Memory::Lasting, "refund").await);
    keeps(&one, "refused").await;
    server.say(&["FLUSHALL"]).unwrap();
    assert!(!uses(&one, Memory::Lasting, "refund").await);
    assert!(!uses(&one, Memory::MayBeLost, "refused").await, "refused again");
    assert!(uses(&one, Memory::MayBeLost, "answered").await, "its number answers it");
    assert!(!uses(&one, Memory::MayBeLost, "answered").await, "once for each loss");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_database_knows_and_redis_is_not_believed_at_once_when_it_is_back() {
    let Some(mut server) = redis(&[]) else { return };
    let ground = ground().await;
    let one = node("one", &RedisConfig::single(&server.url()), &ground.db).await;
    assert!(uses(&one, Memory::MayBeLost, "before").await);
    server.stop();
    reached(&one, false).await;
    assert!(uses(&one, Memory::MayBeLost, "meanwhile").await);
    assert!(!uses(&one, Memory::MayBeLost, "meanwhile").await);
    server.start();
    reached(&one, true).await;
    assert!(!uses(&one, Memory::MayBeLost, "meanwhile").await);
    assert!(uses(&one, Memory::MayBeLost, "after").await);
    assert!(!uses(&one, Memory::MayBeLost, "after").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_costs_the_budget_at_most_and_soon_nothing() {
    let Some(server) = redis(&[]) else { return };
    let ground = ground().await;
    let one = node("one", &RedisConfig::single(&server.url()), &ground.db).await;
    assert!(uses(&one, Memory::MayBeLost, "warm").await);
    server.signal("STOP");
    // Each of these keeps its time; whoever comes while it hangs first waits for the budget.
    for nth in 0..20 {
        assert!(uses(&one, Memory::MayBeLost, &format!("hung-{nth}")).await);
    }
    assert!(!one.link.is_up(), "it is left alone");
    let mut quick: Vec<Duration> = Vec::new();
    for nth in 0..20 {
        let begun = Instant::now();
        assert!(uses(&one, Memory::MayBeLost, &format!("alone-{nth}")).await);
        quick.push(begun.elapsed());
    }
    quick.sort();
    assert!(
        quick[10] < Duration::from_millis(40),
        "it costs nothing any more: {quick:?}"
    );
    server.signal("CONT");
    until("it is found again", || one.link.is_up()).await;
    for nth in 0..20 {
        assert!(!uses(&one, Memory::MayBeLost, &format!("alone-{nth}")).await);
    }
}
