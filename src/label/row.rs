//! The row: what is said of one content and one policy, in `check --json` and by `label`.
//!
//! The one idea: domain types are not wire types. Names and shape of what goes out are fixed here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::judge::{Judged, Pieces};
use super::records::Defect;
use crate::calibration::certificate::{Certificate, Decision};
use crate::calibration::setup::EvaluationSetup;
use crate::calibration::terms::Terms;
use crate::engine::{Cascade, EngineError, Reasoning, Usage};
use crate::gguf::ModelFile;
use crate::policy::{Effort, Policy, Verdict};
use crate::prompt::Templates;
use crate::verdict::{Outcome, Rule, Unresolved};

/// One verdict, or why there is none. Every field is always there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// The content's id, as its source has it.
    #[schemars(with = "Option<Id>")]
    pub id: Option<Box<RawValue>>,
    /// `ok` if and only if there is a verdict.
    pub status: Status,
    /// The verdict, if there is one.
    pub verdict: Option<Verdict>,
    /// The label that the policy's contract gives the verdict.
    pub label: Option<String>,
    /// The code of the category that the verdict rests on.
    pub category: Option<String>,
    /// P(violation) among all answers that the policy allows, whatever the verdict. Null if the model wrote freely.
    ///
    /// The verdict follows from this number and `threshold`. It is right to about 0.0001: answers that hardly matter are
    /// estimated. With a threshold near 0 or 1 none is, so the same text can have another number there.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// P(label) among all answers that the policy allows.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_probability: Option<f64>,
    /// What the model gave to all allowed answers together.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mass: Option<f64>,
    /// Of --cascade, what the answer before any reasoning came to.
    pub cascade: Option<RowCascade>,
    /// With --certificate, what is believed of the probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub calibrated: Option<f64>,
    /// With --certificate, whether the verdict may be acted on: `auto`, or `review` by a person.
    pub decision: Option<Decision>,
    /// The cut that --threshold set on the probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// The least mass that --min-mass asks for. Null if the model wrote freely: there is no mass to hold it against.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_mass: Option<f64>,
    /// Whether the model wrote freely and its answer had to be taken from a broken header.
    pub repaired: bool,
    /// Why, in the model's words, if the contract asks for it.
    pub rationale: Option<String>,
    /// The model's raw reasoning, only if it was asked for. For developers: it may be wrong, or as bad as the content.
    pub reasoning: Option<String>,
    /// The policy.
    pub policy: Named,
    /// The model.
    pub model: Named,
    /// The template that the prompt was made with.
    pub template: Named,
    /// How much the model was to reason.
    pub effort: Effort,
    /// magistrate's version.
    pub version: &'static str,
    /// What it took, if it was judged.
    pub usage: Option<RowUsage>,
    /// If the content was judged in pieces, how many, and which of them the row is about. `usage` is that of all of them.
    pub pieces: Option<RowPieces>,
    /// Why there is no verdict.
    pub error: Option<RowError>,
    /// Which of all these are printed.
    #[serde(skip)]
    pub fields: Option<Arc<Fields>>,
}

/// Some of a row's fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields(BTreeSet<String>);

/// All that can be said in a row, each by its path and as what it goes into a table. Of a field that holds several things
/// each has a path of its own, with a dot.
pub(super) const PATHS: [(&str, Kind); 38] = [
    ("id", Kind::Text),
    ("status", Kind::Text),
    ("verdict", Kind::Text),
    ("label", Kind::Text),
    ("category", Kind::Text),
    ("probability", Kind::Number),
    ("label_probability", Kind::Number),
    ("mass", Kind::Number),
    ("cascade.probability", Kind::Number),
    ("cascade.escalated", Kind::Boolean),
    ("calibrated", Kind::Number),
    ("decision", Kind::Text),
    ("threshold", Kind::Number),
    ("min_mass", Kind::Number),
    ("repaired", Kind::Boolean),
    ("rationale", Kind::Text),
    ("reasoning", Kind::Text),
    ("policy.id", Kind::Text),
    ("policy.digest", Kind::Text),
    ("model.id", Kind::Text),
    ("model.digest", Kind::Text),
    ("template.id", Kind::Text),
    ("template.digest", Kind::Text),
    ("effort", Kind::Text),
    ("version", Kind::Text),
    ("usage.prefix_tokens", Kind::Integer),
    ("usage.content_tokens", Kind::Integer),
    ("usage.reasoning_tokens", Kind::Integer),
    ("usage.answer_tokens", Kind::Integer),
    ("usage.rationale_tokens", Kind::Integer),
    ("usage.reasoning_ended", Kind::Text),
    ("pieces.count", Kind::Integer),
    ("pieces.tokens", Kind::Integer),
    ("pieces.overlap", Kind::Integer),
    ("pieces.worst", Kind::Integer),
    ("pieces.undecided", Kind::Integer),
    ("error.code", Kind::Text),
    ("error.message", Kind::Text),
];

