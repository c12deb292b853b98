//! The row: what `check --json` says of one content and one policy. Edges own their wire types; this is ours.

use magistrate::engine::{Completion, EngineError, Reasoning, Usage};
use magistrate::model::ModelFile;
use magistrate::policy::{Effort, Policy, Verdict};
use magistrate::prompt::Templates;
use magistrate::verdict::{Outcome, Rule, Unresolved};
use schemars::JsonSchema;
use serde::Serialize;

/// One verdict, or why there is none. Every field is always there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// The content's id, where its source has one.
    pub id: Option<String>,
    /// `ok` if and only if there is a verdict.
    pub status: Status,
    pub verdict: Option<Verdict>,
    /// The label that the policy's contract gives the verdict.
    pub label: Option<String>,
    /// The code of the category that the verdict rests on.
    pub category: Option<String>,
    /// P(violation) among all answers that the policy allows, whatever the verdict. Null if the model wrote freely.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// P(label) among all answers that the policy allows.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_probability: Option<f64>,
    /// What the model gave to all allowed answers together.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mass: Option<f64>,
    /// The cut that --threshold set on the probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// The least mass that --min-mass asks for.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_mass: f64,
    /// Whether the model wrote freely and its answer had to be taken from a broken header.
    pub repaired: bool,
    pub rationale: Option<String>,
    /// The model's raw reasoning, only if it was asked for. For developers: it may be wrong, or as bad as the content.
    pub reasoning: Option<String>,
    pub policy: Named,
    pub model: Named,
    pub template: Named,
    pub effort: Effort,
    /// magistrate's version.
    pub version: &'static str,
    pub usage: Option<RowUsage>,
    pub error: Option<RowError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    Unresolved,
    Error,
}

/// Something with a digest of what it says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Named {
    pub id: String,
    pub digest: String,
}

/// Tokens, by what they were for.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct RowUsage {
    /// Of the policy's prefix, decoded once for all contents.
    pub prefix_tokens: usize,
    /// Of the content, and what stands around it.
    pub content_tokens: usize,
    pub reasoning_tokens: usize,
    /// Appended and scored for the answers.
    pub answer_tokens: usize,
    pub rationale_tokens: usize,
    /// Whether reasoning ended by itself or by its budget. Null if there was none.
    pub reasoning_ended: Option<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    Itself,
    Budget,
}

/// Why there is no verdict.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RowError {
    /// A word for machines: `off-contract`, `truncated`, `too-long`, `fault` and so on.
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
    rule: Rule,
}

impl Provenance {
    pub fn new(policy: &Policy, model: &ModelFile, templates: &Templates, effort: Effort, rule: Rule) -> Self {
        Self {
            policy: Named { id: policy.id.clone(), digest: policy.digest() },
            model: Named { id: model.name.clone(), digest: model.digest.clone() },
            template: Named { id: templates.id().to_owned(), digest: templates.digest().to_owned() },
            effort,
            rule,
        }
    }

    /// The row of what came of a content.
    pub fn row(&self, result: &Result<Completion, EngineError>, show_reasoning: bool) -> Row {
        let mut row = self.empty();
        match result {
            Ok(completion) => {
                row.usage = Some(RowUsage::new(completion.usage, completion.reasoning.as_ref()));
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
                        row.repaired = judgement.repaired;
                        row.rationale.clone_from(&judgement.rationale);
                    }
                    Outcome::Unresolved(why) => {
                        row.status = Status::Unresolved;
                        if let Unresolved::OffContract { mass } = why {
                            row.mass = Some(*mass);
                        }
                        row.error = Some(RowError { code: why.code(), message: why.to_string() });
                    }
                }
            }
            Err(error) => {
                let code = match error {
                    EngineError::TooLong { .. } => "too-long",
                    EngineError::Fault(_) => "fault",
                    _ => "engine",
                };
                row.error = Some(RowError { code, message: error.to_string() });
            }
        }
        row
    }

    fn empty(&self) -> Row {
        Row {
            id: None,
            status: Status::Error,
            verdict: None,
            label: None,
            category: None,
            probability: None,
            label_probability: None,
            mass: None,
            threshold: self.rule.threshold,
            min_mass: self.rule.min_mass,
            repaired: false,
            rationale: None,
            reasoning: None,
            policy: self.policy.clone(),
            model: self.model.clone(),
            template: self.template.clone(),
            effort: self.effort,
            version: env!("CARGO_PKG_VERSION"),
            usage: None,
            error: None,
        }
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
