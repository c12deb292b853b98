//! Keys: who may send requests, and how many.
//!
//! Only digests of keys are kept. A key is compared with all of them in constant time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tokio::sync::Semaphore;

use crate::text::hex;

/// A key that may send requests.
#[derive(Debug)]
pub struct Key {
    /// The name, which logs show.
    pub name: String,
    digest: [u8; 32],
    /// Requests a minute, at most.
    per_minute: Option<u32>,
    /// Requests that run at once.
    pub(super) running: Option<Arc<Semaphore>>,
    bucket: Mutex<Bucket>,
}

/// The requests that a key may send now: full after a minute of silence.
#[derive(Debug)]
struct Bucket {
    requests: f64,
    at: Instant,
}

/// The keys of a server. Without any, everybody may send requests.
#[derive(Debug, Default)]
pub struct Keys(Vec<Arc<Key>>);

/// The reason why a keys file cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct KeysError {
    line: usize,
    what: String,
}

impl Keys {
    /// Reads a keys file. Each line is `NAME DIGEST [requests_per_minute=N] [max_running=N]`; `#` begins a comment.
    ///
    /// # Errors
    ///
    /// [`KeysError`] with the line that cannot be read.
    pub fn read(text: &str) -> Result<Self, KeysError> {
        let mut keys: BTreeMap<String, Arc<Key>> = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let error = |what: String| KeysError { line: at + 1, what };
            let key = Key::read(line).map_err(error)?;
            let name = key.name.clone();
            if keys.insert(name.clone(), Arc::new(key)).is_some() {
                return Err(error(format!("the name {name} is there twice")));
            }
        }
        Ok(Self(keys.into_values().collect()))
    }

    /// Adds a key that is given itself, without limits.
    pub fn add(&mut self, name: &str, key: &str) {
        self.0.push(Arc::new(Key::new(name.to_owned(), digest(key))));
    }

    /// Reports whether there is no key, so that everybody may send requests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key that was sent. The time does not depend on the key, nor on the place of the right one.
    #[must_use]
    pub fn find(&self, sent: &str) -> Option<&Arc<Key>> {
        let sent = digest(sent);
        let mut found = u32::MAX;
        for (at, key) in self.0.iter().enumerate() {
            let equal: Choice = key.digest.ct_eq(&sent);
            found.conditional_assign(&u32::try_from(at).unwrap_or(u32::MAX), equal);
        }
        self.0.get(found as usize)
    }

    /// Returns the key of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Key>> {
        self.0.iter().find(|key| key.name == name)
    }

    /// Returns the line of a keys file for a key.
    #[must_use]
    pub fn line(name: &str, key: &str) -> String {
        format!("{name} {}", hex(&digest(key)))
    }

    /// Reports whether a name can stand in a keys file.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
    }
}

impl Key {
    fn new(name: String, digest: [u8; 32]) -> Self {
        let bucket = Mutex::new(Bucket { requests: f64::INFINITY, at: Instant::now() });
        Self { name, digest, per_minute: None, running: None, bucket }
    }

    fn read(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        if !Keys::is_name(name) {
            return Err("a line begins with a name: letters, digits, and -_.@".to_owned());
        }
        let form = "a name, the SHA-256 of the key in 64 hexadecimal digits, and limits";
        let digest = words.next().and_then(unhex).ok_or_else(|| format!("a line is {form}"))?;
        let mut key = Self::new(name.to_owned(), digest);
        for word in words {
            let (limit, value) = word.split_once('=').ok_or_else(|| format!("a line is {form}"))?;
            let value: u32 = value
                .parse()
                .ok()
                .filter(|value| *value > 0)
                .ok_or_else(|| format!("{limit} must be a whole number from 1"))?;
            match limit {
                "requests_per_minute" => {
                    key.per_minute = Some(value);
                    key.bucket = Mutex::new(Bucket { requests: value.into(), at: Instant::now() });
                }
                "max_running" => key.running = Some(Arc::new(Semaphore::new(value as usize))),
                _ => return Err("the limits are requests_per_minute and max_running".to_owned()),
            }
        }
        Ok(key)
    }

    /// Takes a request out of those that the key may send now. Without one, returns the seconds until the next.
    ///
    /// # Errors
    ///
    /// The number of seconds, from 1 to 60.
    pub fn take(&self) -> Result<(), u64> {
        let Some(per_minute) = self.per_minute else { return Ok(()) };
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, most) = (Instant::now(), f64::from(per_minute));
        let gained = now.duration_since(bucket.at).as_secs_f64() * most / 60.0;
        *bucket = Bucket { requests: (bucket.requests + gained).min(most), at: now };
        if bucket.requests >= 1.0 {
            bucket.requests -= 1.0;
            return Ok(());
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 1 to 60")]
        Err(((1.0 - bucket.requests) * 60.0 / most).ceil().clamp(1.0, 60.0) as u64)
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_itself_and_by_nothing_else() {
        let text = format!("# two\n{}\n\n{} max_running=2 # few\n", Keys::line("ana", "one"), Keys::line("ben", "two"));
        let keys = Keys::read(&text).unwrap();
        assert_eq!(keys.find("one").map(|key| key.name.as_str()), Some("ana"));
        assert_eq!(keys.find("two").map(|key| key.name.as_str()), Some("ben"));
        for wrong in ["", "on", "onee", "One", "two "] {
            assert!(keys.find(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("two\""));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let digest = "0".repeat(64);
        for (text, line) in [
            ("ana".to_owned(), 1),
            ("ana secret".to_owned(), 1),
            (format!("ana {digest}\nben {digest} burst=3"), 2),
            (format!("ana {digest} max_running=0"), 1),
            (format!("ana {digest}\n\nana {digest}"), 3),
            (format!("a/b {digest}"), 1),
        ] {
            assert_eq!(Keys::read(&text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn a_key_with_a_limit_waits_after_its_requests() {
        let text = format!("{} requests_per_minute=2", Keys::line("ana", "one"));
        let keys = Keys::read(&text).unwrap();
        let key = keys.find("one").unwrap();
        assert_eq!((key.take(), key.take()), (Ok(()), Ok(())));
        assert!((29..=30).contains(&key.take().unwrap_err()));
    }
}