/// What a column of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
}

/// The field that a path leads into.
pub(super) fn field(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// The names of all fields, in order.
fn fields() -> Vec<&'static str> {
    let mut names: Vec<&str> = PATHS.iter().map(|(path, _)| field(path)).collect();
    names.dedup();
    names
}

/// The path of something that is said by one of several policies.
pub(super) fn path_of(policy: &str, path: &str) -> String {
    format!("{policy}.{path}")
}

/// All names that rows of these policies use, in any format.
#[must_use]
pub fn names<'p>(policies: impl Iterator<Item = &'p str>) -> Vec<String> {
    let policies: Vec<&str> = policies.collect();
    let paths = PATHS.iter().map(|(path, _)| *path);
    match policies.as_slice() {
        [_] => fields().into_iter().chain(paths).map(str::to_owned).collect(),
        several => ["id", "verdicts"]
            .into_iter()
            .map(str::to_owned)
            .chain(several.iter().flat_map(|policy| PATHS.iter().map(|(path, _)| path_of(policy, path))))
            .collect(),
    }
}

impl Fields {
    /// Reads a list: `id,verdict,probability`.
    ///
    /// # Errors
    ///
    /// When a row has no such field; the message names those that it has.
    pub fn parse(list: &str) -> Result<Self, String> {
        let wanted: BTreeSet<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        let names = fields();
        match wanted.iter().find(|name| !names.contains(&name.as_str())) {
            None => Ok(Self(wanted)),
            Some(_) => Err(format!("not all are fields of a row, which has {}", names.join(", "))),
        }
    }

    /// Whether a field is among them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// What an id can be.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema that counts")]
enum Id {
    Text(String),
    Number(f64),
}

/// Whether there is a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is.
    Ok,
    /// The model gave none.
    Unresolved,
    /// The content was not judged.
    Error,
}

/// Something with a digest of what it says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Named {
    /// What it is called.
    pub id: String,
    /// A digest of what it says.
    pub digest: String,
}

/// Tokens, by what they were for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowUsage {
    /// Of the policy's prefix, decoded once for all contents.
    pub prefix_tokens: usize,
    /// Of the content, and what stands around it.
    pub content_tokens: usize,
    /// Sampled as reasoning.
    pub reasoning_tokens: usize,
    /// Appended and scored for the answers.
    pub answer_tokens: usize,
    /// Sampled as rationale.
    pub rationale_tokens: usize,
    /// Whether reasoning ended by itself or by its budget. Null if there was none.
    pub reasoning_ended: Option<Ended>,
}

/// The first answer of a cascade.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct RowCascade {
    /// P(violation) before any reasoning. Null if the allowed answers had too little mass.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// Whether it was too close to call, so that the model reasoned.
    pub escalated: bool,
}

/// What ended the reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The model.
    Itself,
    /// The budget.
    Budget,
}

/// How a long content was judged in pieces. The row is that of the worst piece, its probability and mass too.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct RowPieces {
    /// How many.
    pub count: usize,
    /// Tokens of a piece, at most.
    pub tokens: usize,
    /// Tokens that two neighbours share, about.
    pub overlap: usize,
    /// Which piece the row is about, from 1: a violation before one without a verdict, that before review, and that before
    /// safe.
    pub worst: usize,
    /// Pieces without a verdict.
    pub undecided: usize,
}

/// Why there is no verdict.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RowError {
    /// A word for machines: `off-contract`, `untrained`, `truncated`, `too-long`, `empty`, `fault` and so on.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// What all rows of one run and policy have in common.
#[derive(Clone, Debug)]
pub struct Provenance {
    policy: Named,
    model: Named,
    template: Named,
    effort: Effort,
    /// `None` where the model writes freely.
    rule: Option<Rule>,
    fields: Option<Arc<Fields>>,
    certificate: Option<Arc<Certificate>>,
}

