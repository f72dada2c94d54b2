//! Where the next page of records begins. The cursor carries the span that is listed and the last record of the page, and
//! a keyed hash over both and over whose list it is: another's or a changed one is not taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metropay_core::clock::{Day, Time};
use metropay_core::engine::Engine;
use metropay_core::id::{PayNo, Uid};
use metropay_core::problem::{Code, Problem};
use metropay_core::vault::{IndexPurpose, Vault};
use subtle::ConstantTimeEq;

/// Letters of a cursor at most.
pub(super) const CURSOR_MAX: usize = 256;

/// A position in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The days that are listed, both included.
    pub(super) days: (Day, Day),
    /// The last record before the position.
    pub(super) last: (Time, PayNo),
}

impl Cursor {
    /// As the App carries it.
    pub(super) fn write(&self, engine: &Engine, uid: &Uid) -> String {
        self.written(&engine.vault, uid)
    }

    /// Reads what the App carried.
    ///
    /// # Errors
    /// `CURSOR_INVALID`.
    pub(super) fn read(engine: &Engine, uid: &Uid, text: &str) -> Result<Self, Problem> {
        Self::genuine(&engine.vault, uid, text).ok_or_else(|| Problem::new(Code::CursorInvalid))
    }

    fn written(&self, vault: &Vault, uid: &Uid) -> String {
        let ((from, to), (at, no)) = (self.days, &self.last);
        let plain = format!("{from}.{to}.{}.{no}", at.0);
        let proof = proof(vault, uid, &plain);
        URL_SAFE_NO_PAD.encode(format!("{plain}.{proof}"))
    }

    fn genuine(vault: &Vault, uid: &Uid, text: &str) -> Option<Self> {
        if text.len() > CURSOR_MAX {
            return None;
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (plain, given) = text.rsplit_once('.')?;
        let expected = proof(vault, uid, plain);
        if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return None;
        }
        let mut parts = plain.splitn(4, '.');
        let days = (Day::parse(parts.next()?)?, Day::parse(parts.next()?)?);
        let at = Time(parts.next()?.parse().ok()?);
        Some(Self {
            days,
            last: (at, PayNo(parts.next()?.to_owned())),
        })
    }
}

fn proof(vault: &Vault, uid: &Uid, plain: &str) -> String {
    vault.index(IndexPurpose::NotifyPath, &format!("cursor:{uid}:{plain}"))
}

#[cfg(test)]
mod tests {
    use metropay_core::random::SeededRandom;
    use metropay_core::vault::MasterKey;

    use super::*;

    fn vault() -> Vault {
        Vault::unlock(&MasterKey::generate(&SeededRandom::new(7)), Vec::new()).unwrap()
    }

    fn cursor() -> Cursor {
        Cursor {
            days: (Day(20_260_701), Day(20_260_731)),
            last: (Time(1_785_556_800_000), "P20260801120000000ABCDEFGHJKLM".into()),
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_went_and_fits_its_bound() {
        let text = cursor().written(&vault(), &"anna".into());
        assert!(text.len() <= CURSOR_MAX);
        assert_eq!(Cursor::genuine(&vault(), &"anna".into(), &text), Some(cursor()));
    }

    #[test]
    fn a_cursor_of_somebody_else_or_with_any_letter_changed_is_not_taken() {
        let vault = vault();
        let text = cursor().written(&vault, &"anna".into());
        assert_eq!(Cursor::genuine(&vault, &"bert".into(), &text), None);
        for place in 0..text.len() {
            for wrong in [b'A', b'Z', b'0', b'_', b'.', b' '] {
                let mut bytes = text.clone().into_bytes();
                if bytes[place] != wrong {
                    bytes[place] = wrong;
                    let changed = String::from_utf8(bytes).unwrap();
                    assert_eq!(Cursor::genuine(&vault, &"anna".into(), &changed), None, "{changed}");
                }
            }
        }
        for made_up in [
            "",
            ".",
            "MjAyNg",
            &"A".repeat(CURSOR_MAX + 1),
            &text[..text.len() - 1],
            &format!("{text}A"),
        ] {
            assert_eq!(Cursor::genuine(&vault, &"anna".into(), made_up), None, "{made_up}");
        }
    }
}
