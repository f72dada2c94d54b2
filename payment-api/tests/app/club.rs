//! A merchant's membership system in this process: it has members, can be out of reach, undecided, and may say no.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use metropay_core::member::{
    ConfigError, Member, MemberAnswered, MemberFactory, MemberFailure, MemberPoints, MemberQuery, MemberQuestion,
    MemberSetting, MemberStanding, MemberTrouble, VipStatus,
};
use serde::Deserialize;

/// What it does with questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As asked.
    #[default]
    Willing,
    /// Nobody answers.
    Away,
    /// Later.
    Undecided,
    /// No.
    Unwilling,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) mood: Mood,
    /// Members by user, with the phone that it knows.
    pub(crate) members: BTreeMap<String, Option<String>>,
    /// Every question: what, and under which number.
    pub(crate) asked: Vec<(&'static str, String)>,
}

/// The system, and what builds its adapters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Club(Arc<Mutex<Books>>);

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClubConfig {}

impl MemberFactory for Club {
    type Config = ClubConfig;

    const ID: &'static str = "club";
    const NAME: &'static str = "测试会员系统";

    fn build(&self, _: ClubConfig, _: MemberSetting) -> Result<Arc<dyn Member>, ConfigError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Club {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    fn answer(&self, what: &'static str, question: &MemberQuestion) -> MemberAnswered {
        let mut books = self.books();
        books.asked.push((what, question.request_no.clone()));
        let uid = question.uid.0.clone();
        let phone = question.phone.as_ref().map(|phone| phone.expose().to_owned());
        match (books.mood, what) {
            (Mood::Away, _) => return Err(MemberFailure::not_sent(MemberTrouble::Connect, "away")),
            (Mood::Undecided, _) => return Ok(says(VipStatus::Pending, "")),
            (Mood::Unwilling, _) => {}
            (Mood::Willing, "open") => drop(books.members.insert(uid.clone(), phone)),
            (Mood::Willing, "close") => drop(books.members.remove(&uid)),
            (Mood::Willing, _) => {
                if let Some(known) = books.members.get_mut(&uid) {
                    *known = phone;
                }
            }
        }
        let status = if books.members.contains_key(&uid) {
            VipStatus::Active
        } else {
            VipStatus::Unactive
        };
        let reason = if books.mood == Mood::Unwilling {
            "仅限本地居民"
        } else {
            ""
        };
        Ok(says(status, reason))
    }
}

fn says(status: VipStatus, reason: &str) -> MemberStanding {
    MemberStanding {
        status,
        member_no: (status == VipStatus::Active).then(|| "VIP-1".to_owned()),
        reason: reason.to_owned(),
    }
}

#[async_trait]
impl Member for Club {
    async fn open(&self, question: &MemberQuestion) -> MemberAnswered {
        self.answer("open", question)
    }

    async fn close(&self, question: &MemberQuestion) -> MemberAnswered {
        self.answer("close", question)
    }

    async fn change_phone(&self, question: &MemberQuestion) -> MemberAnswered {
        self.answer("change_phone", question)
    }

    fn query(&self) -> Option<&dyn MemberQuery> {
        None
    }

    fn points(&self) -> Option<&dyn MemberPoints> {
        None
    }
}
