//! The story of a payment, from the scan to the answer.

use std::sync::Arc;

use metrics::counter;
use serde_json::json;
use tracing::Instrument;

use super::decide::{Circumstances, No, decide};
use super::open::{Opened, open};
use super::send::{With, send};
use super::{PayAsk, Payment, PaymentState, foreign, topic};
use crate::code;
use crate::code::issue::Scanned;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::{AccountId, ChannelId, CodeId, MchId, Uid};
use crate::limit;
use crate::merchant::{MerchantFile, Standing};
use crate::metric;
use crate::problem::{Code, Problem};
use crate::rule::Ruling;
use crate::store;

/// How often a payment is decided at most, where what was decided ends before it is written down.
const DECISIONS_MAX: usize = 3;

/// Deducts by a scanned code, and answers within the till's time: SUCCESS, FAILED, or PAYING where the outcome is not known
/// yet. A repeat of a number with the same parameters answers the payment's present state, for ever.
///
/// # Errors
/// A [`Problem`] when nothing was deducted and nothing will be, by this number or at all.
#[tracing::instrument(level = "debug", name = "payment.pay", skip_all)]
pub async fn pay(engine: &Arc<Engine>, mch_id: &MchId, ask: PayAsk) -> Result<Payment, Problem> {
    let paid = scan_and_pay(engine, mch_id, ask).await;
    if let Err(problem) = &paid {
        counter!(metric::PAYMENTS_REFUSED, "code" => problem.code.word()).increment(1);
    }
    paid
}

async fn scan_and_pay(engine: &Arc<Engine>, mch_id: &MchId, ask: PayAsk) -> Result<Payment, Problem> {
    let shop = shop(engine, mch_id).await?;
    let ruling = Ruling::for_payment(engine, &shop).await?;
    let scanned = code::issue::scanned(engine, &ruling, &ask.qrcode);
    let (placed, scanned) = match (store_in_use(&shop, &ask), scanned) {
        (Err(problem), scanned) => (Err(No::Refused(problem)), scanned.ok()),
        (Ok(()), Err(problem)) => (Err(No::Refused(problem)), None),
        (Ok(()), Ok(scanned)) => {
            let placed = match &scanned.foreign {
                None => place(engine, &shop, &ask, &scanned, &ruling).await,
                Some(code) => foreign::place(engine, &shop, &ask, (&scanned, code), &ruling).await,
            };
            (placed, Some(scanned))
        }
    };
    ruling.finish().await;
    match placed {
        Ok((payment, with)) => answer_in_time(engine, payment, with).await,
        Err(no) => refuse(engine, &shop, &ask, scanned.as_ref(), no).await,
    }
}

/// Decides and writes down; answers the payment, and with what its channel is to be called. What ended between the two is
/// decided anew.
async fn place(
    engine: &Engine,
    shop: &MerchantFile,
    ask: &PayAsk,
    scanned: &Scanned,
    ruling: &Ruling<'_>,
) -> Result<(Payment, With), No> {
    let (mch_id, code_hash) = (&shop.merchant.mch_id, scanned.hash.as_str());
    for _ in 0..DECISIONS_MAX {
        let facts = store::facts::of_code(engine.db.read(), code_hash, mch_id).await;
        let facts = facts.map_err(Problem::from)?;
        let by = Circumstances::of(engine);
        let decision = decide(ask, shop, &facts, (ruling, &scanned.version), &by)?;
        answering(engine, &decision.account)?;
        fail::fail_point!("K1");

        let with = With::Contract(decision.payer.as_ref().map(|payer| payer.handle_sealed.clone()));
        match open(engine, mch_id, ask.clone(), code_hash.to_owned(), decision).await? {
            Opened::Fresh(payment) => {
                fail::fail_point!("K2");
                return Ok((*payment, with));
            }
            // Somebody was faster: with this very number, or with this code.
            Opened::Taken => return Err(No::Refused(code_taken(engine, mch_id, &facts).await?)),
            Opened::Overtaken => {}
        }
    }
    Err(No::Refused(Problem::new(Code::Unavailable)))
}

/// An account whose channel answers nothing is left alone, before anything is written down (FLT-34).
pub(super) fn answering(engine: &Engine, account: &AccountId) -> Result<(), Problem> {
    if !engine.caps.breaker {
        return Ok(());
    }
    engine.health().admit(account, engine.clock.now()).map_err(|wait| {
        let seconds = wait.as_secs().max(1);
        Problem::new(Code::ChannelUnavailable).fact("retry_after_s", seconds)
    })
}

/// The merchant, in use.
async fn shop(engine: &Engine, mch_id: &MchId) -> Result<Arc<MerchantFile>, Problem> {
    let shop = engine.directory.merchant(mch_id).await?;
    shop.filter(|shop| shop.merchant.status == Standing::Active)
        .ok_or_else(|| Problem::new(Code::MerchantDisabled))
}

fn store_in_use(shop: &MerchantFile, ask: &PayAsk) -> Result<(), Problem> {
    match shop.stores.get(&ask.store_id).map(|store| store.status) {
        Some(Standing::Active) => Ok(()),
        Some(Standing::Disabled) => Err(Problem::new(Code::StoreDisabled)),
        None => Err(Problem::new(Code::StoreUnknown).at("store_id")),
    }
}

