//! The rules of a policy: in parts, or as one text.

use serde::{Deserialize, Serialize};

use crate::policy::{Category, Definition, Example};

/// The rules of a policy, in one of two shapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Rules in parts, from a YAML file. The policy template turns them into instructions.
    Structured(Box<Structured>),
    /// A text that is the instructions, word for word.
    Verbatim(String),
}

/// The parts of a policy that was written as YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structured {
    /// One line about the subject of the policy, for lists.
    pub summary: String,
    /// The task of the model.
    pub instruction: String,
    /// The terms that the criteria use, in the author's order.
    pub definitions: Vec<Definition>,
    /// The categories: forbidden, allowed, or left to people.
    pub categories: Vec<Category>,
    /// Short cases near the boundary.
    pub examples: Vec<Example>,
    /// The order of rules where several apply.
    pub precedence: Vec<String>,
    /// Guidance for cases that the rules leave open.
    pub ambiguity: Vec<String>,
    /// The cases that people decide.
    pub escalation: Vec<String>,
    /// The keys of other taxonomies that match a violation: name of the taxonomy, then its keys.
    pub taxonomy: Vec<(String, Vec<String>)>,
    /// The origin of the wording.
    pub source: Option<Source>,
}

/// The origin of a policy's wording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The address of the original.
    pub url: Option<String>,
    /// Its license.
    pub licence: Option<String>,
    /// A remark for readers.
    pub note: Option<String>,
}
