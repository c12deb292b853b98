//! The text of a policy before it is parsed, and its origin.
//!
//! The one idea: every command reads policies through this one reader. One word names a policy, and every file that is
//! not text gives the same kind of message.

use std::path::{Component, Path, PathBuf};

use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::quoted;
use crate::policy::read::check::is_id;
use crate::policy::read::notation::{Notation, ending};
use crate::policy::read::plain;
use crate::policy::read::text_file::{self, no_file, read};
use crate::policy::read::windows::from_windows_1252;
use crate::policy::{Label, Policy, PolicyLibrary};

/// The text of a policy and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// The name in error messages: the path, or the file name of a shipped policy.
    pub name: String,
    /// The text.
    pub text: String,
    /// Its notation.
    pub notation: Notation,
    /// The id that replaces its own, if the user gave one.
    id: Option<String>,
    shipped: Option<&'static Policy>,
    /// The golden set beside the file: `golden/NAME.yaml`, if it exists.
    golden: Option<PathBuf>,
}

impl PolicySource {
    /// Finds the text that a word names: the id of a shipped policy, or a path. `ID=PATH` gives it another id.
    ///
    /// # Errors
    /// No policy or file has this name, or the file cannot be read or is not text.
    pub fn open(spec: &str) -> Result<Self, PolicyError> {
        match split(spec) {
            (Some(id), path) => {
                if !is_id(id) {
                    let message = format!("{} cannot be the id of a policy", quoted(id));
                    return Err(PolicyError::new(PolicyErrorKind::UnknownPolicy, message)
                        .with_hint("use lower-case letters, digits and hyphens before the `=`, 64 at most"));
                }
                Ok(Self { id: Some(id.to_owned()), ..Self::find(path)? })
            }
            (None, path) => Self::find(path),
        }
    }

    /// Returns the path that a word names, as in [`PolicySource::open`]. Returns `None` for a shipped policy.
    #[must_use]
    pub fn path(spec: &str) -> Option<&Path> {
        let (_, path) = split(spec);
        shipped(path).is_none().then(|| Path::new(path))
    }

    /// Finds a shipped policy, or reads a file.
    fn find(spec: &str) -> Result<Self, PolicyError> {
        let library = PolicyLibrary::shipped();
        if let Some(id) = shipped(spec) {
            let (policy, text) = (library.get(id)?, library.source(id)?.to_owned());
            let name = format!("{id}.yaml");
            return Ok(Self { name, text, notation: Notation::Yaml, id: None, shipped: Some(policy), golden: None });
        }
        let path = Path::new(spec);
        if Notation::of_name(spec).is_none() && !path.exists() {
            return Err(match library.get(spec) {
                Err(unknown) if !spec.contains(['/', '\\', '.']) => unknown,
                _ => no_file(spec),
            });
        }
        // A data file read as plain text would become the instructions of the model.
        if DATA.contains(&ending(spec).as_str()) {
            if let Err(error) = read(path, spec)
                && path.is_file()
            {
                return Err(error);
            }
            let message = format!("{} is named as data, not as a policy", quoted(spec));
            return Err(PolicyError::new(PolicyErrorKind::UnknownPolicy, message)
                .with_hint("a policy is a .yaml, .yml, .md or .txt file, or one without an ending"));
        }
        Self::open_file(path, spec)
    }

