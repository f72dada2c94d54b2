//! Several nodes on one database: what one does the others learn, and who lost a lease changes nothing (INV-31).

use std::sync::Arc;
use std::time::Duration;

use metropay_core::audit::verify::verify;
use metropay_core::code::issue;
use metropay_core::engine::Engine;
use metropay_core::event;
use metropay_core::job::Job;
use metropay_core::ledger::seal::seal_under;
use metropay_core::live::Live;
use metropay_core::merchant::Directory;
use metropay_core::merchant::Standing;
use metropay_core::payment::pay::pay;
use metropay_core::peers::{Alone, Peers, Word};
use metropay_core::people::{add_credential, revoke_credential};
use metropay_core::signing::Algorithm;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, timeout};

use crate::act::Order;
use crate::auditor::Auditor;
use crate::ground::{Ground, Node, mch_id, uid};

/// Longer than any lease.
const PAST_THE_LEASE: Duration = Duration::from_secs(31);
/// A change counts everywhere within a second; a little more for a busy machine.
const SOON: Duration = Duration::from_secs(2);

/// A way between nodes that can be cut: each says what the others hear.
struct Wire {
    out: broadcast::Sender<Word>,
    back: broadcast::Sender<Word>,
    whole: watch::Sender<bool>,
}

impl Wire {
    /// Both ends.
    fn pair() -> (Arc<Self>, Arc<Self>) {
        let (one, two) = (broadcast::channel(64).0, broadcast::channel(64).0);
        let end = |out: &broadcast::Sender<Word>, back: &broadcast::Sender<Word>| {
            Arc::new(Self {
                out: out.clone(),
                back: back.clone(),
                whole: watch::channel(true).0,
            })
        };
        (end(&one, &two), end(&two, &one))
    }

    fn cut(&self) {
        self.whole.send_replace(false);
    }
}

impl Peers for Wire {
    fn tell(&self, word: Word) {
        if *self.whole.borrow() {
            let _ = self.out.send(word);
        }
    }

    fn hear(&self) -> broadcast::Receiver<Word> {
        self.back.subscribe()
    }

    fn whole(&self) -> watch::Receiver<bool> {
        self.whole.subscribe()
    }
}

impl Node {
    /// Heeds what others say from now on.
    fn attend(&self) -> tokio::task::JoinSet<()> {
        let mut attending = tokio::task::JoinSet::new();
        let (live, db) = (Arc::clone(&self.live), self.engine.db.clone());
        attending.spawn(async move { live.attend(&db).await });
        let directory = Arc::clone(&self.directory);
        attending.spawn(async move { directory.attend().await });
        attending
    }
}

