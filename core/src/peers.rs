//! The contract of words between nodes: small, quick, and they may be lost.
//!
//! Nodes are equal and share nothing but the database. Words only make them quicker than looking there would: whoever hears
//! one looks, whoever misses one looks later.
//!
//! 1. [`Peers::tell`] MUST NOT wait and MUST NOT fail: with nobody to tell, or no way to tell, the word is lost.
//! 2. A node MUST NOT hear its own words: it has acted on them already.
//! 3. [`Peers::whole`] MUST be false as soon as it is noticed that words to this node get lost, within a few seconds.
//! 4. After words may have been lost for a reason that is over, every node that may have missed one MUST hear
//!    [`Word::Missed`], or MUST have seen [`Peers::whole`] false in the meantime.

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::id::{MchId, Serial, StoreId, Uid};

/// What nodes tell each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// There is news for these users.
    Wake(Vec<Uid>),
    /// Merchants, stores, keys or channel accounts were changed.
    Directory,
    /// A code that a merchant's till scanned turned out invalid.
    InvalidCode(MchId, ScanPlace),
    /// Words may have been lost before this one.
    Missed,
}

/// Where a code was scanned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanPlace {
    /// At a store that the request names.
    Store(MchId, StoreId),
    /// Where no store is named: wherever this key is used.
    Key(Serial),
}

/// The other nodes.
pub trait Peers: Send + Sync + 'static {
    /// Tells every other node. Never waits; may be lost.
    fn tell(&self, word: Word);

    /// What the others tell from now on. A receiver that lags has missed words.
    fn hear(&self) -> broadcast::Receiver<Word>;

    /// Whether words reach this node at present, as far as it can know.
    fn whole(&self) -> watch::Receiver<bool>;
}

/// A node without others.
#[derive(Debug)]
pub struct Alone {
    nothing: broadcast::Sender<Word>,
    whole: watch::Sender<bool>,
}

impl Default for Alone {
    fn default() -> Self {
        Self {
            nothing: broadcast::channel(1).0,
            whole: watch::channel(true).0,
        }
    }
}

impl Peers for Alone {
    fn tell(&self, _: Word) {}

    fn hear(&self) -> broadcast::Receiver<Word> {
        self.nothing.subscribe()
    }

    fn whole(&self) -> watch::Receiver<bool> {
        self.whole.subscribe()
    }
}
