//! The basis of a row: the answers that its verdict was chosen from. Under another rule another verdict follows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{ReasoningEnd, Row, RowCascade, RowError, Status};
use crate::calibration::certificate::{Certificate, Decision};
use crate::calibration::terms::SURE;
use crate::label::judge::worst;
use crate::policy::{Severity, Verdict};
use crate::verdict::ladder::Probe;
use crate::verdict::{Candidate, DecisionRule, Judgement};

/// The answers that a verdict was chosen from. Empty without probabilities.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Basis {
    /// The best answer of each verdict. Empty for a content in pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Candidate>,
    /// Each label with P(label), if there are more labels than verdicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<(String, f64)>,
    /// The pieces of a content, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<Piece>,
    /// The answers at the rungs of the reasoning. Empty for a content in pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rungs: Vec<Probe>,
}

/// The values of a row that belong to one piece of a content.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Piece {
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mass: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cascade: Option<RowCascade>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rationale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning_ended: Option<ReasoningEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<RowError>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Candidate>,
}

/// A rule, a certificate and a policy's categories, by which rows are decided anew.
#[derive(Clone, Debug, Default)]
pub struct DecidedAnew {
    /// The least P(violation) of a violation. Without it the likeliest verdict wins.
    pub threshold: Option<f64>,
    /// The certificate, if there is one.
    pub certificate: Option<Certificate>,
    /// The title and the severity of each category, by its code.
    pub categories: HashMap<String, (String, Option<Severity>)>,
}

impl Basis {
    /// Returns the basis of a content that was judged whole.
    #[must_use]
    pub fn of_judgement(judgement: &Judgement) -> Self {
        let Judgement { candidates, labels, .. } = judgement;
        Self { answers: candidates.clone(), labels: labels.clone(), ..Self::default() }
    }

    /// Adds the answers at the rungs of the reasoning.
    #[must_use]
    pub fn with_rungs(self, rungs: &[Probe]) -> Self {
        Self { rungs: rungs.to_vec(), ..self }
    }

    /// Returns the basis of a content in pieces: the row of the piece that decided, those of the others in order, and
    /// the index of the first among all.
    pub(super) fn of_pieces(decided: &Row, others: Vec<Row>, worst: usize) -> Self {
        let mut pieces: Vec<Piece> = others.into_iter().map(Piece::of).collect();
        pieces.insert(worst.min(pieces.len()), Piece::of(decided.clone()));
        Self { pieces, ..Self::default() }
    }

    /// Returns the JSON of a row's last field.
    #[must_use]
    pub fn to_json(&self) -> Option<Box<RawValue>> {
        to_raw_value(self).ok()
    }

    fn read(json: &RawValue) -> Self {
        serde_json::from_str(json.get()).unwrap_or_default()
    }
}

impl Piece {
    fn of(row: Row) -> Self {
        Self {
            status: row.status,
            verdict: row.verdict,
            category: row.category,
            mass: row.mass,
            cascade: row.cascade,
            rationale: row.rationale,
            reasoning: row.reasoning,
            reasoning_ended: row.usage.and_then(|usage| usage.reasoning_ended),
            error: row.error,
            answers: row.basis.map(|basis| Basis::read(&basis).answers).unwrap_or_default(),
        }
    }

    /// Puts the piece into the row of its content.
    fn put(self, row: &mut Row) {
        row.status = self.status;
        (row.verdict, row.category) = (self.verdict, self.category);
        (row.label, row.probability, row.label_probability) = (None, None, None);
        (row.category_title, row.severity) = (None, None);
        (row.mass, row.cascade) = (self.mass, self.cascade);
        (row.rationale, row.reasoning, row.error) = (self.rationale, self.reasoning, self.error);
        if let Some(usage) = &mut row.usage {
            usage.reasoning_ended = self.reasoning_ended;
        }
    }
}

impl Row {
    /// Returns the answers at the rungs of the reasoning. Empty if they were not recorded.
    #[must_use]
    pub fn rungs(&self) -> Vec<Probe> {
        self.basis.as_deref().map(Basis::read).unwrap_or_default().rungs
    }

    /// Decides by another rule, from the row's basis. A row without a verdict stays without one.
    ///
    /// A rationale explains one verdict and category. If another follows, it is removed.
    pub fn decide_anew(&mut self, rule: &DecidedAnew) {
        self.threshold = rule.threshold;
        let before = (self.category.clone(), self.category_title.clone(), self.severity);
        let decide = |answers: &[Candidate]| {
            DecisionRule::default().with_threshold(rule.threshold).decide_anew(answers).cloned()
        };
        let probability = |answers: &[Candidate]| answers.first().map(probability_of_violation);
        if let Some(Basis { answers, pieces, .. }) = self.basis.as_deref().map(Basis::read) {
            let mut answers = &answers;
            if let Some(pieces_of_row) = &mut self.pieces
                && !pieces.is_empty()
            {
                let verdicts: Vec<Option<Verdict>> =
                    pieces.iter().map(|piece| decide(&piece.answers).map(|answer| answer.verdict)).collect();
                let all = verdicts.iter().zip(&pieces).map(|(verdict, piece)| (*verdict, probability(&piece.answers)));
                let worst = worst(all);
                pieces_of_row.worst = worst + 1;
                answers = &pieces[worst].answers;
                pieces[worst].clone().put(self);
            }
            if let Some(answer) = decide(answers) {
                self.answer(answer, probability(answers), rule);
                // A journal may lack the titles of the policy's categories.
                if self.category == before.0 {
                    (self.category_title, self.severity) = (before.1, before.2);
                }
            }
        }
        (self.calibrated, self.decision) = (None, rule.certificate.as_ref().map(|_| Decision::Review));
        self.certify(rule.certificate.as_ref());
    }

