//! The row: the verdict on one content by one policy, as `check --json` prints it and `label` writes it.
//!
//! A row is one type in both directions. It has every field when written, and needs only
//! `status` and `policy` when read. So a row of this run, of an older version and of another program count alike. Domain types are
//! not wire types: the names and the shape of the JSON are fixed here and nowhere else.

mod basis;
mod fields;
mod printed;
mod provenance;
mod row_verdict;

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::calibration::certificate::Decision;
use crate::calibration::setup::EvaluationSetup;
use crate::calibration::terms::Terms;
use crate::policy::{Effort, Severity, Verdict};

pub use basis::{Basis, DecidedAnew};
pub(super) use fields::{ColumnKind, PATHS, field, policy_path};
pub use fields::{RowFields, names};
pub use printed::{Printed, Selected};
pub use provenance::Provenance;
pub use row_verdict::RowVerdict;

/// The verdict on a content, or the reason why it has no verdict. Every field is always written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The content's id, as its source has it.
    #[schemars(with = "Option<Id>")]
    pub id: Option<Box<RawValue>>,
    /// `ok` if and only if there is a verdict.
    pub status: Status,
    /// The verdict. Null without one.
    pub verdict: Option<Verdict>,
    /// The label that the policy's contract gives the verdict.
    pub label: Option<String>,
    /// The code of the category that the verdict is based on.
    pub category: Option<String>,
    /// The category's title.
    pub category_title: Option<String>,
    /// The severity of the category, if it is a violation that has one.
    pub severity: Option<Severity>,
    /// P(violation) among all answers that the policy allows, whichever verdict follows. Null if the model wrote freely.
    ///
    /// The verdict follows from this number and `threshold`. Its error is at most about 0.0001, as answers that hardly matter
    /// are estimated. With a threshold near 0 or 1 every answer is scored, so the same text can have another number there.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// P(label) among all answers that the policy allows.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_probability: Option<f64>,
    /// The probability that the model gave to all allowed answers together.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mass: Option<f64>,
    /// In a cascade, the result of the answer before any reasoning.
    pub cascade: Option<RowCascade>,
    /// With a certificate, the probability after calibration.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub calibrated: Option<f64>,
    /// With a certificate: `auto` if the verdict may be acted on, `review` if a person must look.
    pub decision: Option<Decision>,
    /// The threshold on the probability, if one is set.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// The least mass that a verdict needs. Null if the model wrote freely, as its answer has no mass.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_mass: Option<f64>,
    /// True if the model wrote freely and its answer had to be taken from a broken header.
    #[serde(default)]
    #[schemars(!default)]
    pub repaired: bool,
    /// The model's reason in its own words, if the contract asks for one.
    pub rationale: Option<String>,
    /// The model's raw reasoning, only on request. For developers: it may be wrong, or as bad as the content.
    pub reasoning: Option<String>,
    /// The policy.
    pub policy: Named,
    /// The model.
    #[serde(default)]
    #[schemars(!default)]
    pub model: Named,
    /// The template that the prompt was made with.
    #[serde(default)]
    #[schemars(!default)]
    pub template: Named,
    /// The model's reasoning effort.
    #[serde(default)]
    #[schemars(!default)]
    pub effort: Effort,
    /// magistrate's version.
    #[serde(default)]
    #[schemars(!default)]
    pub version: Cow<'static, str>,
    /// The tokens that were used, if the content was judged.
    pub usage: Option<RowUsage>,
    /// The pieces of a content that was judged in pieces. `usage` is the sum of all pieces.
    pub pieces: Option<RowPieces>,
    /// The reason why there is no verdict.
    pub error: Option<RowError>,
    /// The JSON of the answers that the verdict was chosen from, a [`Basis`]. Journals keep it, and no output has it.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub basis: Option<Box<RawValue>>,
    /// The fields that are printed; all if `None`.
    #[serde(skip)]
    pub fields: Option<Arc<RowFields>>,
}

/// The types of an id.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum Id {
    Text(String),
    Number(f64),
}

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a verdict.
    Ok,
    /// The model gave no verdict.
    Unresolved,
    /// The content was not judged.
    Error,
}