impl Provenance {
    /// That of a policy, a model, templates and how they are used. `rule` is [`SessionOptions::rule`].
    ///
    /// [`SessionOptions::rule`]: crate::engine::SessionOptions::rule
    #[must_use]
    pub fn new(policy: &Policy, model: &ModelFile, templates: &Templates, effort: Effort, rule: Option<Rule>) -> Self {
        Self {
            policy: Named { id: policy.id.clone(), digest: policy.digest() },
            model: Named { id: model.name.clone(), digest: model.digest.clone() },
            template: Named { id: templates.id().to_owned(), digest: templates.digest().to_owned() },
            effort,
            rule,
            fields: None,
            certificate: None,
        }
    }

    /// The same, of which a certificate says what may be acted on. It must hold under the terms of the rows.
    #[must_use]
    pub fn with_certificate(self, certificate: Arc<Certificate>) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// What an evaluation is of, under these terms.
    #[must_use]
    pub fn setup(&self, golden: &str, terms: Terms) -> EvaluationSetup {
        let named = |named: &Named| [named.id.clone(), named.digest.clone()];
        EvaluationSetup {
            golden: golden.to_owned(),
            policy: named(&self.policy),
            model: named(&self.model),
            template: named(&self.template),
            effort: self.effort.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            terms,
        }
    }

    /// The same, of which only some fields are printed.
    #[must_use]
    pub fn with_fields(self, fields: Option<Arc<Fields>>) -> Self {
        Self { fields, ..self }
    }

    /// The policy's id.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy.id
    }

    /// The row of what came of a content.
    #[must_use]
    pub fn row(&self, judged: &Judged, show_reasoning: bool) -> Row {
        let mut row = self.empty();
        row.pieces = judged.pieces.map(RowPieces::new);
        match &judged.result {
            Ok(completion) => {
                row.usage = Some(RowUsage::new(completion.usage, completion.reasoning.as_ref()));
                row.cascade =
                    completion.cascade.map(|Cascade { first, escalated }| RowCascade { probability: first, escalated });
                if show_reasoning {
                    row.reasoning = completion.reasoning.as_ref().map(|reasoning| reasoning.text.clone());
                }
                match &completion.outcome {
                    Outcome::Verdict(judgement) => {
                        row.status = Status::Ok;
                        row.verdict = Some(judgement.verdict);
                        row.label = Some(judgement.label.clone());
                        row.category.clone_from(&judgement.category);
                        row.probability = judgement.scores.map(|scores| scores.probability);
                        row.label_probability = judgement.scores.map(|scores| scores.label_probability);
                        row.mass = judgement.scores.map(|scores| scores.mass);
                        if let (Some(certificate), Some(probability)) = (&self.certificate, row.probability) {
                            let (believed, decision) = certificate.decide(probability);
                            row.calibrated = Some(believed);
                            row.decision =
                                Some(if row.agrees(certificate, believed) { decision } else { Decision::Review });
                        }
                        row.repaired = judgement.repaired;
                        row.rationale.clone_from(&judgement.rationale);
                    }
                    Outcome::Unresolved(why) => {
                        row.status = Status::Unresolved;
                        if let Unresolved::OffContract { mass, .. } = why {
                            row.mass = Some(*mass);
                        }
                        row.error = Some(RowError { code: why.code(), message: why.to_string() });
                    }
                }
            }
            Err(error) => {
                let code = match error {
                    EngineError::TooLong { .. } | EngineError::OverLimit { .. } => "too-long",
                    EngineError::Fault(_) => "fault",
                    _ => "engine",
                };
                row.error = Some(RowError { code, message: error.to_string() });
            }
        }
        row
    }

    /// The row of what holds no text to judge.
    #[must_use]
    pub fn row_of_defect(&self, defect: &Defect) -> Row {
        let error = RowError { code: defect.code, message: defect.message.clone() };
        Row { error: Some(error), ..self.empty() }
    }

    /// A row of which nothing is known yet: it says that there is no verdict.
    #[must_use]
    pub fn empty(&self) -> Row {
        Row {
            id: None,
            status: Status::Error,
            verdict: None,
            label: None,
            category: None,
            probability: None,
            label_probability: None,
            mass: None,
            cascade: None,
            calibrated: None,
            decision: self.certificate.as_ref().map(|_| Decision::Review),
            threshold: self.rule.and_then(|rule| rule.threshold),
            min_mass: self.rule.map(|rule| rule.min_mass),
            repaired: false,
            rationale: None,
            reasoning: None,
            policy: self.policy.clone(),
            model: self.model.clone(),
            template: self.template.clone(),
            effort: self.effort,
            version: env!("CARGO_PKG_VERSION"),
            usage: None,
            pieces: None,
            error: None,
            fields: self.fields.clone(),
        }
    }
}