    /// Returns the best answer of each verdict, from the row's basis. Empty if the model wrote freely.
    #[must_use]
    pub fn candidates(&self) -> Vec<Candidate> {
        let Some(Basis { answers, mut pieces, .. }) = self.basis.as_deref().map(Basis::read) else { return Vec::new() };
        match self.pieces {
            Some(of) if (1..=pieces.len()).contains(&of.worst) => pieces.swap_remove(of.worst - 1).answers,
            _ => answers,
        }
    }

    /// Returns each label with P(label). Empty if the model wrote freely, and for a content in pieces.
    #[must_use]
    pub fn label_shares(&self) -> Vec<(String, f64)> {
        match self.basis.as_deref().map(Basis::read) {
            Some(Basis { labels, .. }) if !labels.is_empty() => labels,
            Some(Basis { answers, .. }) => answers.into_iter().map(|one| (one.label, one.label_probability)).collect(),
            None => Vec::new(),
        }
    }

    /// Takes an answer for the verdict.
    fn answer(&mut self, answer: Candidate, probability: Option<f64>, rule: &DecidedAnew) {
        if (self.verdict, &self.category) != (Some(answer.verdict), &answer.category) {
            self.rationale = None;
        }
        self.status = Status::Ok;
        self.verdict = Some(answer.verdict);
        (self.category_title, self.severity) = match answer.category.as_ref().and_then(|code| rule.categories.get(code))
        {
            Some((title, severity)) => (Some(title.clone()), *severity),
            None => (None, None),
        };
        (self.label, self.category) = (Some(answer.label), answer.category);
        (self.probability, self.label_probability) = (probability, Some(answer.label_probability));
    }

    /// Adds the calibrated probability and the decision of a certificate, if the row has a probability.
    pub(super) fn certify(&mut self, certificate: Option<&Certificate>) {
        if let (Some(certificate), Some(probability)) = (certificate, self.probability) {
            let (calibrated, certified) = certificate.decide(probability);
            self.calibrated = Some(calibrated);
            // Reasoning that ran out of its budget before the verdict was sure is a sign of doubt.
            let is_doubtful = certificate.about.terms.has(SURE)
                && self.usage.is_some_and(|usage| usage.reasoning_ended == Some(ReasoningEnd::Budget));
            // A threshold of the user can give another verdict than the certified one.
            let is_certified = certified.is_some() && certified == self.verdict && !is_doubtful;
            self.decision = Some(if is_certified { Decision::Auto } else { Decision::Review });
        }
    }
}

/// Returns P(violation), from the first of some candidates.
fn probability_of_violation(first: &Candidate) -> f64 {
    // Violation is the first of all verdicts. A contract without it has none.
    if first.verdict == Verdict::Violation { first.probability } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answers(violation: f64) -> serde_json::Value {
        json!([
            { "verdict": "violation", "probability": violation, "label": "1", "label_probability": violation, "category": "A" },
            { "verdict": "safe", "probability": 1.0 - violation, "label": "0", "label_probability": 1.0 - violation },
        ])
    }

    fn decided(row: &serde_json::Value, threshold: f64) -> serde_json::Value {
        let mut row: Row = serde_json::from_value(row.clone()).unwrap();
        row.decide_anew(&DecidedAnew { threshold: Some(threshold), ..DecidedAnew::default() });
        serde_json::to_value(row).unwrap()
    }

    #[test]
    fn a_rationale_and_a_title_stay_with_their_verdict_alone() {
        let row = json!({
            "status": "ok", "verdict": "violation", "label": "1", "category": "A", "category_title": "Bait",
            "severity": "low", "probability": 0.6, "rationale": "Why.", "policy": { "id": "p" },
            "basis": { "answers": answers(0.6) },
        });
        let same = decided(&row, 0.3);
        assert_eq!(
            (&same["verdict"], &same["category_title"], &same["rationale"]),
            (&json!("violation"), &json!("Bait"), &json!("Why."))
        );
        let other = decided(&row, 0.7);
        let null = json!(null);
        assert_eq!((&other["verdict"], &other["label"], &other["category"]), (&json!("safe"), &json!("0"), &null));
        assert_eq!((&other["category_title"], &other["severity"], &other["rationale"]), (&null, &null, &null));
        assert_eq!((&other["probability"], &other["threshold"]), (&json!(0.6), &json!(0.7)));
    }

    #[test]
    fn of_pieces_the_worst_decides_anew_also_if_it_has_no_verdict() {
        let error = json!({ "code": "off-contract", "message": "Too little." });
        let row = json!({
            "status": "ok", "verdict": "violation", "category": "A", "category_title": "Bait", "probability": 0.6,
            "policy": { "id": "p" }, "pieces": { "count": 3, "tokens": 8, "overlap": 1, "worst": 2, "undecided": 1 },
            "basis": { "pieces": [
                { "status": "ok", "verdict": "safe", "answers": answers(0.1) },
                { "status": "ok", "verdict": "violation", "category": "A", "answers": answers(0.6) },
                { "status": "unresolved", "mass": 0.2, "error": error },
            ] },
        });
        let none = decided(&row, 0.7);
        assert_eq!(
            (&none["status"], &none["verdict"], &none["probability"]),
            (&json!("unresolved"), &json!(null), &json!(null))
        );
        assert_eq!((&none["error"], &none["mass"], &none["pieces"]["worst"]), (&error, &json!(0.2), &json!(3)));
        assert_eq!(none["category_title"], json!(null));
        let first = decided(&row, 0.05);
        assert_eq!(
            (&first["verdict"], &first["pieces"]["worst"], &first["error"]),
            (&json!("violation"), &json!(2), &json!(null))
        );
    }
}
