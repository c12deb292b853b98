//! Provenance: the values that all rows of one run and policy have in common, and the rows made with them.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Basis, Named, ReasoningEnd, Row, RowCascade, RowError, RowFields, RowPieces, RowUsage, Status};
use crate::calibration::certificate::{Certificate, Decision};
use crate::calibration::setup::EvaluationSetup;
use crate::calibration::terms::Terms;
use crate::engine::{self, Cascade, Completion, EngineError, Reasoning, Usage};
use crate::gguf::ModelFile;
use crate::hint::{Hint, Hints};
use crate::label::judge::{Judged, Pieces};
use crate::label::records::Defect;
use crate::policy::{Category, Effort, Policy};
use crate::prompt::Templates;
use crate::verdict::ladder::Probe;
use crate::verdict::{DecisionRule, Judgement, Outcome, Unresolved};

/// The values that all rows of one run and policy have in common.
#[derive(Clone, Debug)]
pub struct Provenance {
    policy: Named,
    categories: Vec<Category>,
    model: Named,
    template: Named,
    effort: Effort,
    /// `None` where the model writes freely.
    rule: Option<DecisionRule>,
    fields: Option<Arc<RowFields>>,
    certificate: Option<Arc<Certificate>>,
    keeps_rungs: bool,
    hint: fn(&Hint) -> String,
}

impl Provenance {
    /// Returns the provenance of a policy, a model, templates and their use. `rule` is [`SessionOptions::rule`].
    ///
    /// [`SessionOptions::rule`]: crate::engine::SessionOptions::rule
    #[must_use]
    pub fn new(
        policy: &Policy,
        model: &ModelFile,
        templates: &Templates,
        effort: Effort,
        rule: Option<DecisionRule>,
    ) -> Self {
        Self {
            policy: Named { id: policy.id.clone(), digest: policy.digest() },
            categories: policy.categories().to_vec(),
            model: Named { id: model.name.clone(), digest: model.digest.clone() },
            template: Named { id: templates.id().to_owned(), digest: templates.digest().to_owned() },
            effort,
            rule,
            fields: None,
            certificate: None,
            keeps_rungs: false,
            hint: Hint::to_string,
        }
    }

    /// Decides by a certificate which verdicts may be acted on. It must hold under the terms of the rows.
    #[must_use]
    pub fn with_certificate(self, certificate: Arc<Certificate>) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// Keeps the answers at the rungs of the reasoning in the rows' bases.
    #[must_use]
    pub fn with_rungs(self, keeps_rungs: bool) -> Self {
        Self { keeps_rungs, ..self }
    }

    /// Restricts the printed fields.
    #[must_use]
    pub fn with_fields(self, fields: Option<Arc<RowFields>>) -> Self {
        Self { fields, ..self }
    }

    /// Sets the function that writes the hint of an error [default: the `Display` of [`Hint`]].
    #[must_use]
    pub fn with_hints(self, hint: fn(&Hint) -> String) -> Self {
        Self { hint, ..self }
    }

    /// Returns the subject of an evaluation under these terms.
    #[must_use]
    pub fn setup(&self, golden: &str, terms: Terms) -> EvaluationSetup {
        self.empty().setup(golden, terms)
    }

