//! A machine: one Luau virtual machine with one script in it.
//!
//! Nothing of a call is left for the next: the environment and all libraries cannot be written to, the script's main part runs
//! anew for each call, so that its locals are fresh, and a machine in which anything went wrong is thrown away.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use metropay_core::code::form::CodeType;
use metropay_core::rules::{Kind, Wrong};
use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Error, FromLuaMulti, Function, Lua, LuaOptions, StdLib, Table, Value, VmState};

use crate::budget::{Budget, CALL_MEMORY_MAX, DOCUMENT_MEMORY_MAX, MEMORY_MAX};
use crate::host::{self, Surroundings};

/// The name under which a script's lines are told.
pub(crate) const CHUNK: &str = "rule";
const PRELUDE: &str = include_str!("prelude.luau");
/// Garbage that may lie about between two calls, in bytes.
const GARBAGE_MAX: usize = 64 * 1024;
/// A message of a script, at most, in characters.
const MESSAGE_MAX: usize = 300;

/// A script that can be called.
pub(crate) struct Machine {
    lua: Lua,
    budget: Rc<Budget>,
    surroundings: Rc<Surroundings>,
    main: Function,
    call: Function,
    environment: Table,
    /// What it holds between calls, in bytes.
    resting: usize,
    call_memory_max: usize,
}

/// Luau's compiler as scripts get it.
pub(crate) fn compiler() -> Compiler {
    // The environment of scripts is no "safe" one in Luau's sense, so that no library function is called past our own; level 1
    // folds constants and keeps the lines of errors.
    Compiler::new().set_optimization_level(1).set_debug_level(1)
}

impl Machine {
    /// A machine with this text in it, which has been through [`crate::compile::prepared`].
    pub(crate) fn load(kind: Kind, bytecode: &[u8]) -> Result<Self, Wrong> {
        Self::made(kind, bytecode).map_err(|error| raised(&error))
    }

    fn made(kind: Kind, bytecode: &[u8]) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::BIT | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let surroundings = Rc::new(Surroundings {
            code_type: Cell::new(CodeType::Online),
        });
        let compiled = prelude()?;
        let prelude = lua.load(&*compiled).set_name("=host").set_mode(ChunkMode::Binary);
        let (environment, call): (Table, Function) =
            prelude.into_function()?.call(host::tables(&lua, &surroundings)?)?;
        for name in globals_of_no_use(&lua)? {
            lua.globals().raw_set(name, Value::Nil)?;
        }
        lua.sandbox(true)?;
        // Bytecode of our own compiler, made from text a moment ago; scripts never bring any.
        let main = lua
            .load(bytecode)
            .set_name(format!("={CHUNK}"))
            .set_mode(ChunkMode::Binary)
            .set_environment(environment.clone())
            .into_function()?;
        let budget = Rc::new(Budget::new());
        let watch = Rc::clone(&budget);
        lua.set_interrupt(move |_| {
            if watch.may_go_on() {
                Ok(VmState::Continue)
            } else {
                Err(Error::runtime("over budget"))
            }
        });
        lua.gc_collect()?;
        lua.gc_stop();
        let resting = lua.used_memory();
        let call_memory_max = match kind {
            Kind::Membership => DOCUMENT_MEMORY_MAX,
            Kind::Routing | Kind::Fee | Kind::Code => CALL_MEMORY_MAX,
        };
        Ok(Self {
            lua,
            budget,
            surroundings,
            main,
            call,
            environment,
            resting,
            call_memory_max,
        })
    }

    /// The Luau machine, for building a question.
    pub(crate) fn lua(&self) -> &Lua {
        &self.lua
    }

    /// What it holds between calls, in bytes.
    pub(crate) fn resting(&self) -> usize {
        self.resting
    }

    /// What scripts can reach.
    pub(crate) fn environment(&self) -> &Table {
        &self.environment
    }

    /// Sets what the next question brings along.
    pub(crate) fn set_code_type(&self, code_type: CodeType) {
        self.surroundings.code_type.set(code_type);
    }

    /// Lets membership documents, or a file of tests, have more memory.
    pub(crate) fn with_document_memory(mut self) -> Self {
        self.call_memory_max = DOCUMENT_MEMORY_MAX;
        self
    }

    /// Runs the script's main part alone.
    pub(crate) fn run_main(&self) -> Result<Value, Wrong> {
        self.guarded(|| self.main.call(()))
    }

    /// Asks one of the script's functions.
    pub(crate) fn ask(&self, entry: &str, question: &Table) -> Result<Value, Wrong> {
        self.guarded(|| self.call.call((&self.main, entry, question)))
    }

    /// Runs something within the budget.
    fn guarded<T: FromLuaMulti>(&self, run: impl FnOnce() -> mlua::Result<T>) -> Result<T, Wrong> {
        let limit = self.lua.used_memory().saturating_add(self.call_memory_max);
        let limited = self.lua.set_memory_limit(limit.min(MEMORY_MAX));
        self.budget.begin();
        let answer = limited.and_then(|_| run());
        // What the host does next, reading the answer above all, is bounded by the host.
        let unlimited = self.lua.set_memory_limit(0);
        if self.budget.is_over() {
            return Err(Wrong::Budget);
        }
        let answer = answer.map_err(|error| raised(&error))?;
        unlimited.map_err(|error| raised(&error))?;
        Ok(answer)
    }

    /// Clears up after a call that went well.
    pub(crate) fn rest(&self) -> Result<(), Wrong> {
        if self.lua.used_memory() > self.resting.saturating_add(GARBAGE_MAX) {
            self.lua.gc_collect().map_err(|error| raised(&error))?;
            // A full collection starts the collector again.
            self.lua.gc_stop();
        }
        Ok(())
    }
}

