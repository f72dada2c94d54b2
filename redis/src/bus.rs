//! Words between nodes, by publish and subscribe.
//!
//! All nodes listen to one channel; a message carries all words that were waiting. Each node also tells itself twice a second, on
//! a channel of its own, that it is there: as long as it hears that, words reach it. A connection that hangs says nothing
//! at all, and only silence gives it away.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use metropay_core::id::Uid;
use metropay_core::peers::{Peers, Word};
use redis::aio::PubSub;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::link::Link;
use crate::source::Source;

/// Words that may wait to be told; more are lost.
const WAITING_MAX: usize = 4_096;
/// Words of one message at most.
const MESSAGE_MAX: usize = 512;
/// Messages that a hearer in this process may be behind.
const HEARD_MAX: usize = 4_096;
/// How often a node tells itself that it is there.
const BEAT: Duration = Duration::from_millis(500);
/// How long it may not hear that before it is deaf.
const DEAF_AFTER: Duration = Duration::from_secs(2);
/// How long to rest between two tries to listen.
const REST: Duration = Duration::from_millis(300);

/// The other nodes.
pub struct Bus {
    node: String,
    channel: String,
    own_channel: String,
    waiting: mpsc::Sender<Word>,
    heard: broadcast::Sender<Word>,
    whole: watch::Sender<bool>,
    lost: AtomicBool,
}

/// What a node tells in one message.
#[derive(Serialize, Deserialize)]
struct Message {
    from: String,
    words: Vec<Word>,
}

/// What waits to be told.
pub(crate) type Speaker = mpsc::Receiver<Word>;

impl Bus {
    /// The others, as seen by the node of this name; and what it will tell them.
    pub(crate) fn new(node: &str, prefix: &str) -> (Self, Speaker) {
        let (waiting, speaker) = mpsc::channel(WAITING_MAX);
        let bus = Self {
            node: node.to_owned(),
            channel: format!("{prefix}:{{words}}"),
            own_channel: format!("{prefix}:{{words}}:{node}"),
            waiting,
            heard: broadcast::channel(HEARD_MAX).0,
            whole: watch::channel(false).0,
            lost: AtomicBool::new(false),
        };
        (bus, speaker)
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Tells words in one message; what cannot be told is lost, and that is told later.
    async fn say(&self, link: &Link, words: Vec<Word>) {
        let mut words = gathered(words);
        if self.lost.swap(false, Ordering::Relaxed) {
            words.insert(0, Word::Missed);
        }
        let message = Message {
            from: self.node.clone(),
            words,
        };
        let told = match serde_json::to_string(&message) {
            Ok(text) => publish(link, &self.channel, &text).await,
            Err(error) => {
                tracing::error!(%error, "words that cannot be written: {error}");
                false
            }
        };
        if !told {
            self.lose();
        }
    }

    /// Passes on what another node told.
    fn take(&self, text: &[u8]) {
        match serde_json::from_slice::<Message>(text) {
            Ok(message) if message.from == self.node => {}
            Ok(message) => {
                for word in message.words {
                    // Nobody who hears it is no error.
                    let _ = self.heard.send(word);
                }
            }
            // A newer release may have words that this one does not know.
            Err(error) => tracing::debug!(%error, "words that cannot be read: {error}"),
        }
    }

    fn set_whole(&self, whole: bool, why: &str) {
        let changed = self
            .whole
            .send_if_modified(|now| std::mem::replace(now, whole) != whole);
        if changed && whole {
            tracing::info!("words of other nodes arrive");
        } else if changed {
            tracing::warn!("words of other nodes get lost: {why}; the database is looked at instead");
        }
    }
}

impl Peers for Bus {
    fn tell(&self, word: Word) {
        if self.waiting.try_send(word).is_err() {
            self.lose();
        }
    }

    fn hear(&self) -> broadcast::Receiver<Word> {
        self.heard.subscribe()
    }

