//! The door of merchants' tills: the payment API under `/metro/payment/v1/api/qrcode/`, and the
//! merchant's webhooks under `/metro/payment/v1/api/webhook/`. Every request is signed by the
//! merchant, every answer by the platform.
//!
//! Only a 4xx or a signed `PS_FAILED` means "not paid"; a 5xx and silence mean "query". A refusal is about the request
//! that it answers: of an earlier one with the same number it says nothing, except where that number is what it is about.

mod apply_pay;
mod bill;
mod budgets;
mod err_desc;
mod form;
mod order;
mod order_query;
mod query_uid;
mod refund;
mod reverse;
mod signed;
mod webhook;
mod window;

use metropay_core::problem::Code;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Doors;

pub use budgets::{BudgetSettings, Budgets};

/// What every endpoint of a till may refuse with.
const EVERYWHERE: &[Code] = &[
    Code::SignMissing,
    Code::SignMalformed,
    Code::SignInvalid,
    Code::TimestampOutOfWindow,
    Code::NonceReplayed,
    Code::CertRevoked,
    Code::CertExpired,
    Code::MerchantDisabled,
    Code::JsonInvalid,
    Code::ContentTypeUnsupported,
    Code::BodyTooLarge,
    Code::ParamMissing,
    Code::ParamInvalid,
    Code::RateLimited,
    Code::Internal,
    Code::Unavailable,
];

/// What an endpoint may refuse with that takes an order by either of its numbers.
const BY_NUMBER: &[Code] = &[Code::ParamEitherOr, Code::IdsDisagree, Code::OrderNotFound];

/// The paths of tills.
pub fn router() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
        .routes(routes!(apply_pay::apply_pay))
        .routes(routes!(query_uid::query_uid))
        .routes(routes!(order_query::order_query))
        .routes(routes!(reverse::reverse))
        .routes(routes!(refund::refund))
        .routes(routes!(bill::bill))
        .routes(routes!(webhook::create::create))
        .routes(routes!(webhook::list::list))
        .routes(routes!(webhook::update::update))
        .routes(routes!(webhook::remove::remove))
        .routes(routes!(webhook::prove::prove))
        .routes(routes!(webhook::disable::disable))
        .routes(routes!(webhook::rotate::rotate))
        .routes(routes!(webhook::ping::ping))
        .routes(routes!(webhook::deliveries::deliveries))
        .routes(routes!(webhook::replay::replay))
}
