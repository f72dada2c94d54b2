//! What the author of a channel supplies: a gateway (a simulator, or a recording) that the suite can steer.

use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;
use metropay_core::channel::{ContractRef, SignPage};
use metropay_core::money::Fen;
use serde_json::Value;

use crate::fault::{Act, BillFault, Fault};

/// A movement of money in the gateway's own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Our number of this very movement: of the payment, refund or reversal. Where a gateway undoes a payment without being
    /// told a number, the payment's.
    pub no: String,
    /// Our number of the payment that it belongs to.
    pub payment_no: String,
    /// Into the merchant's pocket, or back out of it.
    pub way: Way,
    /// How much.
    pub amount: Fen,
}

/// Which way money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The payer paid.
    Paid,
    /// Money went back to him.
    Back,
}

/// A gateway that the suite can steer. Only the first four acts are demanded; whatever a gateway cannot do the report shows as
/// not played. It is reached over plain HTTP on this machine.
///
/// What breaks on the wire (time-outs, resets, pages of a proxy in between, half, endless and forged answers) is played by
/// the suite itself: it stands between the adapter and [`Gateway::origin`]. A gateway plays only what needs its own words.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Where it listens: scheme, host and port, without a slash at the end. Wherever this text stands in a configuration, the
    /// suite puts its own address in its place.
    fn origin(&self) -> String;

    /// Opens a merchant's account and answers the configuration for the channel's factory, with time-outs as short as the
    /// channel allows. `notify_url` is for gateways that keep such an address with the account. Every call opens another.
    ///
    /// # Errors
    /// When the gateway is not there.
    async fn open_account(&self, notify_url: &str) -> Result<Value>;

    /// The user opens the signing page and agrees or declines. Each `user` is another person.
    ///
    /// # Errors
    /// When the page does not open: that is the adapter's fault, and reported so.
    async fn decide(&self, page: &SignPage, user: &str, agree: bool) -> Result<()>;

    /// All movements, in the order in which they happened, of all accounts.
    ///
    /// # Errors
    /// When the gateway is not there.
    async fn books(&self) -> Result<Vec<Entry>>;

    /// The user ends his contract in the channel's App. `false` where the channel has no such thing.
    ///
    /// # Errors
    /// When it should have gone and did not.
    async fn end_contract(&self, contract: &ContractRef, user: &str) -> Result<bool> {
        let _ = (contract, user);
        Ok(false)
    }

    /// Whether this fault can be played in this act.
    fn plays(&self, act: Act, fault: &Fault) -> bool {
        let _ = (act, fault);
        false
    }

    /// Plays the fault in the next call of this act about this number of ours, once.
    ///
    /// # Errors
    /// When the gateway is not there.
    async fn play(&self, act: Act, no: &str, fault: &Fault) -> Result<()> {
        let _ = no;
        bail!("this gateway does not play {fault:?} in {act:?}")
    }

    /// Puts the gateway's time so far ahead of the machine's.
    ///
    /// # Errors
    /// When the gateway is not there.
    async fn put_clock_ahead(&self, ahead: Duration) -> Result<()>;

    /// Within what time it sends a notification again that was not acknowledged; `None` where it never does.
    fn repeats_notices_within(&self) -> Option<Duration> {
        None
    }

    /// The user shows a payment code. `None` where the channel has none.
    ///
    /// # Errors
    /// When it should have come and did not.
    async fn show_code(&self, user: &str, needs_password: bool) -> Result<Option<String>> {
        let _ = (user, needs_password);
        Ok(None)
    }

    /// The user types the password that a payment by this code waits for, or declines.
    ///
    /// # Errors
    /// When nothing waits.
    async fn type_password(&self, code: &str, agree: bool) -> Result<()> {
        let _ = (code, agree);
        bail!("this gateway asks for no password")
    }

    /// Plants a difference into the next bill of this account. `false` where it cannot.
    ///
    /// # Errors
    /// When the gateway is not there.
    async fn plant(&self, account: &Value, fault: &BillFault) -> Result<bool> {
        let _ = (account, fault);
        Ok(false)
    }

    /// Lets so many movements of one fen stand in this account's books of today, so that its bill is long. `false` where it
    /// cannot.
    ///
    /// # Errors
    /// When the gateway is not there.
    async fn fill_books(&self, account: &Value, rows: u32) -> Result<bool> {
        let _ = (account, rows);
        Ok(false)
    }

    /// The user agrees on the page that tells who he is; answers the one-time code that his browser would bring back. `None`
    /// where the channel has no such page.
    ///
    /// # Errors
    /// When it should have come and did not.
    async fn identify(&self, page: &str, user: &str) -> Result<Option<String>> {
        let _ = (page, user);
        Ok(None)
    }
}
