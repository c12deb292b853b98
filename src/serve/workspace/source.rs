//! The source of a policy: its text as the author wrote it, and its golden set.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Workspace;
use crate::policy::{GoldenCase, Notation, Policy, PolicyLibrary, PolicySource};
use crate::serve::policies::Policies;
use crate::text::hex;

/// The source of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The notation of the text.
    pub notation: Notation,
    /// The text, byte for byte.
    pub text: String,
    /// The file of the golden set. Missing if the text itself contains the cases.
    pub golden: Option<String>,
    /// The policy, if the text can be read as one.
    pub policy: Option<Policy>,
    /// True if it is a file of the workspace.
    pub is_own: bool,
}

impl Source {
    /// Opens the source of a policy: a file of the workspace, else the origin of the served policy.
    ///
    /// # Errors
    ///
    /// An I/O error if a file cannot be read, or is no text.
    pub fn open(workspace: Option<&Workspace>, policies: &Policies, id: &str) -> io::Result<Option<Self>> {
        if let Some(workspace) = workspace
            && let Some(path) = workspace.file(id)
        {
            let text = fs::read_to_string(&path)?;
            let source = PolicySource::open_file(&path, &path.display().to_string());
            let policy = source.ok().and_then(|source| source.parse(None).ok());
            let notation = Notation::detect(&path.display().to_string(), &text);
            let file = workspace.golden(id);
            let golden = file.is_file().then(|| fs::read_to_string(&file)).transpose()?;
            return Ok(Some(Self { notation, text, golden, policy, is_own: true }));
        }
        if !policies.now().iter().any(|served| served.policy.id == id) {
            return Ok(None);
        }
        Ok(match policies.place(id) {
            None => Self::shipped(id),
            Some(path) if path.is_dir() => {
                let entries = fs::read_dir(path)?;
                entries.flatten().find_map(|entry| Self::in_file(&entry.path(), id))
            }
            Some(path) => Self::in_file(&path, id),
        })
    }

    /// Returns the source of a shipped policy.
    fn shipped(id: &str) -> Option<Self> {
        let library = PolicyLibrary::shipped();
        Some(Self {
            notation: Notation::Yaml,
            text: library.source(id).ok()?.to_owned(),
            golden: library.golden_source(id).ok().map(str::to_owned),
            policy: library.get(id).ok().cloned(),
            is_own: false,
        })
    }

    /// Reads a file that is named on the command line, if it contains the policy with this id.
    fn in_file(path: &Path, id: &str) -> Option<Self> {
        let source = PolicySource::open_file(path, &path.display().to_string()).ok()?;
        let policy = source.parse(None).ok()?;
        let golden = policy.golden_file.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let found = Self { notation: source.notation, text: source.text, golden, policy: Some(policy), is_own: false };
        // A text is named after its file or its folder, or on the command line.
        let is_named = |policy: &Policy| policy.id == id || found.notation == Notation::Plain;
        found.policy.as_ref().is_some_and(is_named).then_some(found)
    }

    /// Returns the golden set. That of a shipped policy is also the set of a copy without one, as `eval` has it.
    #[must_use]
    pub fn cases(&self) -> Vec<GoldenCase> {
        let own = self.policy.as_ref().map_or(&[][..], |policy| &policy.golden);
        match &self.golden {
            _ if !own.is_empty() => own.to_vec(),
            Some(yaml) => GoldenCase::read("golden", yaml).unwrap_or_default(),
            None => {
                let id = self.policy.as_ref().map_or("", |policy| policy.id.as_str());
                PolicyLibrary::shipped().golden(id).to_vec()
            }
        }
    }

    /// Returns the digest of the policy. Without a policy, that of the text.
    #[must_use]
    pub fn digest(&self) -> String {
        self.policy.as_ref().map_or_else(|| hex(&Sha256::digest(&self.text)), Policy::digest)
    }

    /// Returns the tag of this very source, comments and golden set included.
    #[must_use]
    pub fn tag(&self) -> String {
        // No UTF-8 contains the byte between the two.
        let golden = self.golden.as_deref().unwrap_or_default().as_bytes();
        hex(&Sha256::digest([self.text.as_bytes(), &[0xff], golden].concat()))
    }
}
