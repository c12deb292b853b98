//! A policy file: its keys, and the JSON Schema of them.
//!
//! The one idea: these types are the format. They bend to what authors write, and the domain types do not bend with
//! them. Which parser fills them is not known here, nor whether the values agree: that is `check`.

use schemars::JsonSchema;

use super::yaml::{Entries, Located};
use super::{Action, Effort, Form, Severity, Verdict};

/// The JSON Schema of a policy file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

/// A policy for magistrate, as one writes it.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "magistrate policy")]
pub(super) struct Document {
    /// The name by which the policy is asked for: lower-case letters, digits and hyphens.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,63}$"))]
    pub id: Text,
    /// The name that people read.
    pub title: Text,
    /// The author's version of the wording.
    pub version: Text,
    /// One line about what the policy judges.
    pub summary: Text,
    /// What the model must do; how it must answer is written by the contract.
    pub instruction: Text,
    /// How a reply looks.
    pub contract: ContractPart,
    /// How long the model should reason if nobody asks for something else; medium if left out.
    pub effort: Option<Effort>,
    /// Terms and their meanings.
    #[serde(default)]
    pub definitions: Entries<Text>,
    /// The rules; at least one must be a violation.
    #[schemars(extend("minItems" = 1))]
    pub categories: Located<Vec<CategoryPart>>,
    /// Short cases near the boundary, from both sides.
    #[serde(default)]
    pub examples: Vec<ExamplePart>,
    /// Which rule wins where several apply.
    #[serde(default)]
    pub precedence: Vec<Text>,
    /// What to do where a doubt remains.
    #[serde(default)]
    pub ambiguity: Vec<Text>,
    /// What goes to people.
    #[serde(default)]
    pub escalation: Vec<Text>,
    /// Keys of other taxonomies that a violation stands for, by the name of the taxonomy.
    #[serde(default)]
    pub taxonomy: Entries<Vec<Text>>,
    /// Where the wording comes from.
    pub source: Option<SourcePart>,
    /// The policy's own golden set: texts whose answer is known, which the model does not see.
    #[serde(default)]
    pub golden: Vec<CasePart>,
}

/// A golden set in a file of its own.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GoldenDocument {
    /// The id of the policy.
    pub policy: Text,
    /// Its cases.
    pub cases: Vec<CasePart>,
}

/// A text whose answer is known.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CasePart {
    /// The text.
    pub text: Text,
    /// The code of the category that it falls under; null, or left out, is safe.
    pub category: Option<Text>,
    /// Whether it lies close to the boundary.
    #[serde(default)]
    pub near_miss: bool,
    /// Why, in a sentence.
    pub why: Option<Text>,
}

/// How a reply looks.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContractPart {
    /// A label alone, a JSON object that names the category, or one with a rationale too.
    pub form: Located<Form>,
    /// The words for the verdicts; if left out, 0 is safe, 1 a violation and 2 review.
    pub labels: Option<Located<Entries<Verdict>>>,
}

/// One rule.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CategoryPart {
    /// The code that an answer names.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,32}$"))]
    pub code: Text,
    /// The rule in a few words.
    pub title: Text,
    /// What follows for content that falls under it.
    pub verdict: Verdict,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// What the forum is advised to do.
    pub action: Option<Action>,
    /// When it applies, a sentence each.
    pub criteria: Vec<Text>,
}

/// A case with its answer.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExamplePart {
    /// The content.
    pub text: Text,
    /// The code of the category that it falls under; null, or left out, is safe.
    pub category: Option<Text>,
    /// Why, in a sentence.
    pub why: Option<Text>,
}

/// Where the wording comes from.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourcePart {
    /// The address of the original.
    pub url: Option<Text>,
    /// Its licence.
    pub licence: Option<Text>,
    /// Whatever else a reader should know.
    pub note: Option<Text>,
}

pub(super) type Text = Located<String>;
