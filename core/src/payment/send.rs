//! Sending a payment to its channel, and waiting for the outcome inside the till's time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::{News, Payment, PaymentState, settle, topic};
use crate::channel::{CallError, CodePayQuestion, DeductQuestion, Hint, Outcome, PaymentRef, Refusal};
use crate::engine::Engine;
use crate::mandate;
use crate::problem::{Code, Problem};
use crate::secret::Secret;
use crate::store;
use crate::vault::Place;

/// Between two questions about a payment, whatever a channel's cadence says.
const SHORTEST: Duration = Duration::from_millis(50);
/// The wait of a channel whose cadence names none.
const LONGEST: Duration = Duration::from_secs(5);

/// How a channel is asked about a payment.
pub(crate) fn reference(payment: &Payment) -> PaymentRef {
    PaymentRef {
        product: payment.product,
        no: payment.pay_no.clone(),
        at: payment.created_at,
        amount: payment.amount,
        channel_no: payment.channel_no.clone(),
    }
}

/// With what a channel is called.
#[derive(Debug)]
pub(super) enum With {
    /// The contract's handle, sealed; nothing where it must be looked up.
    Contract(Option<String>),
    /// The payment code of the channel's own that was scanned. It is kept nowhere else.
    Code(Secret),
}

/// Calls the channel, outside any transaction, and passes what it says through the gate. Answers the payment as it was
/// settled here; nothing where somebody else settled it, or nobody did.
#[tracing::instrument(level = "debug", name = "payment.send", skip_all, fields(channel = %payment.channel, product = payment.product.word()))]
pub(super) async fn send(engine: Arc<Engine>, payment: Payment, with: With) -> Result<Option<Payment>, Problem> {
    let channel = engine.adapter_of(&payment.account_id).await?;
    if engine.clock.now() >= payment.send_until {
        // We slept past our time; somebody else may be sending it, or have closed it by proof that it was never sent.
        return Ok(None);
    }
    // A notification may overtake the answer: who begins to listen only afterwards misses it.
    let wakes = engine.live.listen(&topic(&payment));
    let called = match with {
        With::Contract(sealed) => {
            let handle = handle(&engine, &payment, sealed).await?;
            channel.deduct(&deduction(&payment, handle)).await
        }
        With::Code(code) => match channel.code_pay() {
            Some(product) => product.pay_by_code(&code_payment(&payment, code)).await,
            // The account was set up anew in the meantime; whoever called it before is asked about.
            None => Err(CallError::NotSent("the account has no payment-code product".to_owned())),
        },
    };
    fail::fail_point!("K4");
    let news = match called {
        Ok(Outcome::Done(paid)) => Some(News::Paid(paid)),
        Ok(Outcome::Refused(refusal)) => {
            if refusal.hint == Hint::ContractGone
                && let Some(contract_no) = &payment.contract_no
            {
                mandate::recheck(&engine, contract_no).await;
            }
            // What a repeat is refused for says nothing about the sending before it, which may have paid: the order is asked for.
            (payment.sends == 1).then_some(News::Failed(refusal))
        }
        Ok(Outcome::Pending) => None,
        // Nothing left this machine, and nobody else has sent it: there is no debit and there will be none.
        Err(CallError::NotSent(why)) if payment.sends == 1 => Some(News::Failed(unreachable(why))),
        Err(error) => {
            tracing::warn!(payment = %payment.pay_no, channel = %payment.channel, %error,
                "payment {}: {error}", payment.pay_no);
            None
        }
    };
    match news {
        Some(news) => settle::settle_sent(&engine, payment, &news).await.map(Some),
        None => ask_until_known(&engine, &payment, wakes).await,
    }
}

fn deduction(payment: &Payment, contract_handle: String) -> DeductQuestion {
    DeductQuestion {
        no: payment.pay_no.clone(),
        at: payment.created_at,
        amount: payment.amount,
        body: payment.body.clone(),
        store: payment.store_id.0.clone(),
        contract_handle,
    }
}

fn code_payment(payment: &Payment, code: Secret) -> CodePayQuestion {
    CodePayQuestion {
        no: payment.pay_no.clone(),
        at: payment.created_at,
        amount: payment.amount,
        body: payment.body.clone(),
        store: payment.store_id.0.clone(),
        code,
    }
}

fn unreachable(why: String) -> Refusal {
    Refusal {
        code: "CHANNEL_UNREACHABLE".to_owned(),
        text: why,
        hint: Hint::None,
    }
}

/// The handle that the deduction must name.
async fn handle(engine: &Engine, payment: &Payment, sealed: Option<String>) -> Result<String, Problem> {
    let contract_no = payment
        .contract_no
        .as_ref()
        .ok_or_else(|| Problem::new(Code::Internal))?;
    let sealed = match sealed {
        Some(sealed) => sealed,
        None => {
            let contract = store::contract::find(engine.db.read(), contract_no).await?;
            contract
                .and_then(|contract| contract.handle_sealed)
                .ok_or_else(|| Problem::new(Code::Internal))?
        }
    };
    let place = Place {
        table: "contract",
        column: "handle_sealed",
        row: contract_no.as_str(),
    };
    engine.unseal(place, &sealed)
}

/// Accepted is not paid: asks on the channel's cadence, whose last wait repeats, until the outcome is known or the till's
/// time is over. A notification that comes first ends the waiting at once, also when there is no time for another question.
async fn ask_until_known(
    engine: &Engine,
    payment: &Payment,
    mut wakes: Receiver<()>,
) -> Result<Option<Payment>, Problem> {
    let channel = engine.adapter_of(&payment.account_id).await?;
    let deadline = Instant::now() + engine.caps.till_wait;
    let cadence = channel.cadence(payment.product).payment;
    let mut waits = cadence
        .iter()
        .chain(std::iter::repeat(cadence.last().unwrap_or(&LONGEST)));
    loop {
        let wait = waits.next().unwrap_or(&LONGEST).max(&SHORTEST);
        let next = (Instant::now() + *wait).min(deadline);
        if let Ok(Err(RecvError::Closed)) = tokio::time::timeout_at(next, wakes.recv()).await {
            tokio::time::sleep_until(next).await;
        }
        let present = store::payment::find(engine.db.read(), &payment.pay_no).await?;
        if present.is_none_or(|present| present.state != PaymentState::Paying) || Instant::now() >= deadline {
            return Ok(None);
        }
        match channel.query_payment(&reference(payment)).await {
            Ok(standing) => {
                if let Some(known) = News::from_standing(&standing) {
                    return settle::settle(engine, &payment.pay_no, &known).await.map(Some);
                }
            }
            Err(error) => {
                tracing::warn!(payment = %payment.pay_no, %error, "asking about payment {}: {error}", payment.pay_no);
            }
        }
    }
}
