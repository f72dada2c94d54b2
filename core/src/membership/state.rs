//! How a membership goes from state to state. Nothing here asks anybody or writes anything.

use std::time::Duration;

use super::request::Question;
use super::{Membership, Wish};
use crate::clock::Time;
use crate::member::{MemberFailure, MemberStanding};
use crate::random::Random;
use crate::rules::membership::{MembershipAction, VipStatus};

/// How long to wait after each answer that ends nothing, in seconds; then for ever the last.
const WAITS: [u64; 10] = [1, 3, 10, 30, 60, 300, 900, 1_800, 3_600, 6 * 3_600];
/// The longest wait that a membership system may ask for.
const WAIT_MAX: Duration = Duration::from_secs(6 * 3_600);

impl Membership {
    /// What the membership system is to be asked; nothing where nothing is owed to it.
    pub(super) fn owes(&self, phone_version: i32, can_query: bool) -> Option<MembershipAction> {
        match self.wish {
            // It has this wish and has not decided.
            Some(_) if self.is_pending() && can_query => Some(MembershipAction::Query),
            Some(Wish::Open) => Some(MembershipAction::Open),
            Some(Wish::Close) => Some(MembershipAction::Close),
            None if self.standing == VipStatus::Active && self.phone_told < phone_version => {
                Some(MembershipAction::ChangePhone)
            }
            None => None,
        }
    }

    /// Whether the last answer to the present question was that it is not decided yet.
    const fn is_pending(&self) -> bool {
        matches!(self.standing, VipStatus::Pending) && self.attempts > 0 && self.trouble.is_none()
    }

    /// Whether its user is a member, or is about to become one.
    pub fn is_wanted(&self) -> bool {
        match self.wish {
            Some(wish) => wish == Wish::Open,
            None => self.standing == VipStatus::Active,
        }
    }

    /// The same with another wish. What is wanted already changes nothing.
    pub(super) fn wished(mut self, wish: Wish, now: Time) -> Self {
        let wanted = wish == Wish::Open;
        let settled = self.wish.is_none() && (self.standing != VipStatus::Active) != wanted;
        if self.wish == Some(wish) || settled {
            return self;
        }
        self.wish = Some(wish);
        self.wish_no = self.wish_no.saturating_add(1);
        self.wished_at = now;
        self.due(now)
    }

    /// The same, with something new owed to the membership system.
    fn due(mut self, now: Time) -> Self {
        (self.attempts, self.next_at, self.updated_at) = (0, Some(now), now);
        (self.trouble, self.reason) = (None, None);
        self
    }

    /// The same after an answer. It counts whatever the user wants by now; his present wish it ends only if it was asked for
    /// that.
    pub(super) fn answered(
        mut self,
        question: &Question,
        (standing, phone_version): (MemberStanding, i32),
        (now, random): (Time, &dyn Random),
    ) -> Self {
        let undecided = standing.status == VipStatus::Pending;
        let about_phone = question.action == MembershipAction::ChangePhone;
        // "Not yet" to a new number says nothing of the membership.
        if !(about_phone && undecided) {
            self.standing = standing.status;
        }
        self.member_no = standing.member_no.or(self.member_no);
        self.reason = Some(standing.reason).filter(|reason| !reason.is_empty());
        (self.trouble, self.updated_at, self.busy_until) = (None, now, None);
        let of_present_wish = !about_phone && question.wish_no == self.wish_no;
        if !undecided {
            if of_present_wish {
                self.wish = None;
            }
            if standing.status == VipStatus::Active && question.tells_phone {
                self.phone_told = self.phone_told.max(question.phone_version);
            }
        }
        match self.owes(phone_version, false) {
            None => (self.attempts, self.next_at) = (0, None),
            Some(_) if undecided && (of_present_wish || about_phone) => self = self.later(None, (now, random)),
            Some(_) => (self.attempts, self.next_at) = (0, Some(now)),
        }
        self
    }

    /// The same after a question that got no answer: nothing is known, and it is asked again.
    pub(super) fn unanswered(
        mut self,
        question: &Question,
        failure: &MemberFailure,
        (now, random): (Time, &dyn Random),
    ) -> Self {
        (self.busy_until, self.updated_at) = (None, now);
        if question.wish_no != self.wish_no {
            // The user wants something else by now, and that is due.
            return self;
        }
        self.trouble = Some(failure.trouble.word().to_owned());
        self.later(failure.retry_after, (now, random))
    }

