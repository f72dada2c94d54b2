//! The machines of a thread: one for each version of a script that was asked here lately.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use metropay_core::rules::{Script, Wrong};

use crate::budget::ATTEMPTS_MAX;
use crate::compile;
use crate::vm::Machine;

/// Machines of a thread, at most. One takes about 100 KiB.
pub(crate) const MACHINES_MAX: usize = 512;

#[derive(Default)]
struct Machines {
    kept: HashMap<String, Kept>,
    calls: u64,
}

struct Kept {
    /// What it was made from: a version names its content, and this holds it to that.
    source: Arc<str>,
    machine: Machine,
    used: u64,
}

thread_local! {
    static MACHINES: RefCell<Machines> = RefCell::default();
}

/// Runs something on a script's machine, which is made where there is none; it is kept only when everything went well.
pub(crate) fn with<T>(script: &Script, run: impl Fn(&Machine) -> Result<T, Wrong>) -> Result<T, Wrong> {
    let mut attempt = 1;
    loop {
        let machine = match taken(script) {
            Some(machine) => machine,
            None => compile::machine(script.kind, &script.source)?,
        };
        match run(&machine) {
            Ok(answer) => {
                machine.rest()?;
                keep(script, machine);
                return Ok(answer);
            }
            Err(Wrong::Budget) if machine.was_starved() && attempt < ATTEMPTS_MAX => attempt += 1,
            Err(wrong) => return Err(wrong),
        }
    }
}

fn taken(script: &Script) -> Option<Machine> {
    MACHINES.with_borrow_mut(|machines| {
        let kept = machines.kept.remove(script.version.as_str())?;
        let same = Arc::ptr_eq(&kept.source, &script.source) || kept.source == script.source;
        same.then_some(kept.machine)
    })
}

fn keep(script: &Script, machine: Machine) {
    let dropped = MACHINES.with_borrow_mut(|machines| {
        machines.calls = machines.calls.saturating_add(1);
        let mut dropped = None;
        if machines.kept.len() >= MACHINES_MAX {
            let oldest = machines.kept.iter().min_by_key(|(_, kept)| kept.used);
            let oldest = oldest.map(|(version, _)| version.clone());
            dropped = oldest.and_then(|version| machines.kept.remove(&version));
        }
        let kept = Kept {
            source: Arc::clone(&script.source),
            machine,
            used: machines.calls,
        };
        machines.kept.insert(script.version.as_str().to_owned(), kept);
        dropped
    });
    drop(dropped);
}

/// What a thread keeps of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How many scripts are ready to be asked.
    pub machines: usize,
    /// What they take together between calls, in bytes.
    pub bytes: usize,
}

/// What this thread keeps.
pub fn held() -> Held {
    MACHINES.with_borrow(|machines| Held {
        machines: machines.kept.len(),
        bytes: machines
            .kept
            .values()
            .map(|kept| kept.machine.resting())
            .fold(0, usize::saturating_add),
    })
}
