//! A machine: one Luau virtual machine with one script in it.
//!
//! Nothing of a call is left for the next: the environment and all libraries cannot be written to, the script's main part runs
//! anew for each call, so that its locals are fresh, and a machine in which anything went wrong is thrown away.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::OnceLock;

use metropay_core::code::form::CodeType;
use metropay_core::rules::{Kind, Wrong};
use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Error, FromLuaMulti, Function, Lua, LuaOptions, StdLib, Table, Value, VmState};

use crate::budget::{Budget, CALL_MEMORY_MAX, DOCUMENT_MEMORY_MAX, MEMORY_MAX};
use crate::host::{self, Surroundings};

/// The name under which a script's lines are told.
pub(crate) const CHUNK: &str = "rule";
/// What every machine runs first, without a name; and the libraries that it runs where a script names them.
const PRELUDES: [(&str, &str); 4] = [
    ("", include_str!("prelude.luau")),
    ("list", include_str!("prelude/list.luau")),
    ("text", include_str!("prelude/text.luau")),
    ("pick", include_str!("prelude/pick.luau")),
];
/// Luau's own libraries that are loaded where a script names one of these.
const OPTIONAL: [(StdLib, &[&str]); 2] = [(StdLib::UTF8, &["utf8", "text"]), (StdLib::BIT, &["bit32"])];
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
    /// A machine with this script in it.
    pub(crate) fn load(kind: Kind, prepared: &Prepared) -> Result<Self, Wrong> {
        Self::made(kind, prepared).map_err(|error| raised(&error))
    }

    fn made(kind: Kind, prepared: &Prepared) -> mlua::Result<Self> {
        let mut libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        for (library, users) in OPTIONAL {
            if users.iter().any(|user| prepared.libraries.contains(user)) {
                libraries |= library;
            }
        }
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let surroundings = Rc::new(Surroundings {
            code_type: Cell::new(CodeType::Online),
        });
        let (environment, call) = environment(&lua, &surroundings, &prepared.libraries)?;
        for name in globals_of_no_use(&lua)? {
            lua.globals().raw_set(name, Value::Nil)?;
        }
        lua.sandbox(true)?;
        // Bytecode of our own compiler, made from text a moment ago; scripts never bring any.
        let main = lua
            .load(&*prepared.bytecode)
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

    /// Whether the call that is over its budget hardly ran, so that its question may be asked again.
    pub(crate) fn was_starved(&self) -> bool {
        self.budget.was_starved()
    }

    /// Clears up after a call that went well.
    pub(crate) fn rest(&self) -> Result<(), Wrong> {
        if self.lua.used_memory() > self.resting.saturating_add(GARBAGE_MAX) {
            self.clear()?;
        }
        Ok(())
    }

    /// Collects everything that is no more used.
    pub(crate) fn clear(&self) -> Result<(), Wrong> {
        self.lua.gc_collect().map_err(|error| raised(&error))?;
        // A full collection starts the collector again.
        self.lua.gc_stop();
        Ok(())
    }
}

/// A text that is fit to run, compiled.
pub(crate) struct Prepared {
    pub(crate) bytecode: Vec<u8>,
    /// Those libraries that it names and that not every machine has.
    pub(crate) libraries: Vec<&'static str>,
}

/// The names of the libraries that a machine need not have.
pub(crate) fn optional_libraries() -> impl Iterator<Item = &'static str> {
    let own = PRELUDES
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty());
    let luaus = OPTIONAL.into_iter().flat_map(|(_, users)| users.iter().copied());
    own.chain(luaus)
}

/// The environment of scripts, and what calls them.
fn environment(
    lua: &Lua,
    surroundings: &Rc<Surroundings>,
    libraries: &[&'static str],
) -> mlua::Result<(Table, Function)> {
    let host = host::tables(lua, surroundings)?;
    let loaded = lua.create_table()?;
    let mut answer = None;
    for (name, bytecode) in preludes()?.iter().rev() {
        if !name.is_empty() && !libraries.contains(name) {
            continue;
        }
        let prelude = lua
            .load(&**bytecode)
            .set_name("=host")
            .set_mode(ChunkMode::Binary)
            .into_function()?;
        if name.is_empty() {
            host.raw_set("libraries", &loaded)?;
            answer = Some(prelude.call(&host)?);
        } else {
            loaded.raw_set(*name, prelude)?;
        }
    }
    answer.ok_or_else(|| Error::runtime("there is no prelude"))
}

/// Each prelude's name and compiled code.
type Preludes = Vec<(&'static str, Vec<u8>)>;

/// The preludes, compiled once for all machines.
fn preludes() -> mlua::Result<&'static Preludes> {
    static COMPILED: OnceLock<Preludes> = OnceLock::new();
    if let Some(compiled) = COMPILED.get() {
        return Ok(compiled);
    }
    // Without lines, which nobody is told: what a machine need not hold is saved a thousand times.
    let compiler = compiler().set_debug_level(0);
    let compiled = PRELUDES
        .into_iter()
        .map(|(name, source)| Ok((name, compiler.compile(source)?)));
    let compiled = compiled.collect::<mlua::Result<Preludes>>()?;
    Ok(COMPILED.get_or_init(|| compiled))
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
