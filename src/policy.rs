//! A policy: what is forbidden, what is allowed, and the exact answers that a model may give about it.
//!
//! The one idea: a policy fixes its own answers. Whoever reads a reply compares it with [`Policy::answers`], a closed
//! list of byte strings, and never searches prose for a label.
//!
//! Nothing here depends on prompts, tokens, models or probabilities. Only [`Manuscript`] reads a file.

mod check;
mod contract;
pub mod diff;
pub mod draft;
mod error;
mod file;
mod fit;
pub mod import;
mod library;
pub mod lint;
mod manuscript;
mod phrase;
mod plain;
mod render;
mod report;
mod sense;
mod words;
mod yaml;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use check::is_id;
pub use contract::{Answer, Contract, Form, Label};
pub use error::{PolicyError, PolicyErrorKind};
pub use file::schema;
pub use library::PolicyLibrary;
pub use manuscript::{Manuscript, Notation, load};
pub use words::{Action, Effort, Severity, UnknownWord, Verdict};

/// A written policy, checked: its contract, its categories and its examples agree with one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Policy {
    /// The name by which it is asked for, such as `spam`.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// The author's version of the wording; `unversioned` for a plain text.
    pub version: String,
    /// How long a model should reason if nobody asks for something else.
    pub effort: Effort,
    /// The form of a reply and its labels.
    pub contract: Contract,
    /// The rules.
    pub body: Body,
    /// Texts whose answer is known, to evaluate the policy on. They are no part of what it says.
    #[serde(skip)]
    pub golden: Vec<GoldenCase>,
}

/// A text whose answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenCase {
    /// The text.
    pub text: String,
    /// The code of the category that it falls under; `None` is safe.
    pub category: Option<String>,
    /// Whether it lies close to the boundary.
    pub near_miss: bool,
    /// Why, in a sentence.
    pub why: Option<String>,
}

/// The rules of a policy, in one of two shapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Rules in parts, from a YAML file; the policy template turns them into instructions.
    Structured(Box<Structured>),
    /// A text that is the instructions, word for word.
    Verbatim(String),
}

/// The parts of a policy that was written as YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structured {
    /// One line about what the policy judges, for lists.
    pub summary: String,
    /// What the model must do.
    pub instruction: String,
    /// The terms that the criteria use, in the author's order.
    pub definitions: Vec<Definition>,
    /// What is forbidden, allowed, or left to people.
    pub categories: Vec<Category>,
    /// Short cases near the boundary.
    pub examples: Vec<Example>,
    /// Which rule wins where several apply.
    pub precedence: Vec<String>,
    /// What to do where the text leaves a doubt.
    pub ambiguity: Vec<String>,
    /// What goes to people.
    pub escalation: Vec<String>,
    /// The keys of other taxonomies that a violation stands for: name of the taxonomy, then its keys.
    pub taxonomy: Vec<(String, Vec<String>)>,
    /// Where the wording comes from.
    pub source: Option<Source>,
}

/// A term and what it means in one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The term.
    pub term: String,
    /// Its meaning.
    pub meaning: String,
}

/// One rule, with a code that an answer can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// The code, such as `SP2.a`.
    pub code: String,
    /// The rule in a few words.
    pub title: String,
    /// What follows for content that falls under it.
    pub verdict: Verdict,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// What the forum is advised to do.
    pub action: Option<Action>,
    /// When it applies, a sentence each.
    pub criteria: Vec<String>,
}

/// A case with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The content.
    pub text: String,
    /// The code of the category that it falls under; `None` is safe.
    pub category: Option<String>,
    /// Why, in a sentence; it stands as the rationale.
    pub why: Option<String>,
}

/// Where the wording of a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The address of the original.
    pub url: Option<String>,
    /// Its licence.
    pub licence: Option<String>,
    /// Whatever else a reader should know.
    pub note: Option<String>,
}

impl Policy {
    /// Reads a policy from YAML. `name` is what errors call it.
    ///
    /// # Errors
    /// Anything that the schema or the policy's own logic forbids, with its line.
    pub fn from_yaml(name: &str, source: &str) -> Result<Self, PolicyError> {
        check::policy(name, source, &yaml::parse(name, source)?)
    }

    /// Takes a text as the instructions, word for word. Without `labels`, the text itself must state its answers.
    ///
    /// # Errors
    /// An empty text, labels that cannot stand together, no answers stated, or two different sets of them.
    pub fn from_plain(id: &str, text: &str, labels: Option<Vec<Label>>) -> Result<Self, PolicyError> {
        plain::policy(id, text, labels)
    }

    /// The same policy with other labels.
    ///
    /// # Errors
    /// The labels cannot stand together, or do not fit the policy's categories and examples.
    pub fn with_labels(mut self, labels: Vec<Label>) -> Result<Self, PolicyError> {
        self.contract = Contract::new(self.contract.form, labels)?;
        if let Body::Structured(rules) = &self.body {
            self.contract.fits(rules).map_err(PolicyError::from)?;
        }
        Ok(self)
    }

    /// All answers that the contract allows: by labels, or safe first and then by categories.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        self.contract.answers(self.categories())
    }

    /// The categories; a plain text has none.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        match &self.body {
            Body::Structured(rules) => &rules.categories,
            Body::Verbatim(_) => &[],
        }
    }

    /// The keys of other taxonomies that a violation stands for; a plain text has none.
    #[must_use]
    pub fn taxonomy(&self) -> &[(String, Vec<String>)] {
        match &self.body {
            Body::Structured(rules) => &rules.taxonomy,
            Body::Verbatim(_) => &[],
        }
    }

    /// The same policy with the golden set of a file of its own. `name` is what errors call the file.
    ///
    /// # Errors
    /// The file is no golden set of this policy; the message names the line.
    pub fn with_golden(mut self, name: &str, source: &str) -> Result<Self, PolicyError> {
        self.golden = check::golden(name, source, &yaml::parse(name, source)?, &self)?;
        Ok(self)
    }

    /// SHA-256, in hexadecimal, of what the policy says: comments, layout and effort do not count, nor does the name
    /// of a plain text.
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

    /// All that the policy template is filled from; nothing for a plain text, which needs no template.
    #[must_use]
    pub fn context(&self) -> Option<impl Serialize + '_> {
        match &self.body {
            Body::Structured(rules) => Some(render::Context::new(self, rules)),
            Body::Verbatim(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
