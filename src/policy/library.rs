//! The shipped policies.
//!
//! The one idea: the policies are part of the program, and each is parsed when it is first asked for.

use std::sync::OnceLock;

use super::error::{PolicyError, PolicyErrorKind};
use super::phrase::{nearest, quoted};
use super::{GoldenCase, Policy};

/// The policies that come with magistrate.
#[derive(Debug)]
pub struct PolicyLibrary {
    shelf: [Book; 20],
}

/// A policy on the shelf, which is read when somebody first asks for it: reading all of them takes longer than a small model
/// takes to judge.
#[derive(Debug)]
struct Book {
    id: &'static str,
    source: &'static str,
    golden: &'static str,
    policy: OnceLock<Policy>,
}

/// A shipped policy's id, its text, and that of its golden set.
macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        PolicyLibrary { shelf: [$(Book {
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
    /// The shipped library.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// The policy of that id.
    ///
    /// # Errors
    /// There is none; the hint lists those that there are.
    pub fn get(&self, id: &str) -> Result<&Policy, PolicyError> {
        self.find(id).map(Book::policy)
    }

    /// The YAML of the policy of that id, as one can save and change it.
    ///
    /// # Errors
    /// There is none; the hint lists those that there are.
    pub fn source(&self, id: &str) -> Result<&'static str, PolicyError> {
        self.find(id).map(|book| book.source)
    }

    /// The golden set that is shipped with the policy of that id; nothing if there is no such policy.
    #[must_use]
    pub fn golden(&self, id: &str) -> &[GoldenCase] {
        self.get(id).map_or(&[], |policy| policy.golden.as_slice())
    }

    /// Reports whether a policy equals a shipped one, word for word.
    #[must_use]
    pub fn has(&self, policy: &Policy) -> bool {
        self.get(&policy.id).is_ok_and(|shipped| shipped.digest() == policy.digest())
    }

    /// All policies.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.shelf.iter().map(Book::policy)
    }

    fn find(&self, id: &str) -> Result<&Book, PolicyError> {
        self.shelf.iter().find(|book| book.id == id).ok_or_else(|| {
            let ids: Vec<&str> = self.shelf.iter().map(|book| book.id).collect();
            let meant = nearest(id, ids.iter().copied()).map(|id| format!("did you mean `{id}`? "));
            PolicyError::new(PolicyErrorKind::UnknownPolicy, format!("no policy is called {}", quoted(id))).with_hint(
                format!(
                    "{}shipped: {}; a file of your own ends in .yaml, .yml, .md or .txt",
                    meant.unwrap_or_default(),
                    ids.join(", "),
                ),
            )
        })
    }
}

impl Book {
    /// # Panics
    /// The policy is wrong, which the tests rule out.
    fn policy(&self) -> &Policy {
        self.policy.get_or_init(|| {
            let Self { id, source, golden, .. } = self;
            Policy::from_yaml(&format!("policies/{id}.yaml"), source)
                .and_then(|policy| policy.with_golden(&format!("policies/golden/{id}.yaml"), golden))
                .unwrap_or_else(|error| panic!("shipped policies are tested: {error}"))
        })
    }
}
