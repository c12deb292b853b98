//! The model's turn about one content: its reasoning and its answer so far, and the result that they make.
//!
//! The engine that writes the turn is not known here.

use std::sync::Arc;

use super::completion::{Cascade, Completion, Reasoning, ReasoningEnd, Usage};
use super::config::Mode;
use super::decode_plan::DecodePlan;
use crate::harmony::completion::{self, NoFinal};
use crate::harmony::{Control, Segment};
use crate::policy::Answer;
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::ladder::Probe;
use crate::verdict::{Judgement, Outcome, Rationale, Scores, Unresolved, candidates, label_shares, read_answer};

/// The model's turn about one content.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) plan: Arc<DecodePlan>,
    pub(super) cascade: Option<Cascade>,
    /// The answers at the rungs so far.
    pub(super) probes: Vec<Probe>,
    /// The tokens of the reasoning, or of the whole turn where the model writes freely.
    pub(super) written: Vec<Token>,
    pub(super) end: ReasoningEnd,
    pub(super) rationale: Rationale,
    /// The index of the answer that won and its scores, once the answers are scored.
    verdict: Result<(usize, Scores), Unresolved>,
    /// The logarithm of each answer's probability, once the answers are scored.
    logs: Vec<f64>,
    pub(super) usage: Usage,
}

impl Turn {
    /// Returns an empty turn behind a prompt whose prefix and suffix have these lengths in tokens.
    pub(super) fn new(plan: Arc<DecodePlan>, prefix: usize, suffix: usize) -> Self {
        Self {
            cascade: None,
            probes: Vec::new(),
            written: Vec::new(),
            end: ReasoningEnd::Budget,
            rationale: Rationale::default(),
            verdict: Err(Unresolved::OffContract { mass: 0.0, least: plan.rule.min_mass }),
            logs: Vec::new(),
            usage: Usage { prefix, suffix, ..Usage::default() },
            plan,
        }
    }

    /// Decides between the answers, from the logarithm of each one's probability. Returns the index of the answer that
    /// won. `None` off the contract.
    pub(super) fn decide(&mut self, logs: Vec<f64>) -> Option<usize> {
        self.verdict = self.plan.rule.decide(&self.plan.answers, &logs);
        self.logs = logs;
        self.verdict.as_ref().ok().map(|(leaf, _)| *leaf)
    }

    /// Records the answers at a rung, from the logarithm of each one's probability.
    pub(super) fn add_probe(&mut self, logs: &[f64]) {
        let (plan, tokens) = (&self.plan, self.written.len());
        self.probes.push(match plan.rule.decide(&plan.answers, logs) {
            Ok((leaf, scores)) => {
                let share =
                    candidates(&plan.answers, logs).iter().fold(0.0, |most: f64, one| most.max(one.probability));
                Probe { tokens, verdict: Some(plan.answers[leaf].verdict), probability: scores.probability, share }
            }
            Err(_) => Probe { tokens, verdict: None, probability: 0.0, share: 0.0 },
        });
    }

    /// Returns the result, once the turn is over.
    pub(super) fn completion(self) -> Completion {
        if let Mode::Free { .. } = self.plan.mode {
            return self.free_completion();
        }
        let plan = &self.plan;
        let reasoned = match plan.mode {
            Mode::Reason { .. } => true,
            Mode::Cascade { .. } => self.cascade.is_some_and(|cascade| cascade.escalated),
            Mode::Answer | Mode::Free { .. } => false,
        };
        let reasoning = reasoned.then(|| Reasoning {
            text: String::from_utf8_lossy(&plan.tokenizer.decode(&self.written)).into_owned(),
            end: self.end,
        });
        let rationale = plan.rationale.then(|| self.rationale.text());
        let outcome = self.outcome(rationale);
        Completion { outcome, cascade: self.cascade, reasoning, probes: self.probes, usage: self.usage }
    }

