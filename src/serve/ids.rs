//! Ids of requests, completions and files.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::text::hex;

/// Returns an id that no other process makes: the prefix, and 24 hexadecimal digits of the start's time and a number.
#[must_use]
pub fn new(prefix: &str, number: u64) -> String {
    static START: OnceLock<u128> = OnceLock::new();
    let start = START.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos()));
    let digest = Sha256::digest(format!("{start} {:?} {number}", std::thread::current().id()));
    format!("{prefix}-{}", &hex(&digest)[..24])
}
