//! What comes of checking a script.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Kind;

/// Why a script is refused: a stable word, where, and the reason in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of script.
    pub kind: Kind,
    /// The reason's word.
    pub word: RefusalWord,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
    /// The reason in Chinese.
    pub zh: String,
    /// The reason in English.
    pub en: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {} / {}", self.zh, self.en)
    }
}

/// The reasons there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalWord {
    /// Longer than 64 KiB.
    TooLong,
    /// Compiled code instead of text.
    Bytecode,
    /// No UTF-8.
    NotText,
    /// It does not compile.
    Syntax,
    /// It has not the functions that its kind has, or others.
    Entry,
    /// It raised an error while it was loaded or tried.
    Raised,
    /// It was over its budget of time or memory while it was loaded or tried.
    Budget,
    /// It answered what its kind does not allow.
    Answer,
    /// A test of its own failed.
    TestFailed,
    /// A test of its own took longer than a millisecond.
    TooSlow,
    /// Its tests cannot be read, or there are none.
    Tests,
    /// Its codes would be taken for something else.
    Collides,
    /// It does not recognise its own codes, or takes others' for its own.
    Recognition,
}

/// How a test of a script went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRun {
    /// Its name.
    pub name: String,
    /// What differed; nothing where it passed.
    pub failed: Option<String>,
    /// How long the call took, in microseconds.
    pub took_us: u64,
}