    /// Returns the outcome of the scored answers.
    fn outcome(&self, rationale: Option<String>) -> Outcome {
        let plan = &self.plan;
        match &self.verdict {
            Ok((leaf, scores)) => {
                let candidates = candidates(&plan.answers, &self.logs);
                let labels = label_shares(&plan.answers, &self.logs);
                let judgement = judgement(&plan.answers[*leaf], Some(*scores), rationale);
                Outcome::Verdict(Judgement { candidates, labels, ..judgement })
            }
            Err(why) => Outcome::Unresolved(why.clone()),
        }
    }

    fn free_completion(self) -> Completion {
        match completion::parse(&self.segments()) {
            Ok(reply) => {
                let repaired = reply.repaired;
                self.completion_of(&reply.body, reply.analysis, repaired)
            }
            // A turn that ran out of its budget is cut off, whatever else is wrong with it.
            Err(_) if self.end == ReasoningEnd::Budget => {
                let text = String::from_utf8_lossy(&self.plan.tokenizer.decode(&self.written)).into_owned();
                self.without_answer(NoFinal::Truncated, text)
            }
            Err(why) => self.without_answer(why, String::new()),
        }
    }

    /// Returns the result of a final message that the model wrote freely.
    pub(super) fn completion_of(self, body: &str, reasoning: String, repaired: bool) -> Completion {
        let plan = &self.plan;
        let outcome = match read_answer(plan.form, &plan.answers, body) {
            Some((leaf, rationale)) => {
                Outcome::Verdict(Judgement { repaired, ..judgement(&plan.answers[leaf], None, rationale) })
            }
            None => Outcome::Unresolved(Unresolved::Unparsed),
        };
        self.written_freely(outcome, reasoning)
    }

    /// Returns the result of a final message whose answers were scored where the model wrote it.
    #[cfg(feature = "remote")]
    pub(super) fn completion_of_scored(self, body: &str, reasoning: String) -> Completion {
        let rationale = read_answer(self.plan.form, &self.plan.answers, body).and_then(|(_, rationale)| rationale);
        let outcome = self.outcome(rationale);
        self.written_freely(outcome, reasoning)
    }

    /// Returns the result of a turn that the model wrote freely, and that has no final message.
    pub(super) fn without_answer(self, why: NoFinal, reasoning: String) -> Completion {
        self.written_freely(Outcome::Unresolved(why.into()), reasoning)
    }

    fn written_freely(self, outcome: Outcome, reasoning: String) -> Completion {
        let reasoning = Some(Reasoning { text: reasoning, end: self.end });
        Completion { outcome, cascade: None, reasoning, probes: Vec::new(), usage: self.usage }
    }

    /// Returns the written tokens as text and control tokens.
    pub(super) fn segments(&self) -> Vec<Segment> {
        segments(&self.plan.tokenizer, &self.written)
    }
}

fn judgement(answer: &Answer, scores: Option<Scores>, rationale: Option<String>) -> Judgement {
    Judgement {
        verdict: answer.verdict,
        label: answer.label.clone(),
        category: answer.category.clone(),
        scores,
        candidates: Vec::new(),
        labels: Vec::new(),
        rationale: rationale.filter(|text| !text.is_empty()),
        repaired: false,
    }
}

/// Returns sampled tokens as segments. A control token that harmony does not know becomes text, which no valid header
/// or body contains.
fn segments(tokenizer: &Tokenizer, tokens: &[Token]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut bytes = Vec::new();
    for &token in tokens {
        match tokenizer.control_name(token).and_then(Control::from_name) {
            Some(control) => {
                flush(&mut segments, &mut bytes);
                segments.push(Segment::Control(control));
            }
            None => bytes.extend_from_slice(tokenizer.bytes(token)),
        }
    }
    flush(&mut segments, &mut bytes);
    segments
}

fn flush(segments: &mut Vec<Segment>, bytes: &mut Vec<u8>) {
    if !bytes.is_empty() {
        segments.push(Segment::Text(String::from_utf8_lossy(bytes).into_owned()));
        bytes.clear();
    }
}
