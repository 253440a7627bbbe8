//! What a program computed, in 64 bits.

use std::hash::Hasher;

/// A running FNV-1a hash. Its value depends on the bytes alone, not on how they were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// The hash of nothing.
    pub const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// The hash of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> u64 {
        let mut sum = Self::EMPTY;
        sum.write(bytes.as_ref());
        sum.finish()
    }

    /// Adds a number, whole.
    pub fn number(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    /// Adds a string and its end, so that "ab" "c" and "a" "bc" differ.
    pub fn text(&mut self, text: &str) {
        self.write(text.as_bytes());
        self.number(text.len() as u64);
    }
}

impl Hasher for Checksum {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
