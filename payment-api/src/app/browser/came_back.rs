//! `GET|POST /app/return/{mandate_id}/{nonce}/{state}`: the way back from the channel's signing page. What the browser
//! brings along proves nothing and is not read; the channel is asked.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use metropay_core::id::MandateId;
use metropay_core::mandate::{self, Mandate, MandateState};
use metropay_core::problem::{Code, Problem};
use metropay_web::{Call, Language};

use super::page::{Page, refused};
use super::sign::passed_on;
use crate::Doors;

type Names = (String, String, String);

pub(super) async fn came_back(
    call: Call,
    State(doors): State<Doors>,
    path: Result<Path<Names>, PathRejection>,
) -> Response {
    let answered = answered(&call, &doors, path).await;
    answered.unwrap_or_else(|problem| refused(&call, problem, &*doors.queries.random))
}

async fn answered(call: &Call, doors: &Doors, path: Result<Path<Names>, PathRejection>) -> Result<Response, Problem> {
    let Path((id, nonce, state)) = path.map_err(|_| Problem::new(Code::StateInvalid))?;
    let mandate = mandate::came_back(&doors.queries, &MandateId(id), &nonce, &state).await?;
    match &doors.app.return_url {
        Some(url) => passed_on(&with_result(url, &mandate)),
        None => Ok(result(mandate.state, call.language).answer(&*doors.queries.random)),
    }
}

/// The App's own page, told which mandate it is about and how it stands: in the query, before a fragment.
fn with_result(url: &str, mandate: &Mandate) -> String {
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, rest)| (url, Some(rest)));
    let joint = if url.contains('?') { '&' } else { '?' };
    let (id, state) = (&mandate.mandate_id, word(mandate.state));
    let fragment = fragment.map(|rest| format!("#{rest}")).unwrap_or_default();
    format!("{url}{joint}mandate_id={id}&state={state}{fragment}")
}

const fn word(state: MandateState) -> &'static str {
    match state {
        MandateState::Pending => "PENDING",
        MandateState::Active => "ACTIVE",
        MandateState::Suspended => "SUSPENDED",
        MandateState::Closed => "CLOSED",
    }
}

fn result(state: MandateState, language: Language) -> Page {
    let (title, text) = match (state, language) {
        (MandateState::Active, Language::Chinese) => ("已开通", "免密支付已开通，请返回 App，出示消费码后再次扫码。"),
        (MandateState::Active, Language::English) => (
            "Authorised",
            "Paying without a password is on. Go back to the App and have your code scanned again.",
        ),
        (MandateState::Pending, Language::Chinese) => ("处理中", "签约结果确认中，请返回 App 查看。"),
        (MandateState::Pending, Language::English) => (
            "In progress",
            "The result is being confirmed. Go back to the App to see it.",
        ),
        (MandateState::Suspended | MandateState::Closed, Language::Chinese) => {
            ("未开通", "免密支付未开通，请返回 App 重新发起。")
        }
        (MandateState::Suspended | MandateState::Closed, Language::English) => (
            "Not authorised",
            "Paying without a password is not on. Go back to the App and begin again.",
        ),
    };
    Page {
        status: StatusCode::OK,
        language,
        title,
        text,
    }
}

#[cfg(test)]
mod tests {
    use metropay_core::clock::Time;

    use super::*;

    #[test]
    fn the_apps_own_page_learns_mandate_and_state() {
        let mandate = Mandate {
            mandate_id: "M1".into(),
            uid: "u".into(),
            mch_id: "m".into(),
            channel: "c".into(),
            account_id: "a".into(),
            contract_no: "n".into(),
            state: MandateState::Active,
            living: None,
            created_at: Time(0),
            activated_at: None,
            ended_at: None,
            ended_by: None,
        };
        let cases = [
            (
                "https://app.example/done",
                "https://app.example/done?mandate_id=M1&state=ACTIVE",
            ),
            (
                "https://app.example/?from=pay",
                "https://app.example/?from=pay&mandate_id=M1&state=ACTIVE",
            ),
            (
                "https://app.example/#/done",
                "https://app.example/?mandate_id=M1&state=ACTIVE#/done",
            ),
            ("metro://mandates", "metro://mandates?mandate_id=M1&state=ACTIVE"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_result(url, &mandate), expected);
        }
    }

    #[test]
    fn the_page_says_in_both_languages_how_it_went() {
        let states = [
            (MandateState::Active, "已开通"),
            (MandateState::Pending, "处理中"),
            (MandateState::Suspended, "未开通"),
            (MandateState::Closed, "未开通"),
        ];
        for (state, expected) in states {
            assert_eq!(result(state, Language::Chinese).title, expected);
            assert!(result(state, Language::English).title.is_ascii());
        }
    }
}
