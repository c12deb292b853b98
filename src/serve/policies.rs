//! The policies of a server, found by name and read again when their files change.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
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
    /// Locked while a change of the policies is made.
    changing: Mutex<()>,
    /// The file or folder of each origin.
    places: Vec<Option<PathBuf>>,
}

/// The policies at one moment.
#[derive(Debug, Default)]
pub struct Set {
    /// The policies of each origin.
    of: Vec<Vec<Arc<Served>>>,
    /// Policies that were replaced, the last first. They can still be asked for by digest.
    past: Vec<Arc<Served>>,
    /// The place of the workspace among the origins. Its policies hide those of other origins with the same ids.
    workspace: Option<usize>,
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
    /// Reads all policies. The last origin may be the workspace: its policies hide others with the same ids.
    ///
    /// # Errors
    ///
    /// A message if an origin cannot be read, or two policies have the same id.
    pub fn read(origins: &[Origin], has_workspace: bool) -> Result<Self, String> {
        let read = |origin: &Origin| (origin.read)().map_err(|error| format!("{}: {error}", origin.name));
        let of = origins.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let of = of.into_iter().map(|policies| policies.into_iter().map(Served::named).map(Arc::new).collect());
        let workspace = has_workspace.then(|| origins.len().saturating_sub(1));
        let set = Set { of: of.collect(), past: Vec::new(), workspace };
        set.check()?;
        let places = origins.iter().map(|origin| origin.path.clone()).collect();
        Ok(Self { current: RwLock::new(Arc::new(set)), changing: Mutex::new(()), places })
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
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let policies: Vec<_> = (origin.read)()?.into_iter().map(Served::named).map(Arc::new).collect();
        let before = self.now();
        if before.of[at] == policies {
            return Ok(false);
        }
        let mut set = Set { of: before.of.clone(), past: before.past.clone(), workspace: before.workspace };
        let replaced = std::mem::replace(&mut set.of[at], policies);
        set.past
            .splice(0..0, replaced.into_iter().filter(|old| !before.of[at].is_empty() && !set.of[at].contains(old)));
        set.past.truncate(PAST);
        set.check()?;
        self.set(set);
        Ok(true)
    }

    /// Saves a policy of the workspace and serves it at once. `save` writes the file; no other change is made meanwhile.
    ///
    /// # Errors
    ///
    /// The error of `save`. The policies of before then stay.
    pub fn save<T, E>(&self, save: impl FnOnce() -> Result<(Option<Policy>, T), E>) -> Result<T, E> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (policy, saved) = save()?;
        let before = self.now();
        if let (Some(policy), Some(at)) = (policy.map(Served::named).map(Arc::new), before.workspace)
            && !before.of[at].contains(&policy)
        {
            let mut set = Set { of: before.of.clone(), past: before.past.clone(), workspace: before.workspace };
            let policies = &mut set.of[at];
            match policies.iter_mut().find(|other| other.policy.id == policy.policy.id) {
                Some(other) => {
                    let old = std::mem::replace(other, policy);
                    set.past.insert(0, old);
                    set.past.truncate(PAST);
                }
                None => policies.push(policy),
            }
            // In the order in which the folder is read.
            policies.sort_by(|one, other| one.policy.id.cmp(&other.policy.id));
            self.set(set);
        }
        Ok(saved)
    }

    /// Returns the file or folder that a policy comes from. `None` for a shipped policy, and for an unknown id.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<PathBuf> {
        let set = self.now();
        let at = set.of.iter().position(|policies| policies.iter().any(|served| served.policy.id == id))?;
        self.places.get(at)?.clone()
    }

    fn set(&self, set: Set) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }
}

impl Set {
    /// Iterates over the policies of now.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        let is_hidden = |at: usize, id: &str| {
            let own = self.workspace.filter(|workspace| *workspace != at).map(|workspace| &self.of[workspace]);
            own.is_some_and(|own| own.iter().any(|served| served.policy.id == id))
        };
        let of = self.of.iter().enumerate();
        of.flat_map(move |(at, policies)| policies.iter().filter(move |served| !is_hidden(at, &served.policy.id)))
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
        // Only a digest or a version finds a policy that was replaced or is hidden.
        let past = self.of.iter().flatten().chain(&self.past).filter(|_| version.is_some());
        self.iter().chain(past).find(is).cloned().ok_or_else(|| {
            // Anything but an id could be a text, which no message repeats.
            let name = if is_id(id) { format!("the name `{id}`") } else { "this name".to_owned() };
            let message = format!("no policy has {name}; GET /v1/policies lists them");
            ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message)
        })
    }

    /// Refuses two policies with one id, unless one is of the workspace.
    fn check(&self) -> Result<(), String> {
        let workspace = self.workspace.unwrap_or(self.of.len());
        let (others, own) = self.of.split_at(workspace.min(self.of.len()));
        for policies in [others, own] {
            let mut ids: Vec<&str> = policies.iter().flatten().map(|served| served.policy.id.as_str()).collect();
            ids.sort_unstable();
            if let Some((id, _)) = ids.iter().zip(&ids[1.min(ids.len())..]).find(|(one, other)| one == other) {
                return Err(format!("two policies have the id `{id}`"));
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &'static str, text: &'static str) -> Origin {
        let read = move || Ok(vec![Policy::from_plain(name, text, None).map_err(|error| error.to_string())?]);
        Origin { name: name.to_owned(), path: None, read: Box::new(read) }
    }

    const ONE: &str = "Answer VALID or INVALID. INVALID is spam.";
    const OTHER: &str = "Answer VALID or INVALID. INVALID is advertising.";

    #[test]
    fn a_policy_of_the_workspace_hides_another_and_equal_ids_elsewhere_are_refused() {
        let twice = [origin("house", ONE), origin("house", OTHER)];
        assert_eq!(Policies::read(&twice, false).unwrap_err(), "two policies have the id `house`");
        let policies = Policies::read(&twice, true).unwrap();
        let digests = || policies.now().iter().map(|served| served.digest.clone()).collect::<Vec<_>>();
        let other = Policy::from_plain("house", OTHER, None).unwrap().digest();
        assert_eq!(digests(), [other]);
        let hidden = Policy::from_plain("house", ONE, None).unwrap().digest();
        let by_digest = policies.now().find(&format!("house@sha256:{hidden}")).unwrap();
        assert_eq!(by_digest.digest, hidden, "a hidden one can be named");
    }

    #[test]
    fn a_saved_policy_is_served_at_once_and_a_failed_save_changes_nothing() {
        let empty = Origin { name: "w".to_owned(), path: None, read: Box::new(|| Ok(Vec::new())) };
        let policies = Policies::read(&[origin("house", ONE), empty], true).unwrap();
        let save = |text: &str| {
            let policy = Policy::from_plain("house", text, None).unwrap();
            policies.save(|| Ok::<_, ()>((Some(policy.clone()), policy.digest()))).unwrap()
        };
        let (first, second) = (save(OTHER), save("Answer VALID or INVALID. INVALID is fraud."));
        let now = policies.now();
        assert_eq!(now.find("house").unwrap().digest, second);
        assert_eq!(now.find(&format!("house@sha256:{first}")).unwrap().digest, first);
        assert_eq!(now.iter().count(), 1);
        assert_eq!(policies.save(|| Err::<(Option<Policy>, ()), _>("full")), Err("full"));
        assert!(Arc::ptr_eq(&now, &policies.now()));
    }
}
