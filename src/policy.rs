//! A policy: the rules about forbidden and allowed content, and the exact answers that a model may give.
//!
//! The one idea: a policy fixes its own answers. A reader compares a reply with [`Policy::answers`], a closed list of
//! byte strings, and never searches prose for a label.
//!
//! The room is in three parts. `read` makes a policy from YAML or from plain text, `author` helps to write one, and
//! `diagnostics` reports its faults. Nothing here depends on prompts, tokens, models or probabilities. Only
//! `read::text_file` reads files.

mod author;
mod body;
mod category;
mod compatibility;
mod contract;
mod diagnostics;
mod examples;
mod library;
mod read;
mod render;
mod terms;
pub(crate) mod vocabulary;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[doc(hidden)]
pub use author::golden_yaml::golden_yaml;
#[doc(hidden)]
pub use author::{diff, draft, import};
pub use body::{Body, Source, Structured};
pub use category::{Category, Definition};
pub use contract::{Answer, Contract, Form, Label};
pub use diagnostics::error::{PolicyError, PolicyErrorKind};
#[doc(hidden)]
pub use diagnostics::lint;
pub use examples::{Example, GoldenCase};
pub use library::PolicyLibrary;
pub use read::check::is_id;
pub use read::document::schema;
pub use read::notation::Notation;
pub use read::policy_source::{PolicySource, load};
#[doc(hidden)]
pub use read::recognition::unlike_a_policy;
pub use terms::{Action, Effort, Severity, UnknownWord, Verdict};

/// A checked policy: its contract, its categories and its examples agree with one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Policy {
    /// The name that selects the policy, such as `spam`.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// The author's version of the wording; `unversioned` for a plain text.
    pub version: String,
    /// The length of the model's reasoning by default.
    pub effort: Effort,
    /// The form of a reply and its labels.
    pub contract: Contract,
    /// The rules.
    pub body: Body,
    /// Texts with a known answer, for evaluating the policy. They are not part of its wording.
    #[serde(skip)]
    pub golden: Vec<GoldenCase>,
    /// The file of such texts, if the policy names one. [`Policy::with_golden_file`] reads it.
    #[serde(skip)]
    pub golden_file: Option<PathBuf>,
}

impl Policy {
    /// Returns all answers that the contract allows: by labels, or safe first and then by categories.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        self.contract.answers(self.categories())
    }

    /// Returns the categories. Empty for a plain text.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        match &self.body {
            Body::Structured(rules) => &rules.categories,
            Body::Verbatim(_) => &[],
        }
    }

    /// Returns the keys of other taxonomies that match a violation. Empty for a plain text.
    #[must_use]
    pub fn taxonomy(&self) -> &[(String, Vec<String>)] {
        match &self.body {
            Body::Structured(rules) => &rules.taxonomy,
            Body::Verbatim(_) => &[],
        }
    }

    /// Returns the SHA-256 of the policy's content, in hexadecimal.
    ///
    /// Comments, layout and effort do not count, nor does the name of a plain text.
    #[must_use]
    pub fn digest(&self) -> String {
        // The number changes whenever the same policy would get another digest.
        const SCHEME: &str = "magistrate policy digest 1";
        let canonical = match &self.body {
            Body::Structured(rules) => {
                serde_json::to_vec(&(SCHEME, &self.id, &self.title, &self.version, &self.contract, rules))
            }
            Body::Verbatim(text) => serde_json::to_vec(&(SCHEME, text, &self.contract)),
        };
        // Strings, lists and enums without data cannot fail to become JSON.
        crate::text::hex(&Sha256::digest(canonical.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
