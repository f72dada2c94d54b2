//! Sealing and opening of single values.

use super::envelope::{self, Envelope};
use super::{Place, Purpose, Vault, VaultError};
use crate::random::Random;

impl Vault {
    /// Seals a value for its place under the newest key of the purpose. Two seals of one value never look alike.
    ///
    /// # Errors
    /// [`VaultError::NoDataKey`] when there is no key for the purpose; [`VaultError::NotSealed`] when the cipher refuses.
    pub fn seal(
        &self,
        purpose: Purpose,
        place: Place<'_>,
        plaintext: &[u8],
        random: &dyn Random,
    ) -> Result<String, VaultError> {
        let (key, held) = self.sealing(purpose).ok_or(VaultError::NoDataKey(purpose))?;
        let nonce = envelope::nonce(random);
        let body = envelope::encrypt(held, nonce, Envelope::aad(key, place), plaintext)?;
        Ok(Envelope { key, nonce, body }.text())
    }

    /// Opens what was sealed for this place, under whichever key version it names.
    ///
    /// # Errors
    /// [`VaultError::Unreadable`] for every cause: damaged, moved from another place, unknown suite or unknown key.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, VaultError> {
        let Envelope { key, nonce, body } = Envelope::parse(sealed).ok_or(VaultError::Unreadable)?;
        let (_, held) = self.opening(key).ok_or(VaultError::Unreadable)?;
        envelope::decrypt(held, nonce, Envelope::aad(key, place), body).ok_or(VaultError::Unreadable)
    }

    /// Whether the value was sealed under an older key than the purpose has now. What names no key at hand cannot be
    /// sealed again, so the answer is no.
    pub fn needs_reseal(&self, sealed: &str) -> bool {
        let Some(envelope) = Envelope::parse(sealed) else {
            return false;
        };
        let Some((purpose, _)) = self.opening(envelope.key) else {
            return false;
        };
        self.version(purpose)
            .is_some_and(|newest| newest > envelope.key.version)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::random::SystemRandom;
    use crate::vault::{DataKeyRow, MasterKey};

    const PHONE: Place<'static> = Place {
        table: "user",
        column: "phone",
        row: "u1",
    };
    /// Suite, key id, version, nonce and tag.
    const OVERHEAD: usize = 1 + 8 + 4 + 12 + 16;

    fn rows(master: &MasterKey, version: i32) -> Vec<DataKeyRow> {
        let vault = Vault::unlock(master, Vec::new()).unwrap();
        Purpose::ALL
            .map(|purpose| vault.new_key(purpose, version, &SystemRandom).unwrap())
            .to_vec()
    }

    fn vault() -> Vault {
        let master = MasterKey::generate(&SystemRandom);
        Vault::unlock(&master, rows(&master, 1)).unwrap()
    }

    #[test]
    fn a_value_opens_at_its_place_and_at_no_other() {
        let vault = vault();
        let sealed = vault
            .seal(Purpose::Personal, PHONE, b"13800138000", &SystemRandom)
            .unwrap();
        assert_eq!(vault.open(PHONE, &sealed).unwrap(), b"13800138000");
        let elsewhere = [
            Place {
                table: "merchant",
                ..PHONE
            },
            Place {
                column: "name",
                ..PHONE
            },
            Place { row: "u2", ..PHONE },
            Place {
                table: "userphone",
                column: "",
                row: "u1",
            },
            Place {
                table: "user",
                column: "phoneu",
                row: "1",
            },
        ];
        for place in elsewhere {
            assert_eq!(vault.open(place, &sealed), Err(VaultError::Unreadable), "{place:?}");
        }
    }

    #[test]
    fn two_values_that_change_places_do_not_open() {
        let vault = vault();
        let other = Place { row: "u2", ..PHONE };
        let first = vault.seal(Purpose::Personal, PHONE, b"first", &SystemRandom).unwrap();
        let second = vault.seal(Purpose::Personal, other, b"second", &SystemRandom).unwrap();
        assert!(vault.open(PHONE, &second).is_err());
        assert!(vault.open(other, &first).is_err());
    }

    #[test]
    fn the_head_of_one_value_does_not_open_the_body_of_another() {
        let vault = vault();
        let personal = vault
            .seal(Purpose::Personal, PHONE, b"same text", &SystemRandom)
            .unwrap();
        let contract = vault
            .seal(Purpose::Contract, PHONE, b"same text", &SystemRandom)
            .unwrap();
        let (personal, contract) = (STANDARD.decode(personal).unwrap(), STANDARD.decode(contract).unwrap());
        let mixed = [&personal[..13], &contract[13..]].concat();
        assert_eq!(vault.open(PHONE, &STANDARD.encode(mixed)), Err(VaultError::Unreadable));
    }

    /// Gives the same key id to every key, and everything else by chance.
    struct SameId;

    impl Random for SameId {
        fn fill(&self, bytes: &mut [u8]) {
            if bytes.len() == 8 {
                bytes.fill(7);
            } else {
                SystemRandom.fill(bytes);
            }
        }
    }

    #[test]
    fn another_master_key_opens_nothing_even_when_the_key_ids_agree() {
        let [ours, theirs] = [(), ()].map(|()| {
            let mut vault = Vault::unlock(&MasterKey::generate(&SystemRandom), Vec::new()).unwrap();
            let row = vault.new_key(Purpose::Personal, 1, &SameId).unwrap();
            assert_eq!(row.key_id, "0707070707070707");
            vault.add(&row).unwrap();
            vault
        });
        let sealed = ours.seal(Purpose::Personal, PHONE, b"x", &SystemRandom).unwrap();
        assert_eq!(theirs.open(PHONE, &sealed), Err(VaultError::Unreadable));
        assert_eq!(vault().open(PHONE, &sealed), Err(VaultError::Unreadable));
        assert_eq!(ours.open(PHONE, &sealed).unwrap(), b"x");
    }

    #[test]
    fn older_versions_open_and_ask_to_be_sealed_again() {
        let master = MasterKey::generate(&SystemRandom);
        let old_rows = rows(&master, 1);
        let old = Vault::unlock(&master, old_rows.clone()).unwrap();
        let sealed = old.seal(Purpose::Contract, PHONE, b"c-1", &SystemRandom).unwrap();
        assert!(!old.needs_reseal(&sealed));

        let new = Vault::unlock(&master, [old_rows, rows(&master, 2)].concat()).unwrap();
        assert_eq!(new.open(PHONE, &sealed).unwrap(), b"c-1");
        assert!(new.needs_reseal(&sealed));
        let again = new.seal(Purpose::Contract, PHONE, b"c-1", &SystemRandom).unwrap();
        assert!(!new.needs_reseal(&again));
        assert_eq!(
            old.open(PHONE, &again),
            Err(VaultError::Unreadable),
            "a version that is not here yet"
        );
        assert!(!old.needs_reseal(&again));
        for garbage in ["", "AQ==", "not base64", "中文"] {
            assert!(!new.needs_reseal(garbage), "{garbage}");
            assert_eq!(new.open(PHONE, garbage), Err(VaultError::Unreadable), "{garbage}");
        }
    }

    #[test]
    fn without_a_key_nothing_is_sealed() {
        let empty = Vault::unlock(&MasterKey::generate(&SystemRandom), Vec::new()).unwrap();
        for purpose in Purpose::ALL {
            let refused = empty.seal(purpose, PHONE, b"x", &SystemRandom);
            assert_eq!(refused, Err(VaultError::NoDataKey(purpose)));
        }
    }

    #[test]
    fn no_nonce_comes_twice() {
        let vault = vault();
        let seen: BTreeSet<Vec<u8>> = (0..2_000)
            .map(|_| {
                let sealed = vault.seal(Purpose::Personal, PHONE, b"same", &SystemRandom).unwrap();
                STANDARD.decode(sealed).unwrap()[13..25].to_vec()
            })
            .collect();
        assert_eq!(seen.len(), 2_000);
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_again_and_is_not_seen(plain in proptest::collection::vec(any::<u8>(), 0..300)) {
            let vault = vault();
            let sealed = vault.seal(Purpose::MerchantSecret, PHONE, &plain, &SystemRandom).unwrap();
            let bytes = STANDARD.decode(&sealed).unwrap();
            prop_assert_eq!(bytes.len(), plain.len() + OVERHEAD);
            prop_assert!(plain.len() < 4 || !bytes.windows(plain.len()).any(|window| window == plain));
            prop_assert_eq!(vault.open(PHONE, &sealed).unwrap(), plain);
        }

        #[test]
        fn a_flipped_bit_anywhere_makes_it_unreadable(plain in proptest::collection::vec(any::<u8>(), 0..60), bit in 0u8..8) {
            let vault = vault();
            let sealed = vault.seal(Purpose::Personal, PHONE, &plain, &SystemRandom).unwrap();
            let bytes = STANDARD.decode(sealed).unwrap();
            for position in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << bit;
                prop_assert_eq!(vault.open(PHONE, &STANDARD.encode(&changed)), Err(VaultError::Unreadable));
            }
            for length in 0..bytes.len() {
                prop_assert_eq!(vault.open(PHONE, &STANDARD.encode(&bytes[..length])), Err(VaultError::Unreadable));
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            prop_assert_eq!(vault.open(PHONE, &STANDARD.encode(longer)), Err(VaultError::Unreadable));
        }

        #[test]
        fn arbitrary_text_never_opens(text in "\\PC{0,80}") {
            prop_assert_eq!(vault().open(PHONE, &text), Err(VaultError::Unreadable));
        }
    }
}