    /// Takes a text from elsewhere. Errors call it `name`, which is also the id of a plain text.
    #[must_use]
    pub fn of_text(name: &str, text: &str, notation: Notation) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), notation, id: None, shipped: None, golden: None }
    }

    /// Reads a file with any name. Errors call it `name`.
    ///
    /// # Errors
    /// The file cannot be read or is not text.
    pub fn open_file(path: &Path, name: &str) -> Result<Self, PolicyError> {
        let text = read(path, name)?;
        let notation = Notation::detect(name, &text);
        Ok(Self { notation, name: name.to_owned(), text, id: None, shipped: None, golden: golden_beside(path) })
    }

    /// Reads a text to import, from a file or from stdin. Also returns true if it is read as Windows-1252, because it is
    /// no UTF-8.
    ///
    /// # Errors
    /// The file or stdin cannot be read or is not text.
    pub fn to_import(path: Option<&Path>, name: &str) -> Result<(Self, bool), PolicyError> {
        let bytes = match path {
            Some(path) => text_file::bytes(path, name)?,
            None => text_file::bounded(std::io::stdin().lock(), name)?,
        };
        let text = text_file::utf8(&bytes, name);
        let is_foreign = text.is_err();
        let text = text.unwrap_or_else(|_| from_windows_1252(&bytes));
        let notation = Notation::detect(name, &text);
        Ok((Self { notation, name: name.to_owned(), text, id: None, shipped: None, golden: None }, is_foreign))
    }

    /// Returns the id of a plain text. YAML states its own id, which is known once it is parsed.
    #[must_use]
    pub fn plain_id(&self) -> &str {
        let path = Path::new(&self.name);
        // The name of a pipe, such as `/dev/fd/63`, differs from run to run.
        let passing = path.starts_with("/dev") || path.starts_with("/proc");
        match &self.id {
            Some(id) => id,
            None if passing => "policy",
            None => path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(&self.name),
        }
    }

    /// Uses the folder's name as the id of a plain text, as in `spam/policy.md`. Returns false if the path names no
    /// folder, or the user gave an id.
    pub fn use_folder_name(&mut self) -> bool {
        let folder = Path::new(&self.name).parent().and_then(|folder| folder.components().next_back());
        match folder {
            Some(Component::Normal(folder)) if self.id.is_none() && self.notation == Notation::Plain => {
                self.id = folder.to_str().map(str::to_owned);
                self.id.is_some()
            }
            _ => false,
        }
    }

    /// Reads the policy. `labels` replace the labels that the text states.
    ///
    /// # Errors
    /// The text is wrong as a policy, or does not fit the labels.
    pub fn parse(&self, labels: Option<Vec<Label>>) -> Result<Policy, PolicyError> {
        let mut policy = match (self.shipped, self.notation) {
            (Some(policy), _) => policy.clone(),
            (None, Notation::Yaml) => {
                let mut policy = Policy::from_yaml(&self.name, &self.text)?;
                let folder = Path::new(&self.name).parent().unwrap_or(Path::new(""));
                let stated = policy.golden_file.map(|file| folder.join(file));
                let beside = self.golden.clone().filter(|_| policy.golden.is_empty());
                policy.golden_file = stated.or(beside);
                policy
            }
            (None, Notation::Plain) => {
                return Policy::from_plain(self.plain_id(), &self.text, labels)
                    .map(|policy| Policy { golden_file: self.golden.clone(), ..policy })
                    .map_err(|error| error.named(&self.name));
            }
        };
        if let Some(id) = &self.id {
            policy.id.clone_from(id);
        }
        match labels {
            Some(labels) => policy.with_labels(labels),
            None => Ok(policy),
        }
    }

    /// Checks labels against the answers that a plain text asks for.
    ///
    /// # Errors
    /// The text asks for other words, or gives one of these the opposite meaning.
    pub fn check_labels(&self, labels: &[Label]) -> Result<(), PolicyError> {
        match self.notation {
            Notation::Yaml => Ok(()),
            Notation::Plain => {
                plain::check_labels(self.plain_id(), &self.text, labels).map_err(|error| error.named(&self.name))
            }
        }
    }
}

impl Policy {
    /// Reads a golden set in YAML for this policy.
    ///
    /// # Errors
    /// The file cannot be read, is not a golden set, or has a case that does not fit the policy.
    pub fn with_golden_file(mut self, path: &Path) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        if Notation::of_name(&name) != Some(Notation::Yaml) {
            return Err(PolicyError::new(PolicyErrorKind::Read, "a golden set of a policy is a YAML file")
                .named(&name)
                .with_hint("end its name in .yaml or .yml; tables are named on the command line"));
        }
        let hint = "check `golden:` in the policy: its path begins in the policy's folder";
        let text = read(path, &name).map_err(|error| if path.exists() { error } else { error.with_hint(hint) })?;
        self.golden = self.golden_cases(&name, &text)?;
        Ok(self)
    }
}

/// Returns the golden set that lies beside a policy's file, as those of the shipped policies do.
fn golden_beside(path: &Path) -> Option<PathBuf> {
    let file = format!("{}.yaml", path.file_stem()?.to_str()?);
    Some(path.parent()?.join("golden").join(file)).filter(|file| file.is_file())
}

/// Loads the policy that a word names, as in [`PolicySource::open`]. `labels` replace the labels that it states.
///
/// # Errors
/// No policy or file has this name, the file cannot be read, or the policy is wrong.
pub fn load(spec: &str, labels: Option<Vec<Label>>) -> Result<Policy, PolicyError> {
    PolicySource::open(spec)?.parse(labels)
}

/// Returns the id of the shipped policy that a word names, in capitals or not. A file with this very name comes first
/// unless the word is the id itself.
fn shipped(word: &str) -> Option<&'static str> {
    let ids = || PolicyLibrary::shipped().ids();
    let loosely = || ids().find(|id| id.eq_ignore_ascii_case(word) && !Path::new(word).exists());
    ids().find(|id| *id == word).or_else(loosely)
}

/// Splits `ID=PATH`. A file with a `=` in its own name is a path as a whole.
fn split(spec: &str) -> (Option<&str>, &str) {
    match spec.split_once('=') {
        Some((id, path)) if !Path::new(spec).exists() => (Some(id), path),
        _ => (None, spec),
    }
}

/// Endings of files that hold data rather than a policy.
const DATA: [&str; 14] =
    ["csv", "tsv", "json", "jsonl", "ndjson", "parquet", "arrow", "gz", "zst", "xlsx", "xls", "docx", "doc", "pdf"];
