//! The shipped policies, and policies named on a command line.
//!
//! The one idea: one word finds a policy, whether it is an id or a path. This is the only file of `policy` that reads
//! files.

use std::path::Path;
use std::sync::OnceLock;

use super::error::{PolicyError, PolicyErrorKind};
use super::phrase::{listed, nearest, quoted};
use super::report::Place;
use super::{GoldenCase, Label, Policy};

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

/// The policy that a word names: the id of a shipped one, else a path to YAML (`.yaml`, `.yml`) or to a text that is the
/// instructions word for word (`.md`, `.txt`). `labels` replace those that the policy states.
///
/// # Errors
/// There is no such policy or file, it cannot be read, or it is wrong.
pub fn load(spec: &str, labels: Option<Vec<Label>>) -> Result<Policy, PolicyError> {
    let path = Path::new(spec);
    let library = PolicyLibrary::shipped();
    let policy = match (library.get(spec), ending(spec).as_str()) {
        (Ok(policy), _) => policy.clone(),
        (Err(_), "yaml" | "yml") => Policy::from_yaml(spec, &read(path, spec)?)?,
        (Err(_), _) if is_plain(spec) => {
            let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(spec);
            return Policy::from_plain(id, &read(path, spec)?, labels).map_err(|error| error.named(spec));
        }
        (Err(_), _) if path.is_file() => {
            let message = format!("{} could be YAML or plain text", quoted(spec));
            return Err(PolicyError::new(PolicyErrorKind::UnknownPolicy, message).with_hint(format!(
                "name the file with one of the endings {}",
                listed(&[".yaml", ".yml", ".md", ".txt"])
            )));
        }
        (Err(unknown), _) => return Err(unknown),
    };
    match labels {
        Some(labels) => policy.with_labels(labels),
        None => Ok(policy),
    }
}

/// Whether a word names a text that is the instructions word for word, by its ending.
#[must_use]
pub fn is_plain(spec: &str) -> bool {
    matches!(ending(spec).as_str(), "md" | "txt")
}

fn ending(spec: &str) -> String {
    let ending = Path::new(spec).extension().and_then(|ending| ending.to_str());
    ending.unwrap_or_default().to_ascii_lowercase()
}

fn read(path: &Path, spec: &str) -> Result<String, PolicyError> {
    let bytes = std::fs::read(path).map_err(|error| {
        PolicyError::new(PolicyErrorKind::Read, format!("cannot read the policy: {error}")).named(spec)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        let place = Place { line: before.matches('\n').count() + 1, column: last_line.chars().count() + 1, width: 1 };
        PolicyError::new(PolicyErrorKind::Encoding, format!("not UTF-8 at byte {valid}"))
            .named(spec)
            .at(&String::from_utf8_lossy(error.as_bytes()), place)
            .with_hint("save the file as UTF-8")
    })?;
    // A byte order mark belongs to the encoding, not to the text.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
