//! The policies of a server, found by name and read again when their files change.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use axum::http::StatusCode;

use super::api_error::ApiError;
use crate::policy::{Policy, PolicySource, is_id};

/// A policy and its digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Served {
    /// The policy.
    pub policy: Policy,
    /// Its digest, in hexadecimal.
    pub digest: String,
    /// True if it belongs to the server, and not to one request.
    pub is_named: bool,
}

/// A place from which policies are read: a file, a folder or a shipped policy.
pub struct Origin {
    /// The name for messages.
    pub name: String,
    /// The file or folder that is watched. `None` for a shipped policy.
    pub path: Option<PathBuf>,
    /// Reads the policies. The error is a message for people.
    pub read: Box<dyn Fn() -> Result<Vec<Policy>, String> + Send + Sync>,
}

/// The policies of a server.
#[derive(Debug)]
pub struct Policies {
    current: RwLock<Arc<Set>>,
}

/// The policies at one moment.
#[derive(Debug, Default)]
pub struct Set {
    /// The policies of each origin.
    of: Vec<Vec<Arc<Served>>>,
    /// Policies that were replaced, the last first. They can still be asked for by digest.
    past: Vec<Arc<Served>>,
}

/// The most replaced policies that are kept.
const PAST: usize = 16;

/// The most digits of a digest that a name may leave out: the first 8 are enough.
const LEAST_DIGITS: usize = 8;

/// The state of watched files, by which a change is seen: path, time and size of each.
pub type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

impl Served {
    /// Wraps a policy of the server.
    #[must_use]
    pub fn named(policy: Policy) -> Self {
        Self { digest: policy.digest(), policy, is_named: true }
    }

    /// Wraps a policy of one request.
    #[must_use]
    pub fn ad_hoc(policy: Policy) -> Self {
        Self { is_named: false, ..Self::named(policy) }
    }

    /// Returns the name with the digest: `spam@sha256:…`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}@sha256:{}", self.policy.id, self.digest)
    }
}

impl Policies {
    /// Reads all policies.
    ///
    /// # Errors
    ///
    /// A message if an origin cannot be read, or two policies have the same id.
    pub fn read(origins: &[Origin]) -> Result<Self, String> {
        let read = |origin: &Origin| (origin.read)().map_err(|error| format!("{}: {error}", origin.name));
        let of = origins.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let of = of.into_iter().map(|policies| policies.into_iter().map(Served::named).map(Arc::new).collect());
        let set = Set { of: of.collect(), past: Vec::new() };
        set.check()?;
        Ok(Self { current: RwLock::new(Arc::new(set)) })
    }

    /// Returns the policies of now.
    #[must_use]
    pub fn now(&self) -> Arc<Set> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads an origin again. The policies of before stay if it cannot be read. Returns true if a policy has changed.
    ///
    /// # Errors
    ///
    /// A message for people.
    pub fn read_again(&self, at: usize, origin: &Origin) -> Result<bool, String> {
        let policies: Vec<_> = (origin.read)()?.into_iter().map(Served::named).map(Arc::new).collect();
        let before = self.now();
        if before.of[at] == policies {
            return Ok(false);
        }
        let mut set = Set { of: before.of.clone(), past: before.past.clone() };
        let replaced = std::mem::replace(&mut set.of[at], policies);
        set.past
            .splice(0..0, replaced.into_iter().filter(|old| !before.of[at].is_empty() && !set.of[at].contains(old)));
        set.past.truncate(PAST);
        set.check()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        Ok(true)
    }
}

impl Set {
    /// Iterates over the policies of now.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.of.iter().flatten()
    }

    /// Finds a policy by `ID`, `ID@VERSION` or `ID@sha256:DIGITS`.
    ///
    /// # Errors
    ///
    /// Status 404 if no policy has this name.
    pub fn find(&self, name: &str) -> Result<Arc<Served>, ApiError> {
        let (id, version) = name.split_once('@').map_or((name, None), |(id, version)| (id, Some(version)));
        let is = |served: &&Arc<Served>| {
            served.policy.id == id
                && version.is_none_or(|version| match version.strip_prefix("sha256:") {
                    Some(digits) => digits.len() >= LEAST_DIGITS && served.digest.starts_with(digits),
                    None => served.policy.version == version,
                })
        };
        // Only a digest or a version finds a policy that was replaced.
        let past = self.past.iter().filter(|_| version.is_some());
        self.iter().chain(past).find(is).cloned().ok_or_else(|| {
            // Anything but an id could be a text, which no message repeats.
            let name = if is_id(id) { format!("the name `{id}`") } else { "this name".to_owned() };
            let message = format!("no policy has {name}; GET /v1/policies lists them");
            ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message)
        })
    }

    fn check(&self) -> Result<(), String> {
        let mut ids: Vec<&str> = self.iter().map(|served| served.policy.id.as_str()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("two policies have the id `{}`", pair[0])),
            None => Ok(()),
        }
    }
}

impl Origin {
    /// Returns a shipped policy's origin.
    #[must_use]
    pub fn shipped(id: &'static str) -> Self {
        let read = move || {
            PolicySource::open(id)
                .and_then(|source| source.parse(None))
                .map(|policy| vec![policy])
                .map_err(|error| error.to_string())
        };
        Self { name: id.to_owned(), path: None, read: Box::new(read) }
    }

    /// Returns the state of the watched files.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let Some(path) = &self.path else { return Vec::new() };
        let mut paths = vec![path.clone()];
        if let Ok(entries) = fs::read_dir(path) {
            paths.extend(entries.flatten().map(|entry| entry.path()));
            paths.sort();
        }
        paths
            .into_iter()
            .map(|path| {
                let metadata = fs::metadata(&path).ok();
                let time = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
                (path, time, metadata.map_or(0, |metadata| metadata.len()))
            })
            .collect()
    }
}
