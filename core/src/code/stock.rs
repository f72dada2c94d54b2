//! Codes in stock, for load drivers: issued ahead in bulk, so that a measured minute is spent on payments alone. No door
//! reaches this.

use std::time::Duration;

use super::form::CodeForm;
use super::issue::{Code, Issued};
use crate::engine::Engine;
use crate::id::{CodeId, Uid};
use crate::problem::Problem;
use crate::rule::{RuleScope, Ruling};
use crate::store;
use crate::vault::IndexPurpose;

/// Codes that are written down by one statement.
const AT_ONCE: usize = 500;

/// One code for each of these users, who may be named several times, alive for `life`. The bounds of the App's door on codes
/// of one user do not hold here.
///
/// # Errors
/// When the database does not answer.
pub async fn stock(engine: &Engine, users: &[Uid], life: Duration) -> Result<Vec<Issued>, Problem> {
    let mut all = Vec::with_capacity(users.len());
    let ruling = Ruling::of(engine, RuleScope::default()).await?;
    let form = ruling.form()?.answer;
    for some in users.chunks(AT_ONCE) {
        let issued: Vec<Issued> = some.iter().map(|uid| one(engine, &form, uid, life)).collect();
        let rows = issued.iter().map(|issued| issued.code.clone()).collect();
        store::code::insert_all(engine.db.write(), rows).await?;
        all.extend(issued);
    }
    Ok(all)
}

fn one(engine: &Engine, form: &CodeForm, uid: &Uid, life: Duration) -> Issued {
    let now = engine.clock.now();
    let digits = form.issue(&*engine.random);
    let code = Code {
        code_id: CodeId::fresh(&*engine.clock, &*engine.random),
        uid: uid.clone(),
        code_hash: engine.vault.index(IndexPurpose::Code, &digits),
        mch_id: None,
        method: None,
        issued_at: now,
        expires_at: now.plus(life),
        ended_at: None,
    };
    Issued {
        code,
        digits,
        symbology: form.symbology(),
    }
}
