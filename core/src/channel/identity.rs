//! The ability to say who a user is at the channel: he agrees on a page of the channel (OAuth), and the channel tells his id.
//!
//! Duty: an id is told only from the channel's own answer to a one-time code; what a browser brings along proves nothing.

use async_trait::async_trait;

use super::Called;
use crate::secret::Secret;

/// A user as a channel knows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelUser {
    /// His id for this account (openid, user id). Confidential.
    pub id: String,
    /// His id over all accounts of the same owner, where told (unionid). Confidential.
    pub union_id: Option<String>,
    /// What he calls himself, where he agreed to tell.
    pub nickname: Option<String>,
}

/// Saying who a user is.
#[async_trait]
pub trait Identity: Send + Sync {
    /// The page of the channel on which he agrees. It sends his browser to `return_url` with a one-time code and `state`.
    fn page(&self, return_url: &str, state: &str) -> String;

    /// Who has agreed, by the one-time code that his browser brought back.
    ///
    /// # Errors
    /// [`CallError`](super::CallError) when there was no understood answer; the code is then spent, and the user is asked
    /// again.
    async fn user(&self, code: &Secret) -> Called<ChannelUser>;
}