/// The prelude, compiled once for all machines.
fn prelude() -> mlua::Result<Arc<[u8]>> {
    static COMPILED: OnceLock<Arc<[u8]>> = OnceLock::new();
    if let Some(compiled) = COMPILED.get() {
        return Ok(Arc::clone(compiled));
    }
    let compiled: Arc<[u8]> = compiler().compile(PRELUDE)?.into();
    Ok(Arc::clone(COMPILED.get_or_init(|| compiled)))
}

/// Everything of Luau's own environment. Scripts have another; what they cannot have is not kept either.
fn globals_of_no_use(lua: &Lua) -> mlua::Result<Vec<Value>> {
    let globals = lua.globals();
    globals.pairs::<Value, Value>().map(|pair| Ok(pair?.0)).collect()
}

/// What an error of Luau's means. Its text is the script's own words, with the line, without the stack.
pub(crate) fn raised(error: &Error) -> Wrong {
    match error {
        Error::MemoryError(_) => Wrong::Memory,
        Error::CallbackError { traceback, cause } => match raised(cause) {
            Wrong::Raised(text) if !text.starts_with(CHUNK) => match line_of(traceback) {
                Some(line) => Wrong::Raised(format!("{CHUNK}:{line}: {text}")),
                None => Wrong::Raised(text),
            },
            other => other,
        },
        Error::RuntimeError(text) => {
            let text = text.split("\nstack traceback:").next().unwrap_or_default();
            if text.contains("stack overflow") || text.ends_with("not enough memory") {
                return Wrong::Memory;
            }
            Wrong::Raised(bounded(text))
        }
        other => Wrong::Raised(bounded(&other.to_string())),
    }
}

/// The first line of the script in a stack.
pub(crate) fn line_of(text: &str) -> Option<u32> {
    let marked = format!("{CHUNK}:");
    text.split(&marked).skip(1).find_map(|after| {
        let digits = after.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().ok()
    })
}

/// A text cut to what a message may have.
pub(crate) fn bounded(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