    fn later(mut self, wanted: Option<Duration>, (now, random): (Time, &dyn Random)) -> Self {
        let wait = wait(self.attempts, random).max(wanted.unwrap_or_default().min(WAIT_MAX));
        self.attempts = self.attempts.saturating_add(1);
        self.next_at = Some(now.plus(wait));
        self
    }
}

/// The wait after so many attempts: four fifths to six fifths of what stands in the table, so that those who failed together do
/// not come back together.
pub(super) fn wait(attempts: i32, random: &dyn Random) -> Duration {
    let at = usize::try_from(attempts).unwrap_or_default().min(WAITS.len() - 1);
    let table = Duration::from_secs(WAITS.get(at).copied().unwrap_or_default());
    let mut drawn = [0_u8; 1];
    random.fill(&mut drawn);
    table.saturating_mul(320 + u32::from(drawn[0]) * 160 / 255) / 400
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::member::MemberTrouble;
    use crate::random::SeededRandom;

    fn none() -> Membership {
        Membership::none(&"M1".into(), &"u1".into(), Time(0))
    }

    fn says(status: VipStatus) -> MemberStanding {
        MemberStanding {
            status,
            member_no: None,
            reason: String::new(),
        }
    }

    /// A membership system that is honest: it does what it is told, when it answers.
    #[derive(Debug, Clone, Copy)]
    enum Answer {
        Done,
        Refused,
        Undecided,
        Silent,
        /// It does as asked, and the answer is lost.
        Lost,
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wish(Wish),
        NewPhone,
        Ask(Answer),
        /// The user changes his mind while the question is under way.
        AskMeanwhile(Answer, Wish),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let wish = prop_oneof![Just(Wish::Open), Just(Wish::Close)];
        let answer = prop_oneof![
            4 => Just(Answer::Done), 1 => Just(Answer::Refused), 1 => Just(Answer::Undecided), 2 => Just(Answer::Silent), 2 => Just(Answer::Lost)
        ];
        let step = prop_oneof![
            2 => wish.clone().prop_map(Step::Wish),
            1 => Just(Step::NewPhone),
            4 => answer.clone().prop_map(Step::Ask),
            2 => (answer, wish).prop_map(|(answer, wish)| Step::AskMeanwhile(answer, wish)),
        ];
        prop::collection::vec(step, 1..40)
    }

    /// The merchant's side of one member.
    #[derive(Debug, Default)]
    struct Theirs {
        member: bool,
        phone: i32,
    }

    fn ask(theirs: &mut Theirs, question: &Question, answer: Answer) -> Option<MemberStanding> {
        let word = |theirs: &Theirs| {
            says(if theirs.member {
                VipStatus::Active
            } else {
                VipStatus::Closed
            })
        };
        match (answer, question.action) {
            (Answer::Silent, _) => return None,
            (Answer::Undecided, _) => return Some(says(VipStatus::Pending)),
            (Answer::Done | Answer::Lost, MembershipAction::Open) => {
                (theirs.member, theirs.phone) = (true, question.phone_version);
            }
            (Answer::Done | Answer::Lost, MembershipAction::Close) => theirs.member = false,
            // A number is taken, or the question is not answered: there is no word for a refusal.
            (_, MembershipAction::ChangePhone) if theirs.member => theirs.phone = question.phone_version,
            _ => {}
        }
        (!matches!(answer, Answer::Lost)).then(|| word(theirs))
    }

    proptest! {
        /// INV-32: whatever happens, in the end nothing is owed, ours is what they said last, and they have the present number.
        #[test]
        fn in_the_end_both_sides_agree(steps in steps(), can_query: bool) {
            let random = SeededRandom::new(7);
            let (mut ours, mut theirs, mut phone, mut since) = (none(), Theirs::default(), 0, Time(0));
            let mut now = Time(0);
            let turn = |ours: &mut Membership, theirs: &mut Theirs, (phone, since): (i32, Time), answer: Answer, mind: Option<Wish>, now: Time| {
                let Some(action) = ours.owes(phone, can_query) else { return };
                let question = Question::of(ours, action, phone, since);
                let said = ask(theirs, &question, answer);
                if let Some(wish) = mind {
                    *ours = ours.clone().wished(wish, now);
                }
                let silent = MemberFailure::maybe_done(MemberTrouble::Timeout, "silence");
                *ours = match said {
                    Some(standing) => ours.clone().answered(&question, (standing, phone), (now, &random)),
                    None => ours.clone().unanswered(&question, &silent, (now, &random)),
                };
            };
            for step in steps {
                now = now.plus(Duration::from_secs(1));
                match step {
                    Step::Wish(wish) => ours = ours.wished(wish, now),
                    Step::NewPhone => {
                        (phone, since) = (phone + 1, now);
                        if ours.wish.is_none() && ours.standing == VipStatus::Active {
                            ours = ours.due(now);
                        }
                    }
                    Step::Ask(answer) => turn(&mut ours, &mut theirs, (phone, since), answer, None, now),
                    Step::AskMeanwhile(answer, wish) => turn(&mut ours, &mut theirs, (phone, since), answer, Some(wish), now),
                }
                prop_assert_eq!(ours.next_at.is_some(), ours.owes(phone, can_query).is_some(), "{:?}", ours);
            }
            let mut wanted = ours.wish;
            for _ in 0..4 {
                turn(&mut ours, &mut theirs, (phone, since), Answer::Done, None, now);
                wanted = wanted.filter(|_| ours.wish.is_some()).or(wanted);
            }
            prop_assert_eq!(ours.owes(phone, can_query), None);
            prop_assert_eq!(ours.next_at, None);
            prop_assert_eq!(ours.standing == VipStatus::Active, theirs.member);
            if theirs.member {
                prop_assert_eq!(theirs.phone, phone);
            }
            if let Some(wish) = wanted && !can_query {
                prop_assert_eq!(wish == Wish::Open, theirs.member);
            }
        }
    }

    #[test]
    fn a_wish_that_is_fulfilled_already_asks_nobody() {
        assert_eq!(none().wished(Wish::Close, Time(1)), none());
        let random = SeededRandom::new(1);
        let wished = none().wished(Wish::Open, Time(1));
        assert_eq!((wished.wish_no, wished.next_at), (1, Some(Time(1))));
        let question = Question::of(&wished, MembershipAction::Open, 0, Time(1));
        let member = wished.answered(&question, (says(VipStatus::Active), 0), (Time(2), &random));
        assert_eq!((member.wish, member.next_at), (None, None));
        assert_eq!(member.clone().wished(Wish::Open, Time(3)), member);
    }

    #[test]
    fn a_merchant_may_say_no() {
        let random = SeededRandom::new(1);
        let wished = none().wished(Wish::Open, Time(1));
        let question = Question::of(&wished, MembershipAction::Open, 0, Time(1));
        let mut no = says(VipStatus::Unactive);
        no.reason = "仅限本地居民".to_owned();
        let refused = wished.answered(&question, (no, 0), (Time(2), &random));
        assert_eq!(
            (refused.standing, refused.wish, refused.next_at),
            (VipStatus::Unactive, None, None)
        );
        assert_eq!(refused.reason.as_deref(), Some("仅限本地居民"));
    }

    #[test]
    fn waits_grow_and_never_end() {
        let random = SeededRandom::new(3);
        let mut membership = none().wished(Wish::Open, Time(0));
        let failure = MemberFailure::not_sent(MemberTrouble::Connect, "refused");
        let mut last = Duration::ZERO;
        for attempt in 0..30 {
            let question = Question::of(&membership, MembershipAction::Open, 0, Time(0));
            membership = membership.unanswered(&question, &failure, (Time(0), &random));
            let wait = membership.next_at.unwrap().since(Time(0));
            assert!(wait * 3 > last, "{attempt}: {wait:?} after {last:?}");
            assert!(wait <= WAIT_MAX * 6 / 5);
            last = wait;
        }
        let patient = MemberFailure {
            retry_after: Some(Duration::from_secs(9 * 3_600)),
            ..failure
        };
        let question = Question::of(&membership, MembershipAction::Open, 0, Time(0));
        let waits = membership.unanswered(&question, &patient, (Time(0), &random));
        assert!(waits.next_at.unwrap().since(Time(0)) <= WAIT_MAX * 6 / 5);
    }
}
