//! Names of files that are digests of everything that the file depends on.

use sha2::{Digest, Sha256};

/// Returns the first bytes of the digest of a text, in hexadecimal.
pub fn digest(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
