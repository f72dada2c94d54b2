//! When a notice is told again, and when it is given up.

use std::time::Duration;

use crate::clock::Time;
use crate::random::Random;
use crate::store::delivery::{DeliveryState, Model as Delivery};

/// How long after each attempt the next one comes, in seconds: about 75 hours in all.
const WAITS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// How long after the first attempt it is given up.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(75 * 3_600);
/// The longest wait that an endpoint may ask for.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);
/// After so many failures in a row an endpoint rests.
pub(super) const RESTS_FROM: i32 = 3;
/// Its first rest; then twice as long each time.
const REST: Duration = Duration::from_secs(10);
/// The longest.
const REST_MAX: Duration = Duration::from_secs(300);

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Taken(u16),
    /// Nobody is there any more (410).
    Gone,
    /// It was not.
    NotTaken {
        /// What was answered.
        status: Option<u16>,
        /// What went wrong.
        word: &'static str,
        /// How long to wait, where the endpoint said so.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// An answer, judged.
    pub(super) fn of(status: u16, retry_after: Option<Duration>) -> Self {
        let word = match status {
            200..=299 => return Self::Taken(status),
            410 => return Self::Gone,
            300..=399 => "HTTP_REDIRECT",
            429 | 500..=599 => "HTTP_BUSY",
            _ => "HTTP_REFUSED",
        };
        Self::NotTaken {
            status: Some(status),
            word,
            retry_after,
        }
    }

    /// What was answered.
    pub(super) const fn status(&self) -> Option<u16> {
        match self {
            Self::Taken(status) => Some(*status),
            Self::Gone => Some(410),
            Self::NotTaken { status, .. } => *status,
        }
    }

    /// What went wrong.
    pub(super) const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => None,
            Self::Gone => Some("HTTP_GONE"),
            Self::NotTaken { word, .. } => Some(word),
        }
    }
}

impl Delivery {
    /// The same after an attempt that began at this moment.
    pub(super) fn attempted(mut self, outcome: &Outcome, (at, random): (Time, &dyn Random)) -> Self {
        let first = self.first_at.unwrap_or(at);
        self.last_status = outcome.status().map(i32::from);
        self.last_trouble = outcome.word().map(str::to_owned);
        match outcome {
            Outcome::Taken(_) => (self.state, self.ended_at) = (DeliveryState::Delivered, Some(at)),
            // It is told when the endpoint is proven again.
            Outcome::Gone => self.next_at = at,
            Outcome::NotTaken { .. } if at.since(first) >= GIVEN_UP_AFTER => {
                (self.state, self.ended_at) = (DeliveryState::Dead, Some(at));
            }
            Outcome::NotTaken { retry_after, .. } => {
                let wait = wait(self.attempts, random).max(retry_after.unwrap_or_default().min(WAIT_MAX));
                self.next_at = at.plus(wait);
            }
        }
        self.first_at = Some(first);
        self.attempts = self.attempts.saturating_add(1);
        self
    }
}

/// Four fifths to six fifths of what stands in the table.
fn wait(attempts: i32, random: &dyn Random) -> Duration {
    let at = usize::try_from(attempts).unwrap_or_default().min(WAITS.len() - 1);
    let table = Duration::from_secs(WAITS.get(at).copied().unwrap_or_default());
    let mut drawn = [0_u8; 1];
    random.fill(&mut drawn);
    table.saturating_mul(320 + u32::from(drawn[0]) * 160 / 255) / 400
}

/// How long an endpoint rests after so many failures in a row.
pub(super) fn rest(failures: i32) -> Option<Duration> {
    let beyond = u32::try_from(failures.saturating_sub(RESTS_FROM)).ok()?;
    Some(REST.saturating_mul(1 << beyond.min(8)).min(REST_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::SeededRandom;

    fn waiting() -> Delivery {
        Delivery {
            delivery_id: 1,
            endpoint_id: "WH1".to_owned(),
            mch_id: "M1".into(),
            seq: 1,
            event_id: "P1-succeeded".to_owned(),
            kind: "payment.succeeded".to_owned(),
            state: DeliveryState::Waiting,
            attempts: 0,
            first_at: None,
            next_at: Time(0),
            last_status: None,
            last_trouble: None,
            created_at: Time(0),
            ended_at: None,
        }
    }

    fn silent() -> Outcome {
        Outcome::NotTaken {
            status: None,
            word: "TIMEOUT",
            retry_after: None,
        }
    }

    #[test]
    fn what_is_never_taken_is_told_for_three_days_and_given_up() {
        let random = SeededRandom::new(5);
        let mut delivery = waiting();
        while delivery.state == DeliveryState::Waiting {
            let at = delivery.next_at;
            delivery = delivery.attempted(&silent(), (at, &random));
            assert!(delivery.attempts < 30, "it ends");
        }
        assert_eq!(delivery.state, DeliveryState::Dead);
        let lasted = delivery.ended_at.unwrap().since(delivery.first_at.unwrap());
        assert!(
            lasted >= GIVEN_UP_AFTER && lasted < GIVEN_UP_AFTER * 3 / 2,
            "{lasted:?}"
        );
        assert!((8..=14).contains(&delivery.attempts), "{}", delivery.attempts);
    }

    #[test]
    fn the_table_is_about_three_days() {
        let hours = WAITS.iter().sum::<u64>() / 3_600;
        assert!((73..=77).contains(&hours), "{hours}");
    }

    #[test]
    fn rests_grow_to_five_minutes() {
        assert_eq!(rest(2), None);
        assert_eq!(rest(3), Some(REST));
        assert_eq!(rest(4), Some(REST * 2));
        assert_eq!(rest(1_000_000), Some(REST_MAX));
    }

    proptest! {
        #[test]
        fn only_a_success_delivers_and_time_never_runs_back(statuses in prop::collection::vec(100_u16..600, 1..40), asked in 0_u64..200_000) {
            let random = SeededRandom::new(9);
            let mut delivery = waiting();
            for status in statuses {
                if delivery.state != DeliveryState::Waiting {
                    break;
                }
                let at = delivery.next_at;
                let outcome = Outcome::of(status, Some(Duration::from_secs(asked)));
                delivery = delivery.attempted(&outcome, (at, &random));
                prop_assert_eq!(delivery.state == DeliveryState::Delivered, (200..300).contains(&status));
                prop_assert!(delivery.next_at >= at && delivery.next_at <= at.plus(WAIT_MAX * 6 / 5));
                prop_assert_eq!(delivery.state == DeliveryState::Waiting, delivery.ended_at.is_none());
            }
        }
    }
}
