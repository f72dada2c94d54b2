//! `GET /app/sign/{mandate_id}/{ticket}`: takes the browser to the channel's signing page.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use metropay_core::channel::SignPage;
use metropay_core::id::MandateId;
use metropay_core::mandate;
use metropay_core::problem::{Code, Problem};
use metropay_web::{Call, Language};

use super::page::{Form, Page, refused};
use crate::Doors;

pub(super) async fn sign(
    call: Call,
    State(doors): State<Doors>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let found = found(&call, &doors, path).await;
    found.unwrap_or_else(|problem| refused(&call, problem, &*doors.queries.random))
}

async fn found(
    call: &Call,
    doors: &Doors,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let Path((id, ticket)) = path.map_err(|_| Problem::new(Code::StateInvalid))?;
    match mandate::sign_page(&doors.queries, &MandateId(id), &ticket).await? {
        SignPage::Redirect { url, .. } => passed_on(&url),
        SignPage::Form { action, fields } => {
            let form = Form {
                action: &action,
                fields: &fields,
            };
            leaving(call.language).answer_posting(&form, &*doors.queries.random)
        }
    }
}

/// Sends the browser on; with what was posted here it does not go there.
///
/// # Errors
/// A fault, when it is no address.
pub(super) fn passed_on(url: &str) -> Result<Response, Problem> {
    let url = HeaderValue::from_str(url).map_err(Problem::fault)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, url)]).into_response())
}

fn leaving(language: Language) -> Page {
    let (title, text) = match language {
        Language::Chinese => ("正在前往签约页", "如未自动跳转，请点击继续。"),
        Language::English => (
            "On the way to the signing page",
            "If nothing happens, continue by the button.",
        ),
    };
    Page {
        status: StatusCode::OK,
        language,
        title,
        text,
    }
}
