//! Names of files that stand for everything that a file depends on.

use sha2::{Digest, Sha256};

/// Returns the first bytes of the digest of a text, in hexadecimal.
pub fn digest(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