    /// Returns the policy's id.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy.id
    }

    /// Returns the row of a judged content.
    #[must_use]
    pub fn row(&self, judged: &Judged, show_reasoning: bool) -> Row {
        let mut row = self.result(&judged.result, show_reasoning);
        if let Some(pieces) = judged.pieces {
            let others = judged.others.iter().map(|other| self.result(other, show_reasoning)).collect();
            row.basis = Basis::of_pieces(&row, others, pieces.worst).to_json();
            row.pieces = Some(RowPieces::new(pieces));
        }
        row
    }

    /// Returns the row of a content or of a piece.
    fn result(&self, result: &Result<Completion, EngineError>, show_reasoning: bool) -> Row {
        let mut row = self.empty();
        match result {
            Ok(completion) => self.complete(&mut row, completion, show_reasoning),
            Err(error) => {
                let code = match error {
                    EngineError::TooLong { .. } | EngineError::OverLimit { .. } => "too-long",
                    EngineError::Fault(_) => "fault",
                    _ => "engine",
                };
                row.error = Some(self.error(code, error.to_string(), &error.hints()));
            }
        }
        row
    }

    fn complete(&self, row: &mut Row, completion: &Completion, show_reasoning: bool) {
        row.usage = Some(RowUsage::new(completion.usage, completion.reasoning.as_ref()));
        row.cascade =
            completion.cascade.map(|Cascade { first, escalated }| RowCascade { probability: first, escalated });
        if show_reasoning {
            row.reasoning = completion.reasoning.as_ref().map(|reasoning| reasoning.text.clone());
        }
        let rungs = if self.keeps_rungs { &completion.probes[..] } else { &[] };
        match &completion.outcome {
            Outcome::Verdict(judgement) => self.decide(row, judgement, rungs),
            Outcome::Unresolved(why) => {
                row.status = Status::Unresolved;
                if let Unresolved::OffContract { mass, .. } = why {
                    row.mass = Some(*mass);
                }
                if !rungs.is_empty() {
                    row.basis = Basis::default().with_rungs(rungs).to_json();
                }
                row.error = Some(self.error(why.code(), why.to_string(), &why.hints()));
            }
        }
    }

    fn decide(&self, row: &mut Row, judgement: &Judgement, rungs: &[Probe]) {
        row.status = Status::Ok;
        row.verdict = Some(judgement.verdict);
        row.label = Some(judgement.label.clone());
        row.category.clone_from(&judgement.category);
        if let Some(category) = self.categories.iter().find(|category| Some(&category.code) == row.category.as_ref()) {
            row.category_title = Some(category.title.clone());
            row.severity = category.severity;
        }
        if !judgement.candidates.is_empty() {
            row.basis = Basis::of_judgement(judgement).with_rungs(rungs).to_json();
        }
        row.probability = judgement.scores.map(|scores| scores.probability);
        row.label_probability = judgement.scores.map(|scores| scores.label_probability);
        row.mass = judgement.scores.map(|scores| scores.mass);
        row.certify(self.certificate.as_deref());
        row.repaired = judgement.repaired;
        row.rationale.clone_from(&judgement.rationale);
    }

    /// Returns the row of a record without a text to judge.
    #[must_use]
    pub fn row_of_defect(&self, defect: &Defect) -> Row {
        let error = self.error(defect.code, defect.message.clone(), &defect.hints());
        Row { error: Some(error), ..self.empty() }
    }

    fn error(&self, code: &'static str, message: String, hints: &[Hint]) -> RowError {
        let hint = hints.iter().map(self.hint).collect::<Vec<_>>().join("\n");
        RowError { code: Cow::Borrowed(code), message, hint: (!hint.is_empty()).then_some(hint) }
    }

    /// Returns a row without a verdict.
    #[must_use]
    pub fn empty(&self) -> Row {
        Row {
            id: None,
            status: Status::Error,
            verdict: None,
            label: None,
            category: None,
            category_title: None,
            severity: None,
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
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            usage: None,
            pieces: None,
            error: None,
            basis: None,
            fields: self.fields.clone(),
        }
    }
}

impl RowPieces {
    fn new(pieces: Pieces) -> Self {
        let Pieces { count, chunking, worst, undecided } = pieces;
        Self { count, tokens: chunking.size, overlap: chunking.overlap, worst: worst + 1, undecided }
    }
}

impl RowUsage {
    fn new(usage: Usage, reasoning: Option<&Reasoning>) -> Self {
        let end = |reasoning: &Reasoning| match reasoning.end {
            engine::ReasoningEnd::Itself => ReasoningEnd::Itself,
            engine::ReasoningEnd::Budget => ReasoningEnd::Budget,
            engine::ReasoningEnd::Sure => ReasoningEnd::Sure,
        };
        Self {
            prefix_tokens: usage.prefix,
            content_tokens: usage.suffix,
            reasoning_tokens: usage.reasoning,
            probe_tokens: usage.probes,
            answer_tokens: usage.answer,
            rationale_tokens: usage.rationale,
            reasoning_ended: reasoning.map(end),
        }
    }
}