impl Row {
    /// Whether the verdict is the one that what is believed is certified for.
    fn agrees(&self, certificate: &Certificate, believed: f64) -> bool {
        match self.verdict {
            Some(Verdict::Violation) => certificate.high.is_some_and(|high| believed >= high),
            Some(Verdict::Safe) => certificate.low.is_some_and(|low| believed <= low),
            _ => false,
        }
    }
}

/// A row, as far as it is to be printed.
pub struct Shown<'row>(&'row Row);

impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(fields) = &self.0.fields else { return self.0.serialize(serializer) };
        let mut row = serde_json::to_value(self.0).map_err(serde::ser::Error::custom)?;
        if let Some(row) = row.as_object_mut() {
            row.retain(|name, _| fields.has(name));
        }
        row.serialize(serializer)
    }
}

/// All that is said of one content: of one policy its row, of several each one's by its id.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Printed<'rows> {
    /// One policy.
    One(#[schemars(with = "Row")] Shown<'rows>),
    /// Several.
    Several {
        /// The content's id, as its source has it.
        #[schemars(with = "Option<Id>")]
        id: Option<&'rows RawValue>,
        /// The row of each policy.
        #[schemars(with = "BTreeMap<String, Row>")]
        verdicts: BTreeMap<&'rows str, Shown<'rows>>,
    },
}

impl<'rows> Printed<'rows> {
    /// What is said by these rows, one for each policy.
    #[must_use]
    pub fn new(rows: &'rows [Row]) -> Self {
        match rows {
            [row] => Self::One(Shown(row)),
            rows => Self::Several {
                id: rows.first().and_then(|row| row.id.as_deref()),
                verdicts: rows.iter().map(|row| (row.policy.id.as_str(), Shown(row))).collect(),
            },
        }
    }

    /// The JSON Schema of what is printed, not of what could be read back: every field is there.
    #[must_use]
    pub fn schema(title: &str) -> schemars::Schema {
        let generator = SchemaSettings::default().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Printed<'static>>();
        schema.insert("title".to_owned(), title.into());
        schema
    }
}

impl RowPieces {
    fn new(pieces: Pieces) -> Self {
        let Pieces { count, chunking, worst, undecided } = pieces;
        let (tokens, overlap) = (chunking.size, chunking.overlap);
        Self { count, tokens, overlap, worst: worst + 1, undecided }
    }
}

impl RowUsage {
    fn new(usage: Usage, reasoning: Option<&Reasoning>) -> Self {
        Self {
            prefix_tokens: usage.prefix,
            content_tokens: usage.suffix,
            reasoning_tokens: usage.reasoning,
            answer_tokens: usage.answer,
            rationale_tokens: usage.rationale,
            reasoning_ended: reasoning.map(|reasoning| if reasoning.finished { Ended::Itself } else { Ended::Budget }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_can_be_chosen_and_their_paths_are_those_of_a_row() {
        let schema = schemars::schema_for!(Row).to_value();
        let properties = schema["properties"].as_object().unwrap();
        let names: Vec<&String> = properties.keys().collect();
        assert_eq!(names, fields());
        let mut paths = Vec::new();
        for (name, about) in properties {
            let reference = about["$ref"].as_str().or_else(|| about["anyOf"][0]["$ref"].as_str());
            let inner = reference.and_then(|path| schema.pointer(path.strip_prefix('#').unwrap()));
            match inner.and_then(|inner| inner["properties"].as_object()) {
                Some(inner) => paths.extend(inner.keys().map(|inner| format!("{name}.{inner}"))),
                None => paths.push(name.clone()),
            }
        }
        assert_eq!(paths, PATHS.map(|(path, _)| path));
        assert!(Fields::parse("verdict, probability").unwrap().has("probability"));
        assert!(Fields::parse("verdict,").is_err());
    }
}
