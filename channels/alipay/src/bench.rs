//! What the benchmarks measure: the way of one deduction without the wire, and the reader of bills without the download.

use std::fs::File;

use metropay_core::channel::{BillError, BillRow, CallError, Called, ConfigError, DeductQuestion, Paid, Setting};
use metropay_core::clock::Day;
use metropay_outbound::{Answer, OutboundSettings};

use crate::bill::archive;
use crate::bill::detail::Expected;
use crate::bill::trade::Trades;
use crate::codes::Method;
use crate::config::AlipayConfig;
use crate::{Alipay, AlipayFactory, pay};

/// An adapter whose calls are built and read, but never sent.
pub struct Wire(Alipay);

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    /// One for this account.
    ///
    /// # Errors
    /// As the factory.
    pub fn new(config: AlipayConfig, setting: Setting) -> Result<Self, ConfigError> {
        let factory = AlipayFactory::new(OutboundSettings::default());
        factory.adapter(config, setting).map(Self)
    }

    /// A deduction, signed: its query and its form body.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn build(&self, question: &DeductQuestion) -> Result<(String, String), CallError> {
        let (_, biz) = pay::deduction(&self.0, question);
        let notify_url = Some(self.0.notify_url.as_str());
        let signed = self.0.gateway.request(Method::Pay, &biz, notify_url)?;
        Ok((signed.query(), signed.body()))
    }

    /// Its answer, verified and understood.
    ///
    /// # Errors
    /// When it proves nothing.
    pub async fn read(&self, question: &DeductQuestion, answer: &Answer) -> Called<Paid> {
        let (order, _) = pay::deduction(&self.0, question);
        let said = self.0.gateway.read(Method::Pay, answer).await?;
        pay::executed(&said, &order)
    }
}

/// Reads the archive of a bill of trades.
///
/// # Errors
/// As the reader.
pub fn trades(file: File, day: Day, hand_over: &mut dyn FnMut(BillRow) -> bool) -> Result<(), BillError> {
    let expected = Expected { day, pid: None };
    archive::read::<Trades, _>(file, &expected, hand_over)
}
