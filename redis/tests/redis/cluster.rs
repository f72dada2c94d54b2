//! The same over Sentinel and over a cluster.

use std::time::{Duration, Instant};

use metropay_core::clock::Time;
use metropay_core::once::{Memory, Once};
use metropay_core::peers::{Peers, Word};
use metropay_redis::{Mode, Redis, RedisConfig};
use tokio::time::{sleep, timeout};

use crate::server::{IN_TIME, NOTICED, Server, ground, node, redis, until};

const NOW: Time = Time(1_785_542_400_000);

async fn crosses(one: &Redis, two: &Redis) {
    let mut heard = two.peers.hear();
    let word = Word::Wake(vec!["anna".into()]);
    let hearing = async { while heard.recv().await.expect("the node lives") != word {} };
    // A word may be lost while connections find each other; what is told again arrives.
    let telling = async {
        loop {
            one.peers.tell(word.clone());
            sleep(Duration::from_millis(200)).await;
        }
    };
    let arrived = async {
        tokio::select! {
            () = hearing => (),
            () = telling => (),
        }
    };
    timeout(NOTICED, arrived).await.expect("the word arrives");
}

async fn counts_once(one: &Redis, two: &Redis, value: &str) {
    let until = NOW.plus(Duration::from_secs(660));
    let uses = [one, two].map(|node| node.once.use_once(Memory::MayBeLost, "K1", value, NOW, until));
    let firsts = futures::future::try_join_all(uses).await.unwrap();
    assert_eq!(firsts.iter().filter(|first| **first).count(), 1, "{value}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_three_serves_and_goes_on_without_one_of_them() {
    let more = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "1000",
        "--cluster-require-full-coverage",
        "no",
    ];
    let Some(first) = redis(&more) else { return };
    let mut servers = vec![first];
    servers.extend((0..2).filter_map(|_| redis(&more)));
    form(&servers).await;
    let ground = ground().await;
    let config = RedisConfig {
        mode: Mode::Cluster,
        urls: servers.iter().map(Server::url).collect(),
        ..RedisConfig::single("")
    };
    let (one, two) = (
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    );
    crosses(&one, &two).await;
    for nth in 0..20 {
        counts_once(&one, &two, &format!("v{nth}")).await;
    }
    servers.remove(0).stop();
    until("words arrive again", || {
        *one.peers.whole().borrow() && *two.peers.whole().borrow()
    })
    .await;
    crosses(&one, &two).await;
    // Whoever holds the slot of these keys may be the one that is gone: then the database remembers.
    for nth in 0..20 {
        let until = NOW.plus(Duration::from_secs(660));
        let value = format!("w{nth}");
        let begun = Instant::now();
        let first = one
            .once
            .use_once(Memory::MayBeLost, "K1", &value, NOW, until)
            .await
            .unwrap();
        let second = one
            .once
            .use_once(Memory::MayBeLost, "K1", &value, NOW, until)
            .await
            .unwrap();
        assert!(first && !second, "{value}");
        assert!(begun.elapsed() < 2 * IN_TIME, "{value}: {:?}", begun.elapsed());
    }
}

/// Makes a cluster of these, each with a third of the slots.
async fn form(servers: &[Server]) {
    let ranges = ["0 5460", "5461 10922", "10923 16383"];
    for (server, range) in servers.iter().zip(ranges) {
        let (from, to) = range.split_once(' ').unwrap();
        server.say(&["CLUSTER", "ADDSLOTSRANGE", from, to]).unwrap();
        let port = server.port().to_string();
        servers[0].say(&["CLUSTER", "MEET", "127.0.0.1", &port]).unwrap();
    }
    let formed = |server: &Server| {
        let told = server
            .say(&["CLUSTER", "INFO"])
            .and_then(|told| redis::from_redis_value::<String>(told).ok());
        told.is_some_and(|told| told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:3"))
    };
    until("the cluster stands", || servers.iter().all(formed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinel_leads_to_the_new_master_when_the_old_one_dies() {
    let Some(mut master) = redis(&[]) else { return };
    let follow = ["--replicaof", "127.0.0.1", &master.port().to_string()];
    let replica = redis(&follow).expect("there is redis-server");
    let config_file = tempfile::tempdir().unwrap();
    let sentinel = sentinel(&master, config_file.path());
    until("the sentinel knows the replica", || {
        let told = sentinel.say(&["SENTINEL", "REPLICAS", "mymaster"]);
        matches!(told, Some(redis::Value::Array(replicas)) if !replicas.is_empty())
    })
    .await;
    let ground = ground().await;
    let config = RedisConfig {
        mode: Mode::Sentinel,
        master: Some("mymaster".to_owned()),
        ..RedisConfig::single(&sentinel.url())
    };
    let (one, two) = (
        node("one", &config, &ground.db).await,
        node("two", &config, &ground.db).await,
    );
    crosses(&one, &two).await;
    counts_once(&one, &two, "before").await;
    master.stop();
    counts_once(&one, &two, "meanwhile").await;
    let end = Instant::now() + Duration::from_secs(30);
    while !(*one.peers.whole().borrow() && *two.peers.whole().borrow() && one.link.is_up())
        || replica_is_not_master(&replica)
    {
        assert!(Instant::now() < end, "the new master is found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    crosses(&one, &two).await;
    counts_once(&one, &two, "after").await;
}

fn replica_is_not_master(replica: &Server) -> bool {
    !format!("{:?}", replica.say(&["ROLE"])).contains("master")
}

/// A sentinel that watches this master alone, and is quick to judge.
fn sentinel(master: &Server, folder: &std::path::Path) -> Server {
    let file = folder.join("sentinel.conf");
    let port = master.port();
    let text = format!(
        "sentinel monitor mymaster 127.0.0.1 {port} 1\nsentinel down-after-milliseconds mymaster 1000\n\
         sentinel failover-timeout mymaster 3000\n"
    );
    std::fs::write(&file, text).unwrap();
    crate::server::sentinel(&file)
}