    fn whole(&self) -> watch::Receiver<bool> {
        self.whole.subscribe()
    }
}

/// All users to wake in one word, each once; the other words as they come.
fn gathered(words: Vec<Word>) -> Vec<Word> {
    let mut users: HashSet<Uid> = HashSet::new();
    let mut others = Vec::new();
    for word in words {
        match word {
            Word::Wake(uids) => users.extend(uids),
            Word::Directory if others.contains(&Word::Directory) => {}
            other => others.push(other),
        }
    }
    if !users.is_empty() {
        others.push(Word::Wake(users.into_iter().collect()));
    }
    others
}

async fn publish(link: &Link, channel: &str, text: &str) -> bool {
    let mut commands = redis::pipe();
    commands.cmd("PUBLISH").arg(channel).arg(text);
    link.ask::<redis::Value>(&commands).await.is_ok()
}

/// Tells what waits, for ever.
pub(crate) async fn speak(bus: Arc<Bus>, mut waiting: Speaker, link: Arc<Link>) {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut words = Vec::with_capacity(MESSAGE_MAX);
    loop {
        tokio::select! {
            _ = waiting.recv_many(&mut words, MESSAGE_MAX) => {
                bus.say(&link, std::mem::take(&mut words)).await;
            }
            _ = beat.tick() => {
                let told = publish(&link, &bus.own_channel, "").await;
                if told && bus.lost.load(Ordering::Relaxed) {
                    bus.say(&link, Vec::new()).await;
                }
            }
        }
    }
}

/// Hears what others tell, for ever.
pub(crate) async fn listen(bus: Arc<Bus>, source: Arc<Source>) {
    for turn in 0_usize.. {
        let why = match source.listen(&[&bus.channel, &bus.own_channel], turn).await {
            Ok(connection) => hear(&bus, connection).await.to_owned(),
            Err(why) => why.to_string(),
        };
        bus.set_whole(false, &why);
        sleep(REST).await;
    }
}

/// Hears until the connection ends or says nothing any more; answers which.
async fn hear(bus: &Bus, connection: PubSub) -> &'static str {
    let mut messages = connection.into_on_message();
    let mut beat_at = Instant::now();
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else {
                    return "the connection ended";
                };
                if message.get_channel_name() == bus.own_channel {
                    beat_at = Instant::now();
                    bus.set_whole(true, "");
                } else {
                    bus.take(message.get_payload_bytes());
                }
            }
            () = sleep_until(beat_at + DEAF_AFTER) => return "nothing is heard",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(uids: &[&str]) -> Word {
        Word::Wake(uids.iter().map(|uid| Uid::from(*uid)).collect())
    }

    #[test]
    fn a_message_wakes_each_user_once() {
        let words = vec![wake(&["a"]), Word::Directory, wake(&["b", "a"]), Word::Directory];
        let told = gathered(words);
        assert_eq!(told.len(), 2);
        assert_eq!(told.first(), Some(&Word::Directory));
        assert!(matches!(told.last(), Some(Word::Wake(users)) if users.len() == 2));
    }

    #[test]
    fn a_node_hears_the_others_and_not_itself() {
        let (bus, _speaker) = Bus::new("a", "p");
        let mut heard = bus.hear();
        for from in ["a", "b"] {
            let words = vec![wake(&[from])];
            let message = Message {
                from: from.to_owned(),
                words,
            };
            bus.take(&serde_json::to_vec(&message).unwrap());
        }
        bus.take(br#"{"from":"c","words":["a word of the future"]}"#);
        bus.take(b"\xff");
        assert_eq!(heard.try_recv().unwrap(), wake(&["b"]));
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn more_words_than_may_wait_are_lost_and_that_is_remembered() {
        let (bus, _speaker) = Bus::new("a", "p");
        for _ in 0..WAITING_MAX {
            bus.tell(Word::Directory);
        }
        assert!(!bus.lost.load(Ordering::Relaxed));
        bus.tell(Word::Directory);
        assert!(bus.lost.load(Ordering::Relaxed));
    }
}
