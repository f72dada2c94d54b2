//! Randomness: passed in, so that a test can repeat a run.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::SecureRandom;

/// Where unpredictable bytes come from.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);

    /// `length` decimal digits, each equally likely (rejection sampling).
    fn digits(&self, length: usize) -> String {
        self.letters(length, b"0123456789")
    }

    /// `length` letters of the alphabet (at most 256 of them), each equally likely (rejection sampling).
    fn letters(&self, length: usize, alphabet: &[u8]) -> String {
        let size = alphabet.len().clamp(1, 256);
        let fair = 256usize.saturating_sub(256usize.checked_rem(size).unwrap_or(0));
        let mut text = String::with_capacity(length);
        let mut buffer = [0u8; 64];
        while text.len() < length {
            self.fill(&mut buffer);
            for byte in buffer {
                if usize::from(byte) < fair && text.len() < length {
                    let index = usize::from(byte).checked_rem(size).unwrap_or(0);
                    text.push(char::from(alphabet.get(index).copied().unwrap_or(b'0')));
                }
            }
        }
        text
    }
}

/// The operating system's generator, through aws-lc.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::SystemRandom::new()
            .fill(bytes)
            .expect("the operating system gives random bytes");
    }
}

/// A generator that gives the same bytes for the same seed. For tests only: it is easily predicted.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// A generator that begins at this seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64.
            let step = 0x9e37_79b9_7f4a_7c15;
            let mut z = self.0.fetch_add(step, Ordering::SeqCst).wrapping_add(step);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(z.to_le_bytes().get(..chunk.len()).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_fair_and_seeded_runs_repeat() {
        let (a, b) = (SeededRandom::new(7).digits(20_000), SeededRandom::new(7).digits(20_000));
        assert_eq!(a, b);
        for digit in '0'..='9' {
            let count = a.matches(digit).count();
            assert!((1_800..2_200).contains(&count), "{digit} came {count} times");
        }
    }
}
