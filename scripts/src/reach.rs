//! Everything that a script can reach, for the test that holds the environment to a list.

use std::collections::BTreeSet;

use metropay_core::rules::{Kind, Wrong};
use mlua::{LuaString, Table, Value};

use crate::compile;
use crate::vm;

/// The paths of everything that a script can reach, each with what it is: the environment, its libraries, all metatables, and
/// what a text's methods are.
///
/// # Errors
/// When no machine can be made.
pub fn reachable() -> Result<Vec<String>, Wrong> {
    let machine = compile::machine(
        Kind::Fee,
        "local _ = { list, text, pick, utf8, bit32 } return { fee = function(q) return 0 end }",
    )?;
    let mut walk = Walk::default();
    walk.table("", machine.environment())
        .map_err(|error| vm::raised(&error))?;
    if let Some(metatable) = machine.lua().type_metatable::<LuaString>() {
        walk.table("<text>", &metatable).map_err(|error| vm::raised(&error))?;
    }
    for (name, metatable) in [
        ("<number>", machine.lua().type_metatable::<mlua::Number>()),
        ("<boolean>", machine.lua().type_metatable::<bool>()),
        ("<function>", machine.lua().type_metatable::<mlua::Function>()),
        ("<null>", machine.lua().type_metatable::<mlua::LightUserData>()),
    ] {
        if let Some(metatable) = metatable {
            walk.table(name, &metatable).map_err(|error| vm::raised(&error))?;
        }
    }
    Ok(walk.found.into_iter().collect())
}

#[derive(Default)]
struct Walk {
    seen: BTreeSet<usize>,
    found: BTreeSet<String>,
}

impl Walk {
    fn table(&mut self, path: &str, table: &Table) -> mlua::Result<()> {
        let state = if table.is_readonly() { "read-only" } else { "WRITABLE" };
        let shown = if path.is_empty() { "environment" } else { path };
        self.found.insert(format!("{shown}: {state} table"));
        if !self.seen.insert(table.to_pointer() as usize) {
            return Ok(());
        }
        if let Some(metatable) = table.metatable() {
            self.table(&format!("{shown}<meta>"), &metatable)?;
        }
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            let name = match &key {
                Value::String(name) => name.to_string_lossy(),
                other => format!("{other:?}"),
            };
            let path = if path.is_empty() {
                name
            } else {
                format!("{path}.{name}")
            };
            match &value {
                Value::Table(inner) => self.table(&path, inner)?,
                Value::Integer(_) | Value::Number(_) => drop(self.found.insert(format!("{path}: number"))),
                other => drop(self.found.insert(format!("{path}: {}", other.type_name()))),
            }
        }
        Ok(())
    }
}
