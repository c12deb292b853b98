//! The result of an item: from its scores, or from the turn that the model wrote freely, to a completion.

use super::Item;
use crate::engine::completion::{Completion, Reasoning, ReasoningEnd};
use crate::engine::config::Mode;
use crate::harmony::{Control, Segment, completion};
use crate::policy::Answer;
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::{Judgement, Outcome, Scores, Unresolved, candidates, label_shares, read_answer};

impl Item {
    /// Returns the result, once the item is done.
    #[must_use]
    pub fn completion(self) -> Completion {
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
        let outcome = match self.verdict {
            Ok((leaf, scores)) => {
                let rationale = plan.rationale.then(|| self.rationale.text());
                let logs = self.scoring.as_ref().map_or(&[][..], |scoring| &scoring.logs);
                let candidates = candidates(&plan.answers, logs);
                let labels = label_shares(&plan.answers, logs);
                let judgement = judgement(&plan.answers[leaf], Some(scores), rationale);
                Outcome::Verdict(Judgement { candidates, labels, ..judgement })
            }
            Err(why) => Outcome::Unresolved(why),
        };
        Completion { outcome, cascade: self.cascade, reasoning, probes: self.probes, usage: self.usage }
    }

    fn free_completion(self) -> Completion {
        let plan = &self.plan;
        let (outcome, analysis) = match completion::parse(&self.segments()) {
            Ok(reply) => (
                match read_answer(plan.form, &plan.answers, &reply.body) {
                    Some((leaf, rationale)) => Outcome::Verdict(Judgement {
                        repaired: reply.repaired,
                        ..judgement(&plan.answers[leaf], None, rationale)
                    }),
                    None => Outcome::Unresolved(Unresolved::Unparsed),
                },
                reply.analysis,
            ),
            // A turn that ran out of its budget is cut off, whatever else is wrong with it.
            Err(_) if self.end == ReasoningEnd::Budget => {
                let text = String::from_utf8_lossy(&plan.tokenizer.decode(&self.written)).into_owned();
                (Outcome::Unresolved(completion::NoFinal::Truncated.into()), text)
            }
            Err(why) => (Outcome::Unresolved(why.into()), String::new()),
        };
        Completion {
            outcome,
            cascade: None,
            reasoning: Some(Reasoning { text: analysis, end: self.end }),
            probes: Vec::new(),
            usage: self.usage,
        }
    }

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