async fn paid(engine: &Arc<Engine>, no: u8) {
    let issued = issue::issue(engine, &uid(0), None, None).await.expect("a code");
    let ask = Auditor::new().ask(Order { merchant: 0, no }, &issued.digits, 100);
    pay(engine, &mch_id(0), ask).await.expect("the gateway pays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_sleeps_past_its_lease_seals_nothing_any_more() {
    let ground = Ground::new(Vec::new()).await;
    let other = ground.beside("other", Arc::new(Alone::default())).await.engine;
    let job = Job::SealLedger;
    let stale = job.lease(&ground.engine).await.unwrap().expect("the lease is free");
    paid(&ground.engine, 0).await;
    assert_eq!(job.lease(&other).await.unwrap(), None, "one node at a time");

    ground.advance(PAST_THE_LEASE);
    let fresh = job.lease(&other).await.unwrap().expect("the lease has passed");
    assert!(fresh > stale);
    assert_eq!(seal_under(&ground.engine, job.name(), stale).await.unwrap(), 0);
    assert!(
        job.work(&other, fresh).await.unwrap() > 0,
        "the entries were still there to seal"
    );
    assert_eq!(job.lease(&ground.engine).await.unwrap(), None);
    assert_eq!(job.turn(&ground.engine).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_holder_of_any_job_changes_nothing_that_has_ended() {
    let ground = Ground::new(Vec::new()).await;
    let other = ground.beside("other", Arc::new(Alone::default())).await.engine;
    paid(&ground.engine, 0).await;
    for job in Job::ALL {
        let stale = job.lease(&ground.engine).await.unwrap().expect("the lease is free");
        ground.advance(PAST_THE_LEASE);
        let fresh = job.lease(&other).await.unwrap().expect("the lease has passed");
        let (one, two) = tokio::join!(job.work(&ground.engine, stale), job.work(&other, fresh));
        one.and(two).expect("two at once harm nobody");
    }
    let orders = ground.gateway.orders();
    assert_eq!(orders.len(), 1, "one deduction, as before");
    for finding in verify(&ground.engine.db, &*ground.engine.rules).await.unwrap() {
        assert!(
            finding.breaches.is_empty(),
            "{:?}: {:?}",
            finding.invariant,
            finding.breaches
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_on_one_node_is_refused_on_the_other_within_a_second() {
    let ground = Ground::new(Vec::new()).await;
    let silent = Arc::new(Alone::default());
    let (here, there) = Wire::pair();
    // One node hears the other, one sees only the database.
    let one = ground.beside("one", here).await;
    let two = ground.beside("two", there).await;
    let three = ground.beside("three", silent).await;
    let _attending = [two.attend(), three.attend()];
    let made = add_credential(&one.engine, &mch_id(0), Algorithm::HmacSha256)
        .await
        .unwrap();
    let standing = async |node: &Node| {
        let found = node.directory.credential(&made.serial).await.unwrap();
        found.map(|credential| credential.status)
    };
    for node in [&two, &three] {
        until(async || standing(node).await == Some(Standing::Active)).await;
    }
    // Longer than an entry is used that nobody attends to: it is kept, and known to be true.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    revoke_credential(&one.engine, &made.serial).await.unwrap();
    for node in [&two, &three] {
        until(async || standing(node).await == Some(Standing::Disabled)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_woken_on_the_other_node_by_a_word_and_without_words_by_the_events() {
    let ground = Ground::new(Vec::new()).await;
    let (here, there) = Wire::pair();
    let one = ground.beside("one", here.clone()).await;
    let two = ground.beside("two", there.clone()).await;
    let _attending = two.attend();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let mut wakes = two.live.listen(&uid(0));
    paid(&one.engine, 0).await;
    timeout(Duration::from_millis(500), wakes.recv())
        .await
        .expect("a word wakes at once")
        .unwrap();

    here.cut();
    there.cut();
    let mut wakes = two.live.listen(&uid(0));
    let mut others = two.live.listen(&uid(1));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    while wakes.try_recv().is_ok() {}
    let before = event::last_seq(&one.engine, &uid(0)).await.unwrap();
    paid(&one.engine, 1).await;
    assert!(event::last_seq(&one.engine, &uid(0)).await.unwrap() > before);
    timeout(SOON, wakes.recv())
        .await
        .expect("the events are followed")
        .unwrap();
    assert!(others.try_recv().is_err(), "who has no news is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_is_woken_over_a_while_when_another_node_says_that_words_were_lost() {
    let ground = Ground::new(Vec::new()).await;
    let (here, there) = Wire::pair();
    let two = ground.beside("two", there).await;
    let _attending = two.attend();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut all: Vec<_> = (0..500)
        .map(|n| two.live.listen(&format!("u{n}").as_str().into()))
        .collect();
    here.tell(Word::Missed);
    let begun = Instant::now();
    let mut times = Vec::new();
    for listener in &mut all {
        timeout(Duration::from_secs(5), listener.recv())
            .await
            .expect("woken")
            .unwrap();
        times.push(begun.elapsed());
    }
    let last = times.iter().max().unwrap();
    assert!(*last > Duration::from_millis(500), "not all at once: {last:?}");
}

/// Waits until it is so, no longer than a change may take.
async fn until(mut is: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !is().await {
        assert!(Instant::now() < end, "it is not so after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
