//! What one user may ask how often, and how many streams he may hold.
//!
//! Kept in this process and bounded: whatever is forgotten here costs a little more load, never a payment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metropay_core::id::Uid;
use metropay_core::problem::{Code, Problem};
use tokio::time::Instant;

/// Users whose pace is remembered at most, for each kind of request.
const USERS_MAX: usize = 32_768;
/// Streams and long-polls of one user that may wait at the same time.
const SEATS_MAX: usize = 5;
/// When one who holds all his seats may ask again.
const SEAT_RETRY_S: u64 = 5;

/// All budgets of the App's door.
#[derive(Debug)]
pub(super) struct Budgets {
    /// Every request.
    pub(super) requests: Pace,
    /// Questions how a code stands: one a second.
    pub(super) polls: Pace,
    /// Beginnings of streams and long-polls.
    pub(super) waits: Pace,
    /// Questions that we pass on to a channel.
    pub(super) channel_asks: Pace,
    seats: Mutex<HashMap<Uid, usize>>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            requests: Pace::new(Duration::from_millis(50), 60),
            polls: Pace::new(Duration::from_secs(1), 2),
            waits: Pace::new(Duration::from_secs(1), 10),
            channel_asks: Pace::new(Duration::from_secs(3), 5),
            seats: Mutex::default(),
        }
    }
}

impl Budgets {
    /// A seat for one who waits; it is free again when it is dropped.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user holds [`SEATS_MAX`] of them.
    pub(super) fn seat(self: &Arc<Self>, uid: &Uid) -> Result<Seat, Problem> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.entry(uid.clone()).or_default();
        if *taken >= SEATS_MAX {
            return Err(Problem::new(Code::RateLimited)
                .fact("retry_after_s", SEAT_RETRY_S)
                .fact("streams_max", SEATS_MAX));
        }
        *taken = taken.saturating_add(1);
        Ok(Seat {
            budgets: Arc::clone(self),
            uid: uid.clone(),
        })
    }
}

/// The right to wait, of one stream.
#[derive(Debug)]
pub(super) struct Seat {
    budgets: Arc<Budgets>,
    uid: Uid,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.budgets.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let left = seats.get(&self.uid).map_or(0, |taken| taken.saturating_sub(1));
        if left == 0 {
            seats.remove(&self.uid);
        } else {
            seats.insert(self.uid.clone(), left);
        }
    }
}

/// One request in every so much time, and a few more at once after a rest. For each user only the moment is kept at which
/// he has fully rested.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    at_once: u32,
    rested: Mutex<HashMap<Uid, Instant>>,
}

impl Pace {
    fn new(every: Duration, at_once: u32) -> Self {
        Self {
            every,
            at_once,
            rested: Mutex::default(),
        }
    }

    /// Counts a request of the user.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with when to come again; then nothing was counted.
    pub(super) fn take(&self, uid: &Uid) -> Result<(), Problem> {
        self.take_at(uid, Instant::now()).map_err(|wait| {
            let seconds = wait.as_millis().div_ceil(1_000).max(1);
            Problem::new(Code::RateLimited).fact("retry_after_s", u64::try_from(seconds).unwrap_or(1))
        })
    }

    fn take_at(&self, uid: &Uid, now: Instant) -> Result<(), Duration> {
        let mut rested = self.rested.lock().unwrap_or_else(PoisonError::into_inner);
        let at = rested.get(uid).copied().unwrap_or(now).max(now);
        let next = at + self.every;
        let wait = next
            .saturating_duration_since(now)
            .saturating_sub(self.every.saturating_mul(self.at_once));
        if !wait.is_zero() {
            return Err(wait);
        }
        if rested.len() >= USERS_MAX {
            rested.retain(|_, at| *at > now);
            if rested.len() >= USERS_MAX {
                rested.clear();
            }
        }
        rested.insert(uid.clone(), next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        text.into()
    }

    #[test]
    fn a_user_who_keeps_the_pace_is_never_refused_and_one_who_does_not_is() {
        let pace = Pace::new(Duration::from_secs(1), 2);
        let start = Instant::now();
        for second in 0..100 {
            assert_eq!(pace.take_at(&uid("anna"), start + Duration::from_secs(second)), Ok(()));
        }
        let later = start + Duration::from_secs(99);
        assert_eq!(pace.take_at(&uid("anna"), later), Ok(()), "one may come early");
        assert_eq!(pace.take_at(&uid("anna"), later), Err(Duration::from_secs(1)));
        assert_eq!(pace.take_at(&uid("bert"), later), Ok(()), "others are not meant");
        let half = later + Duration::from_millis(500);
        assert_eq!(pace.take_at(&uid("anna"), half), Err(Duration::from_millis(500)));
        assert_eq!(pace.take_at(&uid("anna"), later + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let pace = Pace::new(Duration::from_millis(1_500), 1);
        assert!(pace.take(&uid("anna")).is_ok());
        let refused = pace.take(&uid("anna")).unwrap_err();
        assert_eq!(
            (refused.code, &refused.facts["retry_after_s"]),
            (Code::RateLimited, &2.into())
        );
    }

    #[test]
    fn a_crowd_of_users_does_not_fill_the_memory() {
        let pace = Pace::new(Duration::from_secs(1), 1);
        let now = Instant::now();
        for user in 0..3 * USERS_MAX {
            assert_eq!(pace.take_at(&uid(&user.to_string()), now), Ok(()));
            assert!(pace.rested.lock().unwrap().len() <= USERS_MAX);
        }
        let later = now + Duration::from_secs(5);
        for user in 0..USERS_MAX {
            pace.take_at(&uid(&format!("b{user}")), later).unwrap();
        }
        assert!(
            pace.rested
                .lock()
                .unwrap()
                .keys()
                .all(|uid| uid.as_str().starts_with('b'))
        );
    }

    #[test]
    fn seats_are_few_and_come_back() {
        let budgets = Arc::new(Budgets::default());
        let mut held: Vec<_> = (0..SEATS_MAX).map(|_| budgets.seat(&uid("anna")).unwrap()).collect();
        assert_eq!(budgets.seat(&uid("anna")).unwrap_err().code, Code::RateLimited);
        assert!(budgets.seat(&uid("bert")).is_ok());
        held.pop();
        held.push(budgets.seat(&uid("anna")).unwrap());
        drop(held);
        assert!(
            budgets.seats.lock().unwrap().is_empty(),
            "nobody who left is remembered"
        );
    }
}
