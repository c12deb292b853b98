//! Short digests that name texts, records and settings.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The first half of a SHA-256, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash([u8; 16]);

/// A digest of a sequence of digests.
#[derive(Debug, Default)]
pub struct Digests {
    all: Sha256,
    count: u64,
}

impl Hash {
    /// Returns the digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::half(&Sha256::digest(bytes))
    }

    /// Returns the first half of a SHA-256.
    pub(crate) fn half(digest: &[u8]) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }

    /// Returns the first eight bytes as a number.
    #[must_use]
    pub fn short(&self) -> u64 {
        let (first, _) = self.0.split_at(8);
        first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl Digests {
    /// Adds a digest.
    pub fn add(&mut self, digest: &Hash) {
        self.all.update(digest.0);
        self.count += 1;
    }

    /// Returns the number of digests, and the digest of all of them.
    #[must_use]
    pub fn end(self) -> (u64, Hash) {
        (self.count, Hash::half(&self.all.finalize()))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&crate::text::hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        // `from_str_radix` takes fewer digits, and a sign.
        u128::from_str_radix(&text, 16)
            .ok()
            .filter(|_| text.len() == 32 && !text.starts_with('+'))
            .map(|number| Self(number.to_be_bytes()))
            .ok_or_else(|| serde::de::Error::custom("a digest is 32 hexadecimal digits"))
    }
}
