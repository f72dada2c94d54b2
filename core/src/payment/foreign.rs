//! A till may scan the payment code of a channel's own App: it is paid through that channel, where the merchant has the
//! channel's payment-code product. No user, code or consent of ours stands behind such a payment; that a code pays once is
//! the channel's to hold.

use super::decide::{Circumstances, No, decide_foreign};
use super::open::{Opened, open};
use super::pay::answering;
use super::send::With;
use super::{PayAsk, Payment};
use crate::code::issue::{self, Foreign, Scanned};
use crate::engine::Engine;
use crate::merchant::{ChannelAccount, MerchantFile};
use crate::problem::{Code, Problem};
use crate::rule::Ruling;

/// Decides and writes down; answers the payment, and with what its channel is to be called.
///
/// # Errors
/// `CODE_FOREIGN` where the merchant has no such product: the cashier takes the code on that channel's own till.
pub(super) async fn place(
    engine: &Engine,
    shop: &MerchantFile,
    ask: &PayAsk,
    (scanned, code): (&Scanned, &Foreign),
    ruling: &Ruling<'_>,
) -> Result<(Payment, With), No> {
    let account = account(engine, shop, code).await?;
    let account = account.ok_or_else(|| issue::foreign(code.looks))?;
    let by = Circumstances::of(engine);
    let decision = decide_foreign(ask, shop, (account, code.looks), (ruling, &scanned.version), &by)?;
    answering(engine, &decision.account)?;
    fail::fail_point!("K1");
    let opened = open(
        engine,
        &shop.merchant.mch_id,
        ask.clone(),
        scanned.hash.clone(),
        decision,
    )
    .await?;
    fail::fail_point!("K2");
    match opened {
        Opened::Fresh(payment) => Ok((*payment, With::Code(code.digits.clone()))),
        // The number was taken in the meantime; whoever took it answers.
        Opened::Taken | Opened::Overtaken => Err(No::Refused(Problem::new(Code::Unavailable))),
    }
}

/// The merchant's account with the code's channel that has the payment-code product.
async fn account<'a>(
    engine: &Engine,
    shop: &'a MerchantFile,
    code: &Foreign,
) -> Result<Option<&'a ChannelAccount>, Problem> {
    for account in shop.usable_accounts().filter(|account| account.channel == code.channel) {
        if engine.adapter(account).await?.code_pay().is_some() {
            return Ok(Some(account));
        }
    }
    Ok(None)
}
