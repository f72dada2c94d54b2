//! What a path names, read so that a name which cannot be is answered like one that is not there.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use metropay_core::problem::{Code, Problem};

/// Letters of a name at most: no number of ours and no merchant's is longer.
const NAME_MAX: usize = 64;

/// The name in a path that has one.
#[derive(Debug)]
pub(super) struct Named(Option<String>);

impl Named {
    /// The name.
    ///
    /// # Errors
    /// This code when nothing can be called so.
    pub(super) fn or(self, code: Code) -> Result<String, Problem> {
        self.0.ok_or_else(|| Problem::new(code))
    }
}

fn possible(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        Ok(Self(name.map(|Path(name)| name).filter(|name| possible(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_number_of_ours_is_a_name() {
        let long = "9".repeat(65);
        for (name, expected) in [
            ("P2026", true),
            ("M-1_x", true),
            ("", false),
            ("中", false),
            ("a b", false),
            ("a\0", false),
            (&long, false),
        ] {
            assert_eq!(possible(name), expected, "{name}");
        }
    }
}
