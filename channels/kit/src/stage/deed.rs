//! A question to an adapter, of whichever kind, and what the adapter said, in words that can be compared.

use anyhow::Result;
use metropay_core::channel::{
    CallError, Called, Channel, CodePayQuestion, ContractRef, DeductQuestion, Outcome, PaymentRef, RefundQuestion,
    ReverseQuestion, SignQuestion, Standing,
};

use super::bench::Bench;
use super::lane::{Lane, code_payment, payment};
use crate::fault::Act;

/// A question.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Deduct(DeductQuestion),
    PayByCode(CodePayQuestion),
    Query(PaymentRef),
    Reverse(ReverseQuestion),
    Refund(RefundQuestion),
    QueryRefund(RefundQuestion),
    Sign(SignQuestion),
    QueryContract(ContractRef),
    CloseContract(ContractRef),
}

/// What an adapter said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Something about the world.
    Fact(String),
    /// In progress.
    Pending,
    /// Nothing was sent.
    NotSent(String),
    /// The outcome is unknown.
    MaybeDone(String),
}

impl Said {
    fn of<T: std::fmt::Debug>(called: Called<T>) -> Self {
        match called {
            Ok(Outcome::Done(done)) => Self::Fact(format!("Done({done:?})")),
            Ok(Outcome::Refused(refusal)) => Self::Fact(format!("Refused({})", refusal.code)),
            Ok(Outcome::Pending) => Self::Pending,
            Err(error) => Self::error(error),
        }
    }

    fn told<T: std::fmt::Debug>(told: Result<T, CallError>) -> Self {
        match told {
            Ok(standing) => Self::Fact(format!("{standing:?}")),
            Err(error) => Self::error(error),
        }
    }

    fn error(error: CallError) -> Self {
        match error {
            CallError::NotSent(text) => Self::NotSent(text),
            CallError::MaybeDone(text) => Self::MaybeDone(text),
        }
    }
}

impl Deed {
    /// Our number in it, by which a gateway finds it.
    pub(crate) fn no(&self) -> &str {
        match self {
            Self::Deduct(question) => question.no.as_str(),
            Self::PayByCode(question) => question.no.as_str(),
            Self::Query(payment) => payment.no.as_str(),
            Self::Reverse(question) => question.payment.no.as_str(),
            Self::Refund(question) | Self::QueryRefund(question) => question.no.as_str(),
            Self::Sign(question) => question.contract.no.as_str(),
            Self::QueryContract(contract) | Self::CloseContract(contract) => contract.no.as_str(),
        }
    }

    /// Prepares a question that, undisturbed, succeeds. `None` where the channel or gateway has no such thing.
    pub(crate) async fn prepare(bench: &Bench, act: Act) -> Result<Option<Self>> {
        let lane = bench.lane().await?;
        let amount = bench.amount()?;
        Ok(Some(match act {
            Act::Deduct => Self::Deduct(Lane::deduction(bench, &bench.contract().await?, amount)),
            Act::PayByCode => match lane.code_question(bench, false).await? {
                Some(question) => Self::PayByCode(question),
                None => return Ok(None),
            },
            Act::Query => Self::Query(lane.paid(bench, amount).await?),
            Act::Reverse => Self::Reverse(Lane::reversal_of(bench, &lane.paid(bench, amount).await?)),
            Act::Refund => Self::Refund(Lane::refund_of(bench, &lane.paid(bench, amount).await?, amount)),
            Act::QueryRefund => {
                let payment = lane.paid(bench, amount).await?;
                Self::QueryRefund(lane.refunded(bench, &payment, amount).await?)
            }
            Act::Sign => Self::Sign(Lane::signing(bench, &lane.fresh_contract(bench))),
            Act::QueryContract => Self::QueryContract(bench.contract().await?),
            Act::CloseContract => Self::CloseContract(lane.signed(bench).await?),
            Act::Notify => return Ok(None),
        }))
    }

    /// Asks.
    pub(crate) async fn ask(&self, bench: &Bench, channel: &dyn Channel) -> Said {
        let said = match self {
            Self::Deduct(question) => Said::of(channel.deduct(question).await),
            Self::PayByCode(question) => match channel.code_pay() {
                Some(ability) => Said::of(ability.pay_by_code(question).await),
                None => Said::Pending,
            },
            Self::Query(payment) => Said::told(channel.query_payment(payment).await),
            Self::Reverse(question) => Said::of(channel.reverse(question).await),
            Self::Refund(question) => Said::of(channel.refund(question).await),
            Self::QueryRefund(question) => Said::told(channel.query_refund(question).await),
            Self::Sign(question) => Said::of(channel.sign_contract(question).await),
            Self::QueryContract(contract) => Said::told(channel.query_contract(contract).await),
            Self::CloseContract(contract) => Said::of(channel.close_contract(contract).await),
        };
        if let Said::NotSent(text) | Said::MaybeDone(text) = &said {
            bench.hear(text);
        }
        said
    }

    /// What a right adapter might say to this question after it was asked: by another question where it moves money.
    pub(crate) async fn truth(&self, bench: &Bench, channel: &dyn Channel) -> Said {
        let payment = match self {
            Self::Deduct(question) => payment(question),
            Self::PayByCode(question) => code_payment(question),
            _ => return self.ask(bench, channel).await,
        };
        match channel.query_payment(&payment).await {
            Ok(Standing::Paid(paid)) => Said::Fact(format!("Done({paid:?})")),
            Ok(other) => Said::Fact(format!("{other:?}")),
            Err(error) => Said::error(error),
        }
    }

    /// Whether it asks for money to move.
    pub(crate) fn moves_money(&self) -> bool {
        matches!(
            self,
            Self::Deduct(_) | Self::PayByCode(_) | Self::Reverse(_) | Self::Refund(_)
        )
    }
}
