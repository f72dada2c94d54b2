//! Who is being asked on this node: a bound for all, a smaller one for each merchant, and a rest for whoever does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::id::MchId;

/// Questions under way at the same time.
const SEATS: usize = 64;
/// Questions to one merchant's system under way at the same time.
const SEATS_EACH: usize = 4;
/// The first rest of a system that does not answer; then twice as long each time.
const REST: Duration = Duration::from_secs(1);
/// The longest.
const REST_MAX: Duration = Duration::from_secs(60);

/// The desk.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<HashMap<MchId, Counter>>);

#[derive(Debug, Default)]
struct Counter {
    sitting: usize,
    silences: u32,
    rests_until: Option<Instant>,
}

impl Counter {
    fn is_open(&self, now: Instant) -> bool {
        // After a rest one goes first.
        let seats = if self.silences > 0 { 1 } else { SEATS_EACH };
        self.sitting < seats && self.rests_until.is_none_or(|until| until <= now)
    }
}

/// A question under way. Dropping it frees the seat.
#[derive(Debug)]
pub(super) struct Seat {
    desk: Arc<Desk>,
    mch_id: MchId,
}

impl Desk {
    /// How many seats are free, and for whom there is none.
    pub(super) fn room(&self) -> (usize, Vec<MchId>) {
        let counters = self.counters();
        let now = Instant::now();
        let taken: usize = counters.values().map(|counter| counter.sitting).sum();
        let closed = counters.iter().filter(|(_, counter)| !counter.is_open(now));
        (
            SEATS.saturating_sub(taken),
            closed.map(|(mch_id, _)| mch_id.clone()).collect(),
        )
    }

    /// A seat for a question to this merchant.
    pub(super) fn sit(self: &Arc<Self>, mch_id: &MchId) -> Option<Seat> {
        let mut counters = self.counters();
        let counter = counters.entry(mch_id.clone()).or_default();
        if !counter.is_open(Instant::now()) {
            return None;
        }
        counter.sitting = counter.sitting.saturating_add(1);
        Some(Seat {
            desk: Arc::clone(self),
            mch_id: mch_id.clone(),
        })
    }

    fn counters(&self) -> MutexGuard<'_, HashMap<MchId, Counter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// It answered; says whether it was silent before.
    pub(super) fn answered(&self) -> bool {
        let mut counters = self.desk.counters();
        counters.get_mut(&self.mch_id).is_some_and(|counter| {
            counter.rests_until = None;
            std::mem::take(&mut counter.silences) > 0
        })
    }

    /// It did not answer: it is left alone for a while.
    pub(super) fn silent(&self) {
        let mut counters = self.desk.counters();
        if let Some(counter) = counters.get_mut(&self.mch_id) {
            let rest = REST.saturating_mul(1 << counter.silences.min(8)).min(REST_MAX);
            counter.silences = counter.silences.saturating_add(1);
            counter.rests_until = Some(Instant::now() + rest);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counters = self.desk.counters();
        if let Some(counter) = counters.get_mut(&self.mch_id) {
            counter.sitting = counter.sitting.saturating_sub(1);
            if counter.sitting == 0 && counter.silences == 0 {
                counters.remove(&self.mch_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_merchant_never_takes_all_seats_and_a_silent_one_rests() {
        let desk = Arc::new(Desk::default());
        let (slow, other) = (MchId::from("slow"), MchId::from("other"));
        let seats: Vec<Seat> = std::iter::from_fn(|| desk.sit(&slow)).collect();
        assert_eq!(seats.len(), SEATS_EACH);
        assert_eq!(desk.room(), (SEATS - SEATS_EACH, vec![slow.clone()]));
        assert!(desk.sit(&other).is_some());
        seats[0].silent();
        drop(seats);
        assert!(desk.sit(&slow).is_none(), "it rests");
        assert_eq!(desk.room().1, vec![slow.clone()]);
        std::thread::sleep(REST + Duration::from_millis(50));
        let first = desk.sit(&slow).unwrap();
        assert!(desk.sit(&slow).is_none(), "one goes first");
        assert!(first.answered());
        assert!(desk.sit(&slow).is_some());
        drop(first);
        assert_eq!(desk.room(), (SEATS, vec![]));
    }
}