/// A policy, a model or a template.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// Its name.
    pub id: String,
    /// A digest of its content.
    #[serde(default)]
    #[schemars(!default)]
    pub digest: String,
}

/// Tokens by their use.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowUsage {
    /// The policy's prefix, decoded once for all contents.
    pub prefix_tokens: usize,
    /// The content, with the control tokens around it.
    pub content_tokens: usize,
    /// Sampled as reasoning.
    pub reasoning_tokens: usize,
    /// Appended in forks to score the answers while the model reasoned.
    #[serde(default)]
    #[schemars(!default)]
    pub probe_tokens: usize,
    /// Appended and scored for the answers.
    pub answer_tokens: usize,
    /// Sampled as rationale.
    pub rationale_tokens: usize,
    /// `itself`, `budget` or `sure`: the end of the reasoning. Null without reasoning.
    pub reasoning_ended: Option<ReasoningEnd>,
}

/// The first answer of a cascade.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowCascade {
    /// P(violation) before any reasoning. Null if the allowed answers had too little mass.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// True if the first answer was too close to call, so that the model reasoned.
    pub escalated: bool,
}

/// The end of a model's reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEnd {
    /// The model ended it.
    Itself,
    /// The budget ended it.
    Budget,
    /// The verdict was sure before the end.
    Sure,
}

/// The pieces of a long content. The row is that of the worst piece, with its probability and mass.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowPieces {
    /// The number of pieces.
    pub count: usize,
    /// Tokens of a piece, at most.
    pub tokens: usize,
    /// Tokens that two neighbors share, about.
    pub overlap: usize,
    /// The piece that the row is about, from 1: a violation before one without a verdict, that before review, and that
    /// before safe.
    pub worst: usize,
    /// Pieces without a verdict.
    pub undecided: usize,
}

/// The reason why a row has no verdict.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowError {
    /// A word for programs, such as `off-contract`, `untrained`, `truncated`, `too-long`, `empty` or `fault`.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    #[serde(default)]
    #[schemars(!default)]
    pub message: String,
    /// A remedy, in a sentence for people. Absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub hint: Option<String>,
}

/// The rows of one record, one for each policy, and their JSON, which is kept byte for byte.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// The rows, in the order of the policies.
    pub rows: Vec<Row>,
    /// A JSON array of the rows, without their ids. Each ends in its [`Basis`], which a reader cuts off.
    pub json: Box<RawValue>,
}

/// The beginning of a row without an id.
const NO_ID: &str = "{\"id\":null,";
/// The beginning of a row's last field in a journal. No text contains it, because a quote in a text is escaped.
const BASIS: &str = ",\"basis\":";

/// Returns the JSON of a row without its [`Basis`], in two parts.
pub(super) fn without_basis(row: &str) -> [&str; 2] {
    match row.rfind(BASIS) {
        Some(at) => [&row[..at], "}"],
        None => [row, ""],
    }
}

impl Verdicts {
    /// Writes rows as JSON. Their ids, which belong to the record, are left out.
    ///
    /// # Panics
    ///
    /// Never: rows can always be written as JSON.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let mut json = String::with_capacity(1024 * rows.len());
        for (place, row) in rows.iter().enumerate() {
            json.push(if place == 0 { '[' } else { ',' });
            // Equal texts of other records share this JSON, so no id may be in it.
            let row = match &row.id {
                None => serde_json::to_string(row),
                Some(_) => serde_json::to_string(&Row { id: None, ..row.clone() }),
            };
            json.push('{');
            let row = row.expect("a row can always be written as JSON");
            json.push_str(row.strip_prefix(NO_ID).expect("the id comes first"));
            if let Some(basis) = &rows[place].basis {
                json.pop();
                json.push_str(BASIS);
                json.push_str(basis.get());
                json.push('}');
            }
        }
        json.push(']');
        Self { json: RawValue::from_string(json).expect("the text is JSON"), rows }
    }

    /// Reads rows from their JSON. `None` if it holds no rows.
    #[must_use]
    pub fn read(json: Box<RawValue>) -> Option<Self> {
        let rows = rows(&json);
        (!rows.is_empty()).then_some(Self { rows, json })
    }
}