/// A refusal counts only for a new number: one that was used before answers what became of it. `scanned` is nothing where
/// no payment code was.
async fn refuse(
    engine: &Arc<Engine>,
    shop: &MerchantFile,
    ask: &PayAsk,
    scanned: Option<&Scanned>,
    no: No,
) -> Result<Payment, Problem> {
    let mch_id = &shop.merchant.mch_id;
    if let Some(owner) = store::request_no::find(engine.db.write(), mch_id, &ask.out_request_no).await? {
        let Some(pay_no) = owner.pay_no else {
            return Err(Problem::new(Code::OrderClosed));
        };
        let payment = store::payment::find(engine.db.write(), &pay_no).await?;
        return repeat(
            engine,
            payment.ok_or_else(|| Problem::new(Code::Internal))?,
            ask,
            scanned,
        )
        .await;
    }
    match no {
        No::Refused(problem) => Err(problem),
        No::NeedMandate { uid, code_id, chosen } => {
            tell_need_of_mandate(engine, shop, &uid, code_id, chosen.as_ref()).await?;
            Err(Problem::new(Code::NeedMandate))
        }
    }
}

/// The same number again: the same parameters are answered, others are refused and change nothing (INV-10).
async fn repeat(
    engine: &Arc<Engine>,
    payment: Payment,
    ask: &PayAsk,
    scanned: Option<&Scanned>,
) -> Result<Payment, Problem> {
    let differs = [
        ("total_fee", payment.amount != ask.total_fee),
        (
            "qrcode",
            !code::issue::is_of(engine, scanned, &ask.qrcode, &payment.code_hash),
        ),
        ("store_id", payment.store_id != ask.store_id),
        ("body", payment.body != ask.body),
        ("extra_data", payment.extra_data != ask.extra_data),
    ];
    if let Some((field, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(Problem::new(Code::OutRequestNoConflict).at(*field));
    }
    if payment.state != PaymentState::Paying {
        return Ok(payment);
    }
    // Whoever wrote it down may have died before he sent it. A repeat soon after takes his place, under the same number.
    let now = engine.clock.now();
    let may_resume = now < payment.created_at.plus(limit::RESUME_WINDOW);
    let until = now.plus(engine.caps.send_lease);
    if may_resume && store::payment::take_send(engine.db.write(), &payment.pay_no, now, until).await? {
        let payment = store::payment::find(engine.db.write(), &payment.pay_no)
            .await?
            .unwrap_or(payment);
        let with = match scanned.and_then(|scanned| scanned.foreign.as_ref()) {
            Some(code) => With::Code(code.digits.clone()),
            None => With::Contract(None),
        };
        return answer_in_time(engine, payment, with).await;
    }
    wait_for_end(engine, payment).await
}

/// Sends in the background, so that a till that hangs up cannot stop it half way, and answers when it has ended or when
/// the till's time is over.
async fn answer_in_time(engine: &Arc<Engine>, payment: Payment, with: With) -> Result<Payment, Problem> {
    let pay_no = payment.pay_no.clone();
    let sending = tokio::spawn(send(Arc::clone(engine), payment, with).in_current_span());
    let sent = tokio::time::timeout(engine.caps.till_wait, sending).await;
    fail::fail_point!("K5");
    match sent {
        Ok(Ok(Ok(Some(settled)))) => return Ok(settled),
        // The payment stands; whatever went wrong, the completer finds out how it ends.
        Ok(Ok(Err(problem))) => {
            tracing::error!(payment = %pay_no, error = %problem, "sending payment {pay_no} broke off: {problem}");
        }
        _ => {}
    }
    let payment = store::payment::find(engine.db.write(), &pay_no).await?;
    payment.ok_or_else(|| Problem::new(Code::Internal))
}

/// Somebody else is sending it: waits for the end as long as a till waits.
async fn wait_for_end(engine: &Engine, payment: Payment) -> Result<Payment, Problem> {
    let mut news = engine.live.listen(&topic(&payment));
    let deadline = tokio::time::Instant::now() + engine.caps.till_wait;
    loop {
        let present = store::payment::find(engine.db.write(), &payment.pay_no).await?;
        let present = present.ok_or_else(|| Problem::new(Code::Internal))?;
        if present.state != PaymentState::Paying || tokio::time::timeout_at(deadline, news.recv()).await.is_err() {
            return Ok(present);
        }
    }
}

/// The code was taken between reading and writing: by this merchant or by another.
async fn code_taken(engine: &Engine, mch_id: &MchId, facts: &[store::facts::Facts]) -> Result<Problem, Problem> {
    let Some(code) = facts.first() else {
        return Ok(Problem::new(Code::CodeInvalid));
    };
    let user = store::payment::by_code(engine.db.write(), &code.code_id).await?;
    let ours = user.is_some_and(|payment| payment.mch_id == *mch_id);
    Ok(Problem::new(if ours { Code::CodeUsed } else { Code::CodeInvalid }))
}

/// Tells the App at once that the user must sign; the code is not consumed.
async fn tell_need_of_mandate(
    engine: &Engine,
    shop: &MerchantFile,
    uid: &Uid,
    code_id: CodeId,
    chosen: Option<&ChannelId>,
) -> Result<(), Problem> {
    let mut channels: Vec<&ChannelId> = shop.usable_accounts().map(|account| &account.channel).collect();
    channels.dedup();
    let payload = json!({
        "mch_id": shop.merchant.mch_id,
        "merchant_name": shop.merchant.name,
        "chosen": chosen,
        "channels": channels,
    });
    engine
        .db
        .again(&*engine.random, async || {
            let (tx, kind) = (engine.db.begin().await?, EventKind::MandateNeeded);
            event::push(&tx, kind, uid, Some(code_id.clone()), &payload, engine.clock.now()).await?;
            Ok::<_, Problem>(tx.commit().await?)
        })
        .await?;
    engine.live.wake(uid);
    Ok(())
}
