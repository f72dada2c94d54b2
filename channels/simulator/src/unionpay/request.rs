//! What the gateway checks of every request, in its order (unionpay reference, 11.2).

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, TimeZone as _};

use super::account::Account;
use super::field;
use super::form::{self, Fields};
use super::message::{Door, Message};
use super::reply::Reply;
use super::seal;
use crate::clock;

/// How far the time of a new transaction may stand from the gateway's.
const SKEW_MAX_MINUTES: i64 = 60;

/// How transaction times are written, in China time.
pub(super) const TIME_FORMAT: &str = "%Y%m%d%H%M%S";

/// Every transaction type that the gateway knows of (unionpay reference, 1.5).
const KNOWN_TYPES: [&str; 26] = [
    "00", "01", "02", "03", "04", "11", "12", "13", "21", "22", "31", "32", "33", "70", "71", "72", "73", "74", "75",
    "76", "77", "78", "79", "94", "95", "99",
];

/// A request that has passed.
pub(super) struct Request {
    pub(super) message: Message,
    pub(super) fields: Fields,
    pub(super) account: Account,
}

impl Request {
    /// The value of a field; blank when it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        text(&self.fields, name)
    }

    /// The identity of the transaction: merId, orderId and txnTime (unionpay reference, 5.3).
    pub(super) fn key(&self) -> String {
        key(&self.fields)
    }

    /// What is kept of the request: all but its signature.
    pub(super) fn kept(&self) -> Fields {
        let mut fields = self.fields.clone();
        fields.remove("signature");
        fields
    }

    /// The amount in fen.
    pub(super) fn amount_fen(&self) -> u64 {
        self.text("txnAmt").parse().unwrap_or(0)
    }

    /// A part of the token domain; blank when it was not sent.
    pub(super) fn token_part(&self, name: &str) -> String {
        form::domain(self.text("tokenPayData"))
            .and_then(|mut parts| parts.remove(name))
            .unwrap_or_default()
    }
}

/// Identity of a transaction.
pub(super) fn key(fields: &Fields) -> String {
    format!(
        "{}/{}/{}",
        text(fields, "merId"),
        text(fields, "orderId"),
        text(fields, "txnTime")
    )
}

pub(super) fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// A transaction time; `None` when it is none.
pub(super) fn time(text: &str) -> Option<DateTime<FixedOffset>> {
    let naive = NaiveDateTime::parse_from_str(text, TIME_FORMAT).ok()?;
    clock::china().from_local_datetime(&naive).single()
}

/// Where a request went wrong.
pub(super) enum Stop {
    /// Unsigned plain text.
    Text(&'static str),
    /// A signed answer.
    Reply(Box<Reply>),
}

fn stop(fields: &Fields, code: &str) -> Stop {
    Stop::Reply(Box::new(Reply::new(fields, code)))
}

/// Checks a request as far as it can be judged without the orders and tokens.
pub(super) fn check(
    door: Door,
    fields: Fields,
    account: Option<Account>,
    gateway_cert_id: Option<&str>,
    now: DateTime<FixedOffset>,
) -> Result<Request, Stop> {
    if door.numbers().iter().any(|name| text(&fields, name).is_empty()) {
        return Err(Stop::Text("Invalid request."));
    }
    let Some(account) = account else {
        return Err(stop(&fields, "10"));
    };
    if account.conduct.blacklisted {
        return Err(Stop::Text(
            "You have been added to the blacklist. Please don't do stress testing. TPS could not be greater than 0.5.",
        ));
    }
    if account.conduct.disabled {
        return Err(stop(&fields, "31"));
    }
    let message = Message::of(door, &fields);
    let known = KNOWN_TYPES.contains(&text(&fields, "txnType"));
    let complaint = field::complaint(message, &fields).or((!known).then_some("Invalid field[txnType]".to_owned()));
    if let Some(complaint) = complaint {
        return Err(Stop::Reply(Box::new(Reply::malformed(
            &fields,
            &complaint,
            gateway_cert_id,
        ))));
    }
    if !seal::accepted(&fields, &account) {
        return Err(stop(&fields, "11"));
    }
    let skew = time(text(&fields, "txnTime")).map_or(TimeDelta::MAX, |sent| (now - sent).abs());
    if message.is_some_and(Message::is_new) && skew > TimeDelta::minutes(SKEW_MAX_MINUTES) {
        return Err(stop(&fields, "10"));
    }
    let forbidden = account
        .conduct
        .no_permission
        .iter()
        .any(|txn_type| txn_type == text(&fields, "txnType"));
    let Some(message) = message.filter(|_| !forbidden) else {
        return Err(stop(&fields, "32"));
    };
    let biz_type = text(&fields, "bizType");
    if !message.business_fits(biz_type) || account.conduct.not_opened.iter().any(|closed| closed == biz_type) {
        return Err(stop(&fields, "43"));
    }
    Ok(Request {
        message,
        fields,
        account,
    })
}
