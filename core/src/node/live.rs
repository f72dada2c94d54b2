//! Wake-ups over all nodes. Who listens here is woken directly; the other nodes are told. While words get lost, the events
//! that come to the database are followed instead: one question for all who listen here, not one for each.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::id::Uid;
use crate::live::{InProcessLive, Live};
use crate::peers::{Peers, Word};
use crate::store::{self, Db};

/// How often the events are followed while words get lost.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// How often it is noted how far the events are, while words arrive: where following would begin.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// Events of one look at most.
const LOOK_MAX: u64 = 1_000;
/// An event may be seen only after ones with higher positions: transactions end in any order. So many looks back are looked
/// at again.
const LOOKS_BACK: usize = 6;
/// So many notes back it is begun: it takes a moment until it is noticed that words get lost.
const NOTES_BACK: usize = 2;
/// Over how long waking everyone is spread: each reads the database.
const WAKE_ALL_OVER: Duration = Duration::from_secs(2);

/// Wake-ups within this process, told to the others.
pub struct SharedLive {
    here: InProcessLive,
    peers: Arc<dyn Peers>,
}

impl SharedLive {
    /// Wake-ups that these others are told of.
    pub fn new(peers: Arc<dyn Peers>) -> Self {
        Self {
            here: InProcessLive::default(),
            peers,
        }
    }

    /// Wakes whom the others say, for ever. Must run once in a process.
    pub async fn attend(&self, db: &Db) {
        let mut words = self.peers.hear();
        let mut whole = self.peers.whole();
        let mut waking: Option<(usize, Instant)> = None;
        let mut trail = Trail::default();
        let mut follow = interval(FOLLOW_EVERY);
        let mut note = interval(NOTE_EVERY);
        follow.set_missed_tick_behavior(MissedTickBehavior::Delay);
        note.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next_part = waking.map(|(_, at)| at);
            tokio::select! {
                word = words.recv() => match word {
                    Ok(Word::Wake(uids)) => uids.iter().for_each(|uid| self.here.wake(uid)),
                    Ok(Word::Missed) | Err(RecvError::Lagged(_)) => waking = Some((0, Instant::now())),
                    Ok(Word::Directory | Word::InvalidCode(..)) => {}
                    Err(RecvError::Closed) => return,
                },
                () = sleep_until(next_part.unwrap_or_else(Instant::now)), if next_part.is_some() => {
                    waking = waking.and_then(|(part, at)| self.wake_part(part, at));
                }
                changed = whole.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if !*whole.borrow_and_update() {
                        trail.lost = true;
                    }
                }
                _ = follow.tick(), if trail.lost => {
                    // Once more after words arrive again: some were lost until then.
                    let last = *whole.borrow();
                    match self.follow(db, &mut trail).await {
                        Ok(()) => trail.lost = !last,
                        Err(error) => tracing::warn!(%error, "following events: {error}"),
                    }
                }
                _ = note.tick(), if !trail.lost => {
                    if let Ok(newest) = store::event::newest_seq(db.read()).await {
                        trail.note(newest, NOTES_BACK);
                    }
                }
            }
        }
    }

    /// Wakes one part of the users; answers which is next and when.
    fn wake_part(&self, part: usize, at: Instant) -> Option<(usize, Instant)> {
        self.here.wake_part(part);
        let next = part.checked_add(1).filter(|next| *next < InProcessLive::PARTS)?;
        let rest = WAKE_ALL_OVER.checked_div(u32::try_from(InProcessLive::PARTS).unwrap_or(1));
        Some((next, at + rest.unwrap_or_default()))
    }

    /// Wakes the users of the events since the last looks.
    async fn follow(&self, db: &Db, trail: &mut Trail) -> Result<(), DbErr> {
        let Some(mut after) = trail.begin() else {
            // Never looked: who listens reads what there is before he waits.
            trail.note(store::event::newest_seq(db.read()).await?, LOOKS_BACK);
            return Ok(());
        };
        let mut newest = after;
        loop {
            let found = store::event::whom_after(db.read(), after, LOOK_MAX).await?;
            for (seq, uid) in &found {
                if trail.woken.insert(*seq) {
                    self.here.wake(uid);
                }
                newest = *seq;
            }
            if u64::try_from(found.len()).unwrap_or(u64::MAX) < LOOK_MAX {
                break;
            }
            after = newest;
        }
        trail.note(newest, LOOKS_BACK);
        Ok(())
    }
}

impl Live for SharedLive {
    fn wake(&self, uid: &Uid) {
        self.here.wake(uid);
        self.peers.tell(Word::Wake(vec![uid.clone()]));
    }

    fn listen(&self, uid: &Uid) -> broadcast::Receiver<()> {
        self.here.listen(uid)
    }
}

/// How far the events were at the last looks.
#[derive(Debug, Default)]
struct Trail {
    lost: bool,
    looks: VecDeque<i64>,
    woken: HashSet<i64>,
}

impl Trail {
    /// Where a look begins.
    fn begin(&self) -> Option<i64> {
        self.looks.front().copied()
    }

    /// Notes how far a look came, and forgets those before so many.
    fn note(&mut self, newest: i64, keep: usize) {
        self.looks.push_back(newest);
        while self.looks.len() > keep {
            self.looks.pop_front();
        }
        if let Some(begin) = self.begin() {
            self.woken.retain(|seq| *seq > begin);
        }
    }
}
