//! A question to a membership system: what is asked, and under which number.

use aws_lc_rs::digest;

use super::Membership;
use crate::clock::Time;
use crate::member::{Member, MemberAnswered, MemberFailure, MemberQuestion, MemberTrouble};
use crate::rules::membership::{MembershipAction, VipStatus};
use crate::secret::Secret;

/// What is asked about a membership. The same question is the same whenever and by whomever it is made of the same rows.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub action: MembershipAction,
    /// Which of the user's wishes it serves.
    pub wish_no: i32,
    /// Which of his phone numbers it carries.
    pub phone_version: i32,
    /// Whether who answers it as wished has that number. Who was a member before, or may have become one under another number by the
    /// same question, may have kept the old one.
    pub tells_phone: bool,
    request_no: String,
    at: Time,
}

impl Question {
    pub(super) fn of(membership: &Membership, action: MembershipAction, phone_version: i32, phone_since: Time) -> Self {
        let (letter, number, at) = match action {
            MembershipAction::Open => ('O', membership.wish_no, membership.wished_at),
            MembershipAction::Close => ('C', membership.wish_no, membership.wished_at),
            MembershipAction::Query => ('Q', membership.wish_no, membership.wished_at),
            MembershipAction::ChangePhone => ('P', phone_version, phone_since),
        };
        let first = membership.standing != VipStatus::Active && phone_since <= membership.wished_at;
        Self {
            action,
            tells_phone: match action {
                MembershipAction::Open => first,
                MembershipAction::ChangePhone => true,
                MembershipAction::Close | MembershipAction::Query => false,
            },
            wish_no: membership.wish_no,
            phone_version,
            request_no: format!("{}{letter}{number}", membership.name()),
            at,
        }
    }

    /// Asks it.
    pub(super) async fn ask(
        &self,
        member: &dyn Member,
        membership: &Membership,
        phone: Option<Secret>,
    ) -> MemberAnswered {
        let question = MemberQuestion {
            uid: membership.uid.clone(),
            phone,
            member_no: membership.member_no.clone(),
            request_no: self.request_no.clone(),
            at: self.at,
        };
        match self.action {
            MembershipAction::Open => member.open(&question).await,
            MembershipAction::Close => member.close(&question).await,
            MembershipAction::ChangePhone => member.change_phone(&question).await,
            MembershipAction::Query => match member.query() {
                Some(query) => query.standing(&question).await,
                None => Err(MemberFailure::not_sent(MemberTrouble::Call, "it cannot be asked")),
            },
        }
    }
}

impl Membership {
    /// A name of the membership for the other side: tells nothing, never changes, and fits every system.
    pub(crate) fn name(&self) -> String {
        let text = format!("{}\0{}", self.mch_id, self.uid);
        let mut name = format!("M{}", hex::encode(digest::digest(&digest::SHA256, text.as_bytes())));
        name.truncate(25);
        name
    }
}
