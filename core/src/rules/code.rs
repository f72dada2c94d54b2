//! What a `code` rule is asked; it answers with a [`CodeForm`](crate::code::form::CodeForm) and with what a scan is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::code::form::CodeType;

/// What a `code` rule is asked when a code is to be issued: `issue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeQuestion {
    /// The platform's prefix, as configured: two digits.
    pub prefix: String,
    /// The environment's type. Its digit follows the rule's prefix in every code; the host puts it there.
    pub kind: CodeType,
}

/// What a `code` rule is asked when a till has scanned something: `recognise`.
#[derive(Clone, PartialEq, Eq)]
pub struct ScanQuestion {
    /// What is asked when a code is issued.
    pub code: CodeQuestion,
    /// What the till sent, as it came.
    pub scanned: String,
}

impl fmt::Debug for ScanQuestion {
    // What was scanned is worth money while it lives.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanQuestion")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}