/// Reads a JSON array of rows. Empty if it holds anything else.
#[must_use]
pub fn rows(json: &RawValue) -> Vec<Row> {
    serde_json::from_str(json.get()).unwrap_or_default()
}

impl Row {
    /// Returns the code of the error, if there is one.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.code.as_ref())
    }

    /// Reports whether two rows have the same verdict, or lack one for the same reason.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        (self.verdict, &self.label, &self.category) == (other.verdict, &other.label, &other.category)
            && self.reason() == other.reason()
    }

    /// Returns the code and the message of the error, if there is one.
    fn reason(&self) -> Option<(&str, &str)> {
        self.error.as_ref().map(|error| (error.code.as_ref(), error.message.as_str()))
    }

    /// Reports whether the same content would get the same row again. Not if the engine failed or had no room.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        !matches!(self.error_code(), Some("fault" | "engine" | "too-long"))
    }

    /// Returns the setup of an evaluation with such rows, under these terms.
    #[must_use]
    pub fn setup(&self, golden: &str, terms: Terms) -> EvaluationSetup {
        let named = |named: &Named| [named.id.clone(), named.digest.clone()];
        EvaluationSetup {
            golden: golden.to_owned(),
            policy: named(&self.policy),
            model: named(&self.model),
            template: named(&self.template),
            effort: self.effort.to_string(),
            version: self.version.to_string(),
            terms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_is_written() {
        let row = serde_json::json!({
            "status": "ok", "verdict": "safe", "label": "0", "category": null, "category_title": "Fine",
            "severity": "low", "probability": 0.25,
            "label_probability": 0.75, "mass": 0.9, "cascade": { "probability": 0.5, "escalated": true },
            "calibrated": 0.2, "decision": "auto", "threshold": 0.5, "min_mass": 0.01, "repaired": true,
            "rationale": "Why.", "reasoning": "Hm.", "policy": { "id": "p", "digest": "1" },
            "model": { "id": "m", "digest": "2" }, "template": { "id": "t", "digest": "3" }, "effort": "low",
            "version": "0.1.0",
            "usage": {
                "prefix_tokens": 1, "content_tokens": 2, "reasoning_tokens": 3, "probe_tokens": 6, "answer_tokens": 4,
                "rationale_tokens": 5, "reasoning_ended": "budget",
            },
            "pieces": { "count": 2, "tokens": 80, "overlap": 10, "worst": 1, "undecided": 0 },
            "error": { "code": "fault", "message": "It failed.", "hint": "try again" },
        });
        let read = Verdicts::read(serde_json::value::to_raw_value(&[&row]).unwrap()).unwrap();
        let written = Verdicts::new(read.rows.clone());
        let back: Vec<serde_json::Value> = serde_json::from_str(written.json.get()).unwrap();
        assert_eq!(back, std::slice::from_ref(&row));
        assert!(read.rows[0].agrees(&written.rows[0]));
        let basis = Basis::default().to_json();
        let rationale = Some(r#"","basis":{"#.to_owned());
        let with = Verdicts::new(vec![Row { rationale, basis, ..read.rows[0].clone() }]);
        let raw = with.json.get().trim_matches(['[', ']']);
        assert!(raw.ends_with(r#","basis":{}}"#), "{raw}");
        let back: serde_json::Value = serde_json::from_str(&without_basis(raw).concat()).unwrap();
        assert_eq!((&back["rationale"], back.get("basis")), (&serde_json::json!("\",\"basis\":{"), None));
        assert_eq!(back["error"], row["error"]);
        assert!(rows(&with.json)[0].basis.is_some(), "it is read again");
    }

    #[test]
    fn rows_of_other_programs_count_and_what_is_no_row_does_not() {
        let read = |json: &str| rows(&RawValue::from_string(json.to_owned()).unwrap());
        let few = read(r#"[{"status":"error","new":[1],"policy":{"id":"p"},"error":{"code":"empty","more":7}}]"#);
        assert_eq!((few.len(), few[0].error_code()), (1, Some("empty")));
        for wrong in [r#"[{"status":"ok"}]"#, r#"[{"status":"done","policy":{"id":"p"}}]"#, "{}", "[7]", "null"] {
            assert!(read(wrong).is_empty(), "{wrong}");
        }
    }
}
