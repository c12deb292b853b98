//! The keys of a policy file, and their JSON Schema.
//!
//! The one idea: these types are the file format, apart from the types of the program. The format can follow the habits
//! of authors without a change elsewhere. `check` turns one into the other.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::policy::read::yaml::{Located, Mapping, Text};
use crate::policy::{Action, Effort, Form, Severity, Verdict};

/// Returns the JSON Schema of a policy file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

/// A policy for magistrate.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "magistrate policy")]
pub(in crate::policy) struct Document {
    /// The name that selects the policy: lower-case letters, digits and hyphens.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,63}$"))]
    pub id: Text,
    /// The name that people read.
    pub title: Text,
    /// The author's version of the wording.
    pub version: Text,
    /// One line about the subject of the policy.
    pub summary: Text,
    /// The task of the model. The contract writes the request for an answer.
    pub instruction: Text,
    /// The form of a reply.
    pub contract: ContractPart,
    /// The length of the model's reasoning by default; medium if left out.
    pub effort: Option<Effort>,
    /// Terms and their meanings.
    #[serde(default)]
    pub definitions: Mapping<Text>,
    /// The rules; at least one must be a violation.
    #[schemars(extend("minItems" = 1))]
    pub categories: Located<Vec<CategoryPart>>,
    /// Short cases near the boundary, from both sides.
    #[serde(default)]
    pub examples: Vec<ExamplePart>,
    /// The order of rules where several apply.
    #[serde(default)]
    pub precedence: Vec<Text>,
    /// Guidance for cases that the rules leave open.
    #[serde(default)]
    pub ambiguity: Vec<Text>,
    /// The cases that people decide.
    #[serde(default)]
    pub escalation: Vec<Text>,
    /// Keys of other taxonomies that match a violation, by the name of the taxonomy.
    #[serde(default)]
    pub taxonomy: Mapping<Vec<Text>>,
    /// The origin of the wording.
    pub source: Option<SourcePart>,
    /// The policy's own golden set: texts with a known answer, which the model does not see. Or the path of a file with
    /// them, from the policy's folder.
    pub golden: Option<GoldenPart>,
}

/// A golden set in the policy, or the path of its file.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(in crate::policy) enum GoldenPart {
    /// The cases.
    Cases(Vec<CasePart>),
    /// The path.
    File(String),
}

impl<'de> Deserialize<'de> for GoldenPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrPath;

        impl<'de> Visitor<'de> for ListOrPath {
            type Value = GoldenPart;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of cases, or the path of a file with them")
            }

            fn visit_str<E>(self, path: &str) -> Result<GoldenPart, E> {
                Ok(GoldenPart::File(path.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<GoldenPart, A::Error> {
                let mut cases = Vec::new();
                while let Some(case) = list.next_element()? {
                    cases.push(case);
                }
                Ok(GoldenPart::Cases(cases))
            }
        }

        deserializer.deserialize_any(ListOrPath)
    }
}

/// A golden set in a file of its own.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct GoldenDocument {
    /// The id of the policy.
    pub policy: Text,
    /// Its cases.
    pub cases: Vec<CasePart>,
}

/// A text with a known answer.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct CasePart {
    /// The text.
    pub text: Text,
    /// The code of its category; null, or left out, is safe.
    pub category: Option<Text>,
    /// The verdict, if the category is not known.
    pub verdict: Option<Verdict>,
    /// True if it lies close to the boundary.
    #[serde(default)]
    pub near_miss: bool,
    /// The reason, in a sentence.
    pub why: Option<Text>,
}

/// The form of a reply.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct ContractPart {
    /// A label alone, a JSON object that names the category, or one with a rationale too.
    pub form: Located<Form>,
    /// The words for the verdicts; if left out, 0 is safe, 1 a violation and 2 review.
    pub labels: Option<Located<Mapping<Verdict>>>,
}

/// A rule.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct CategoryPart {
    /// The code that an answer names.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,32}$"))]
    pub code: Text,
    /// The rule in a few words.
    pub title: Text,
    /// The verdict on content of this category.
    pub verdict: Verdict,
    /// The severity of a violation.
    pub severity: Option<Severity>,
    /// The advice to the forum.
    pub action: Option<Action>,
    /// The conditions, a sentence each.
    pub criteria: Vec<Text>,
}

/// A case with its answer.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct ExamplePart {
    /// The content.
    pub text: Text,
    /// The code of its category; null, or left out, is safe.
    pub category: Option<Text>,
    /// The reason, in a sentence.
    pub why: Option<Text>,
}

/// The origin of the wording.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct SourcePart {
    /// The address of the original.
    pub url: Option<Text>,
    /// Its license.
    pub licence: Option<Text>,
    /// A remark for readers.
    pub note: Option<Text>,
}
