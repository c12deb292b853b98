//! The guard of a server's identity: a canary of a few short texts, and the times at which it is asked again.
//!
//! A server gives no digest of its model. Another model shows in its preferences between tokens, so these are compared:
//! after each failure, behind which the server may have been started anew, and once a minute.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::RemoteError;
use super::exact::Exact;
use super::exact::ids::Ids;
use super::server::ROUNDING;
use crate::tokenizer::{Token, Tokenizer};

/// Short texts, each with two ways to go on.
const CANARY: [(&str, [&str; 2]); 8] = [
    ("The capital of France is", [" Paris", " the"]),
    ("Two and two is", [" four", " a"]),
    ("Thank you very", [" much", " good"]),
    ("She opened the", [" door", " new"]),
    ("The text breaks the rules. Yes or no:", [" yes", " no"]),
    ("Once upon a", [" time", " day"]),
    ("{\"violation\":", ["1", "0"]),
    ("It was very", [" hot", " cold"]),
];

/// The interval at which a server is asked again.
const INTERVAL: Duration = Duration::from_mins(1);

/// Asks for the canary of a server.
pub(super) fn canary(server: &dyn Exact, tokenizer: &Tokenizer) -> Result<Vec<i64>, RemoteError> {
    let first = |text: &str| tokenizer.encode(text).first().copied().unwrap_or(Token(0));
    let logs = |(text, ways): &(&str, [&str; 2])| -> Result<Vec<f64>, RemoteError> {
        let places = server.walk(&Ids::new(&tokenizer.encode(text)), &[ways.map(first).to_vec()])?;
        Ok(places.into_iter().next().map_or_else(Vec::new, |place| place.logs))
    };
    let logs = CANARY.iter().map(logs).collect::<Result<Vec<_>, _>>()?;
    let preference = |logs: &Vec<f64>| match logs[..] {
        #[allow(clippy::cast_possible_truncation, reason = "log-probabilities of 32 bits are small")]
        [one, other] if one.is_finite() && other.is_finite() => ((one - other) * 1e3).round() as i64,
        _ => 0,
    };
    Ok(logs.iter().map(preference).collect())
}

/// Reports whether two canaries are those of one model.
pub(super) fn alike(one: &[i64], other: &[i64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= ROUNDING)
}

/// The guard of one server.
#[derive(Debug)]
pub(super) struct Guard {
    canary: Vec<i64>,
    /// The number of failures up to which the server was asked again.
    verified: AtomicU64,
    changed: AtomicBool,
    asked: Mutex<Instant>,
}

impl Guard {
    /// Makes the guard of a server with this canary.
    pub(super) fn new(canary: Vec<i64>, failures: u64) -> Self {
        Self { canary, verified: failures.into(), changed: AtomicBool::new(false), asked: Mutex::new(Instant::now()) }
    }

    /// Refuses results of a server that has another model by now. `failures` is the number of failures so far.
    pub(super) fn check(&self, failures: u64, server: &dyn Exact, tokenizer: &Tokenizer) -> Result<(), RemoteError> {
        if self.changed.load(Ordering::Relaxed) {
            return Err(RemoteError::Changed);
        }
        let suspect = || failures > self.verified.load(Ordering::Relaxed);
        let mut asked = match self.asked.try_lock() {
            Ok(asked) => asked,
            // Another thread asks. After a failure its result must be awaited.
            Err(_) if !suspect() => return Ok(()),
            Err(_) => self.asked.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if self.changed.load(Ordering::Relaxed) {
            return Err(RemoteError::Changed);
        }
        if !suspect() && asked.elapsed() < INTERVAL {
            return Ok(());
        }
        let same = alike(&self.canary, &canary(server, tokenizer)?);
        *asked = Instant::now();
        self.verified.fetch_max(failures, Ordering::Relaxed);
        if same {
            return Ok(());
        }
        self.changed.store(true, Ordering::Relaxed);
        Err(RemoteError::Changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_other_model() {
        assert!(alike(&[1000, -2000], &[1050, -2100]));
        assert!(!alike(&[1000, -2000], &[1000, -2500]));
        assert!(!alike(&[1000], &[1000, 1000]));
        assert!(alike(&[], &[]));
    }
}
