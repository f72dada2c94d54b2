//! Keyed hashes: find a value without storing it, and without letting a thief of the database try values out.

use aws_lc_rs::hmac;

use super::{MasterKey, Vault};

/// What is hashed; each has a key of its own, so equal texts of different kinds do not look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexPurpose {
    /// Blind index of phone numbers.
    Phone,
    /// Blind index of contract numbers and buyer ids at channels.
    ContractHandle,
    /// Live consumption codes, of which nothing else is stored.
    Code,
    /// The unguessable part of a notification URL; half as long as the others.
    NotifyPath,
    /// The secret from which numbers of members are made that the platform keeps itself.
    MemberNumber,
    /// Codes that were sent by text message, of which nothing else is stored.
    SentCode,
}

/// Letters of a notification path: 128 bits are beyond guessing, and channels bound the length of URLs.
const NOTIFY_PATH_LETTERS: usize = 32;

/// The keys, one for each purpose.
pub(super) struct IndexKeys {
    phone: hmac::Key,
    contract_handle: hmac::Key,
    code: hmac::Key,
    notify_path: hmac::Key,
    member_number: hmac::Key,
    sent_code: hmac::Key,
}

impl IndexKeys {
    pub(super) fn derive(master: &MasterKey) -> Self {
        Self {
            phone: master.hashing("phone"),
            contract_handle: master.hashing("contract handle"),
            code: master.hashing("code"),
            notify_path: master.hashing("notify path"),
            member_number: master.hashing("member number"),
            sent_code: master.hashing("sent code"),
        }
    }
}

impl Vault {
    /// The keyed hash of a text: HMAC-SHA256 in lower-case hex, 64 letters (32 for [`IndexPurpose::NotifyPath`]). The
    /// caller brings the text into one form first; what is written differently hashes differently.
    ///
    /// The keys follow from the master key alone: under another master key all hashes must be made anew.
    pub fn index(&self, purpose: IndexPurpose, text: &str) -> String {
        let key = match purpose {
            IndexPurpose::Phone => &self.index.phone,
            IndexPurpose::ContractHandle => &self.index.contract_handle,
            IndexPurpose::Code => &self.index.code,
            IndexPurpose::NotifyPath => &self.index.notify_path,
            IndexPurpose::MemberNumber => &self.index.member_number,
            IndexPurpose::SentCode => &self.index.sent_code,
        };
        let mut letters = hex::encode(hmac::sign(key, text.as_bytes()));
        if purpose == IndexPurpose::NotifyPath {
            letters.truncate(NOTIFY_PATH_LETTERS);
        }
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{SeededRandom, SystemRandom};
    use crate::vault::Purpose;

    const ALL: [IndexPurpose; 4] = [
        IndexPurpose::Phone,
        IndexPurpose::ContractHandle,
        IndexPurpose::Code,
        IndexPurpose::NotifyPath,
    ];

    fn vault(seed: u64) -> Vault {
        Vault::unlock(&MasterKey::generate(&SeededRandom::new(seed)), Vec::new()).unwrap()
    }

    /// Computed apart from this code, with Python's `hmac` and `hashlib`: they hold the stored hashes in place.
    #[test]
    fn the_hashes_are_those_already_stored() {
        let master = MasterKey::generate(&SeededRandom::new(42));
        let vault = Vault::unlock(&master, Vec::new()).unwrap();
        for (purpose, expected) in ALL.into_iter().zip(STORED) {
            assert_eq!(vault.index(purpose, "13800138000"), expected, "{purpose:?}");
        }
    }

    const STORED: [&str; 4] = [
        "78f9d3ffeae6f42601342a20afdb0ea433c76d58929b8d17373e4df84ca5f2cc",
        "39da98a93360930117de4e42d6f6192291358d8618feb1aa2fec445d4ff46b84",
        "33f43f2d52ede90d7880790f77cf008066aab7dd49f87df0a76978d26b04f6b8",
        "c3edc064ab098e0b64d21fe83b1c3f0d",
    ];

    #[test]
    fn equal_texts_hash_alike_under_one_purpose_and_one_master_only() {
        let (here, elsewhere) = (vault(1), vault(2));
        let mut seen = Vec::new();
        for purpose in ALL {
            let hash = here.index(purpose, "13800138000");
            let letters = if purpose == IndexPurpose::NotifyPath { 32 } else { 64 };
            assert_eq!(hash.len(), letters);
            assert!(hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
            assert_eq!(vault(1).index(purpose, "13800138000"), hash);
            assert_ne!(here.index(purpose, "13800138001")[..32], hash[..32]);
            assert_ne!(elsewhere.index(purpose, "13800138000")[..32], hash[..32]);
            seen.push(hash[..32].to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), ALL.len());
    }

    #[test]
    fn new_data_keys_leave_the_hashes_as_they_are() {
        let mut vault = vault(7);
        let before = ALL.map(|purpose| vault.index(purpose, "x"));
        let row = vault.new_key(Purpose::Personal, 1, &SystemRandom).unwrap();
        vault.add(&row).unwrap();
        assert_eq!(ALL.map(|purpose| vault.index(purpose, "x")), before);
    }
}
