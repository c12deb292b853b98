//! The shipped policies.
//!
//! The one idea: the policies are part of the program, and each is parsed at its first use.

use std::sync::OnceLock;

use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::{nearest, quoted};
use crate::policy::{GoldenCase, Policy};

/// The policies that magistrate ships.
#[derive(Debug)]
pub struct PolicyLibrary {
    entries: [Entry; 20],
}

/// A shipped policy, parsed at its first use: parsing all of them takes longer than a small model takes to judge a text.
#[derive(Debug)]
struct Entry {
    id: &'static str,
    source: &'static str,
    golden: &'static str,
    policy: OnceLock<Policy>,
}

/// Includes the files of each id: the policy and its golden set.
macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        PolicyLibrary { entries: [$(Entry {
            id: $id,
            source: include_str!(concat!("../../policies/", $id, ".yaml")),
            golden: include_str!(concat!("../../policies/golden/", $id, ".yaml")),
            policy: OnceLock::new(),
        }),*] }
    };
}

static SHIPPED: PolicyLibrary = shipped![
    "spam",
    "fraud-and-scams",
    "hate",
    "harassment",
    "violence-and-threats",
    "violent-extremism",
    "graphic-violence",
    "self-harm",
    "sexual-content",
    "sexual-crimes",
    "minors-safety",
    "teen-safety",
    "weapons",
    "drugs-and-regulated-goods",
    "cybercrime",
    "personal-data",
    "prompt-injection",
    "misinformation-and-elections",
    "regulated-advice",
    "intellectual-property",
];

impl PolicyLibrary {
    /// Returns the shipped policies.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Returns the policy with an id.
    ///
    /// # Errors
    /// No shipped policy has this id. The hint proposes one.
    pub fn get(&self, id: &str) -> Result<&Policy, PolicyError> {
        self.find(id).map(Entry::policy)
    }

    /// Returns the YAML of the policy with an id.
    ///
    /// # Errors
    /// No shipped policy has this id. The hint proposes one.
    pub fn source(&self, id: &str) -> Result<&'static str, PolicyError> {
        self.find(id).map(|entry| entry.source)
    }

    /// Returns the YAML of the golden set of the policy with an id.
    ///
    /// # Errors
    /// No shipped policy has this id. The hint proposes one.
    pub fn golden_source(&self, id: &str) -> Result<&'static str, PolicyError> {
        self.find(id).map(|entry| entry.golden)
    }

    /// Returns the golden set of the policy with an id. Empty if no shipped policy has this id.
    #[must_use]
    pub fn golden(&self, id: &str) -> &[GoldenCase] {
        self.get(id).map_or(&[], |policy| policy.golden.as_slice())
    }

    /// Reports whether a policy equals a shipped one, word for word.
    #[must_use]
    pub fn has(&self, policy: &Policy) -> bool {
        self.get(&policy.id).is_ok_and(|shipped| shipped.digest() == policy.digest())
    }

    /// Iterates over all policies.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.entries.iter().map(Entry::policy)
    }

    /// Iterates over the ids of all policies, without parsing these.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| entry.id)
    }

    fn find(&self, id: &str) -> Result<&Entry, PolicyError> {
        self.entries.iter().find(|entry| entry.id == id).ok_or_else(|| {
            let list = format!("`magistrate policy list` shows all {}", self.entries.len());
            let hint = match self.meant(id) {
                Some(meant) => format!("did you mean {meant}? ({list})"),
                None => format!("{list}; a file of your own ends in .yaml, .yml, .md or .txt"),
            };
            PolicyError::new(PolicyErrorKind::UnknownPolicy, format!("no policy has the id {}", quoted(id)))
                .with_hint(hint)
        })
    }

    /// Returns the policy that a wrong id probably means: the nearest id, one with that word in it, or the one about it.
    fn meant(&self, id: &str) -> Option<&'static str> {
        let word = id.to_lowercase();
        let has = |text: &str| text.split(|char: char| !char.is_alphanumeric()).any(|part| part.starts_with(&word));
        let only = |holds: &dyn Fn(&Entry) -> bool| {
            let mut found = self.entries.iter().filter(|entry| holds(entry));
            found.next().filter(|_| found.next().is_none()).map(|entry| entry.id)
        };
        nearest(id, self.ids()).or_else(|| {
            let long = word.chars().count() > 2;
            only(&|entry| long && has(entry.id)).or_else(|| only(&|entry| long && has(&entry.summary())))
        })
    }
}

impl Entry {
    /// Returns its line of summary, in small letters.
    fn summary(&self) -> String {
        let line = self.source.lines().find_map(|line| line.strip_prefix("summary:"));
        line.unwrap_or_default().to_lowercase()
    }

    /// Returns the policy, parsed at the first call.
    ///
    /// # Panics
    /// If the policy is wrong, which the tests rule out.
    fn policy(&self) -> &Policy {
        self.policy.get_or_init(|| {
            let Self { id, source, golden, .. } = self;
            Policy::from_yaml(&format!("policies/{id}.yaml"), source)
                .and_then(|policy| policy.with_golden(&format!("policies/golden/{id}.yaml"), golden))
                .unwrap_or_else(|error| panic!("shipped policies are tested: {error}"))
        })
    }
}
