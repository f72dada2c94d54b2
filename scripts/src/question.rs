//! Questions as the tables that scripts see. Built by hand: every payment passes here.
//!
//! Mandates never enter, nor do secrets; a user and a telephone number enter membership alone.

use chrono::{Datelike, Timelike};
use metropay_core::channel::health::Breaker;
use metropay_core::clock::Time;
use metropay_core::code::form::CodeType;
use metropay_core::id::ChannelId;
use metropay_core::rules::CONTRACT;
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::fee::FeeQuestion;
use metropay_core::rules::membership::{MembershipQuestion, MembershipReply};
use metropay_core::rules::route::{RouteQuestion, Way};
use mlua::{Lua, Result, Table};

use crate::json;

/// A question's table, with its contract.
fn table(lua: &Lua, fields: usize) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, fields.saturating_add(1))?;
    table.raw_set("contract", CONTRACT)?;
    Ok(table)
}

/// What a routing rule is asked.
pub(crate) fn route(lua: &Lua, question: &RouteQuestion) -> Result<Table> {
    let q = table(lua, 9)?;
    q.raw_set("mch_id", question.mch_id.as_str())?;
    q.raw_set("category", question.category.as_deref())?;
    q.raw_set("store_id", question.store_id.as_str())?;
    q.raw_set("amount", question.amount.get())?;
    q.raw_set("at", moment(lua, question.at)?)?;
    q.raw_set("draw", question.draw)?;
    q.raw_set("chosen", question.chosen.as_ref().map(ChannelId::as_str))?;
    q.raw_set("preferred", question.preferred.as_ref().map(ChannelId::as_str))?;
    let ways = lua.create_table_with_capacity(question.ways.len(), 0)?;
    for one in &question.ways {
        ways.raw_push(way(lua, one)?)?;
    }
    q.raw_set("ways", ways)?;
    Ok(q)
}

fn way(lua: &Lua, way: &Way) -> Result<Table> {
    let health = lua.create_table_with_capacity(0, 3)?;
    health.raw_set("breaker", breaker(way.health.breaker))?;
    health.raw_set("answered_permille", way.health.answered_permille)?;
    health.raw_set("latency_ms", way.health.latency_ms)?;
    let made = lua.create_table_with_capacity(0, 5)?;
    made.raw_set("channel", way.channel.as_str())?;
    made.raw_set("account", way.account.as_str())?;
    made.raw_set("health", health)?;
    made.raw_set("weight", way.weight)?;
    made.raw_set("cost_rate", way.cost_rate)?;
    Ok(made)
}

fn breaker(state: Breaker) -> &'static str {
    let word = Breaker::ALL.iter().find(|(breaker, _)| *breaker == state);
    word.map_or("closed", |(_, word)| word)
}

/// What a fee rule is asked.
pub(crate) fn fee(lua: &Lua, question: &FeeQuestion) -> Result<Table> {
    let q = table(lua, 10)?;
    q.raw_set("mch_id", question.mch_id.as_str())?;
    q.raw_set("category", question.category.as_deref())?;
    q.raw_set("store_id", question.store_id.as_str())?;
    q.raw_set("channel", question.channel.as_str())?;
    q.raw_set("account", question.account.as_str())?;
    q.raw_set("product", question.product.word())?;
    q.raw_set("amount", question.amount.get())?;
    q.raw_set("agreed_rate", question.agreed_rate)?;
    q.raw_set("at", moment(lua, question.at)?)?;
    if let Some(totals) = question.day_totals {
        let day = lua.create_table_with_capacity(0, 2)?;
        day.raw_set("count", totals.count)?;
        day.raw_set("amount", totals.amount.get())?;
        q.raw_set("day_totals", day)?;
    }
    Ok(q)
}

/// What a code rule is asked when a code is to be issued.
pub(crate) fn issue(lua: &Lua, question: &CodeQuestion) -> Result<Table> {
    let q = table(lua, 2)?;
    q.raw_set("prefix", question.prefix.as_str())?;
    q.raw_set("kind", code_type(question.kind))?;
    Ok(q)
}

/// What a code rule is asked when a till has scanned something.
pub(crate) fn recognise(lua: &Lua, question: &ScanQuestion) -> Result<Table> {
    let q = issue(lua, &question.code)?;
    q.raw_set("scanned", question.scanned.as_str())?;
    Ok(q)
}

/// The word of an environment's type.
pub(crate) const fn code_type(kind: CodeType) -> &'static str {
    match kind {
        CodeType::Online => "online",
        CodeType::Test => "test",
    }
}

/// What a membership rule is asked before the call.
pub(crate) fn request(lua: &Lua, question: &MembershipQuestion) -> Result<Table> {
    let q = table(lua, 6)?;
    q.raw_set("mch_id", question.mch_id.as_str())?;
    q.raw_set("action", question.action.word())?;
    q.raw_set("uid", question.uid.as_str())?;
    q.raw_set("phone", question.phone.as_deref())?;
    q.raw_set("request_no", question.request_no.as_str())?;
    q.raw_set("at", moment(lua, question.at)?)?;
    Ok(q)
}

/// What a membership rule is asked after the call.
pub(crate) fn reply(lua: &Lua, reply: &MembershipReply) -> Result<Table> {
    let q = table(lua, 4)?;
    q.raw_set("action", reply.action.word())?;
    q.raw_set("status", reply.status)?;
    if let Some(value) = &reply.json {
        q.raw_set("json", json::to_lua(lua, value)?)?;
    }
    q.raw_set("text", reply.text.as_str())?;
    Ok(q)
}

/// A moment on a Chinese wall clock.
fn moment(lua: &Lua, at: Time) -> Result<Table> {
    let china = at.in_china();
    let made = lua.create_table_with_capacity(0, 9)?;
    made.raw_set("unix", at.unix_seconds())?;
    made.raw_set("year", china.year())?;
    made.raw_set("month", china.month())?;
    made.raw_set("day", china.day())?;
    made.raw_set("hour", china.hour())?;
    made.raw_set("minute", china.minute())?;
    made.raw_set("second", china.second())?;
    made.raw_set("weekday", china.weekday().number_from_monday())?;
    made.raw_set("date", at.day().to_string())?;
    Ok(made)
}
