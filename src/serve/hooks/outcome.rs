//! The outcome of a request, and the values that a reply may name. A text is not among them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::label::row::{Row, RowVerdict, Status};
use crate::policy::Severity;
use crate::serve::api_error::ApiError;

/// The answers of one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// One for all texts: that of the worst.
    #[default]
    One,
    /// One for each text, so that every text needs a verdict.
    Each,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A text violates a policy.
    Violation,
    /// A person must look at a text, and no text violates a policy.
    Review,
    /// All texts are safe.
    Safe,
    /// The model gave no verdict on a text.
    Unresolved,
    /// The request was not judged.
    Error,
}

/// The values of a reply.
#[derive(Debug, Serialize)]
pub struct Values {
    /// The request's id.
    pub request: String,
    /// The model.
    pub model: Option<String>,
    /// Seconds since 1970.
    pub created: u64,
    /// The finding that decides.
    #[serde(flatten)]
    pub finding: Finding,
    /// The findings by policy, each the worst over all texts.
    pub policies: Vec<Finding>,
    /// The findings by text.
    pub results: Vec<TextFinding>,
    /// The flags of the hook.
    pub flags: BTreeMap<String, bool>,
    /// The error, if there is no verdict.
    pub error: Option<ErrorValues>,
}

/// The finding about a text.
#[derive(Clone, Debug, Serialize)]
pub struct TextFinding {
    /// The number of the text, from 0.
    pub index: usize,
    /// The length in characters.
    pub length: usize,
    /// The worst finding of all policies.
    #[serde(flatten)]
    pub finding: Finding,
    /// The findings by policy.
    pub policies: Vec<Finding>,
}

/// A finding.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Finding {
    /// The policy's id.
    pub policy: Option<String>,
    /// `violation`, `review` or `safe`. `None` without a verdict.
    pub verdict: Option<&'static str>,
    /// The category's code.
    pub category: Option<String>,
    /// The category's title.
    pub category_title: Option<String>,
    /// The severity.
    pub severity: Option<Severity>,
    /// The severity as a number from 1 to 4. 0 without one.
    pub severity_level: u8,
    /// The probability of a violation.
    pub probability: Option<f64>,
    /// 1 minus this probability.
    pub safe_probability: Option<f64>,
}

/// An error.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorValues {
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl From<&ApiError> for ErrorValues {
    fn from(error: &ApiError) -> Self {
        Self { code: error.code, message: error.message.clone(), status: error.status.as_u16() }
    }
}

impl Finding {
    /// Returns the finding of a row.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let verdict = RowVerdict::of_row(row);
        let severity_level = match row.severity {
            None => 0,
            Some(Severity::Low) => 1,
            Some(Severity::Medium) => 2,
            Some(Severity::High) => 3,
            Some(Severity::Critical) => 4,
        };
        Self {
            policy: Some(row.policy.id.clone()),
            verdict: (verdict != RowVerdict::Undecided).then(|| verdict.word()),
            category: row.category.clone(),
            category_title: row.category_title.clone(),
            severity: row.severity,
            severity_level,
            probability: row.probability,
            safe_probability: row.probability.map(|probability| 1.0 - probability),
        }
    }
}

/// Returns the outcome of a request's rows, by text and by policy, and the row that decides.
#[must_use]
pub fn outcome(rows: &[Vec<Row>], answers: Answers) -> (Outcome, Option<&Row>) {
    let all = || rows.iter().flatten();
    if answers == Answers::Each {
        let lacks = |row: &&Row| RowVerdict::of_row(row) == RowVerdict::Undecided || row.probability.is_none();
        if let Some(row) = all().find(lacks) {
            return (without_verdict(row), Some(row));
        }
    }
    let Some(worst) = worst(all()) else {
        // A request without texts. Texts without any row were not judged.
        return (if rows.is_empty() { Outcome::Safe } else { Outcome::Error }, None);
    };
    let outcome = match RowVerdict::of_row(worst) {
        RowVerdict::Violation => Outcome::Violation,
        RowVerdict::Review => Outcome::Review,
        RowVerdict::Safe => Outcome::Safe,
        RowVerdict::Undecided => without_verdict(worst),
    };
    (outcome, Some(worst))
}

fn without_verdict(row: &Row) -> Outcome {
    if row.status == Status::Error { Outcome::Error } else { Outcome::Unresolved }
}

/// Returns the findings by text.
#[must_use]
pub fn by_text(rows: &[Vec<Row>], lengths: &[usize]) -> Vec<TextFinding> {
    let texts = rows.iter().zip(lengths).enumerate();
    texts
        .map(|(index, (rows, length))| TextFinding {
            index,
            length: *length,
            finding: worst(rows.iter()).map(Finding::of).unwrap_or_default(),
            policies: rows.iter().map(Finding::of).collect(),
        })
        .collect()
}

/// Returns the findings by policy, each the worst over all texts.
#[must_use]
pub fn by_policy(rows: &[Vec<Row>]) -> Vec<Finding> {
    let policies = rows.first().map_or(0, Vec::len);
    (0..policies).filter_map(|at| worst(rows.iter().filter_map(|rows| rows.get(at)))).map(Finding::of).collect()
}

/// Returns the worst row: a violation before one without a verdict, before review and before safe. Among equals, that of
/// the highest probability.
fn worst<'rows>(rows: impl Iterator<Item = &'rows Row>) -> Option<&'rows Row> {
    rows.min_by(|one, other| {
        let probability = |row: &Row| row.probability.unwrap_or(0.0);
        let by_verdict = RowVerdict::of_row(one).cmp(&RowVerdict::of_row(other));
        by_verdict.then(probability(other).total_cmp(&probability(one)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(status: &str, verdict: Option<&str>, probability: Option<f64>) -> Row {
        let row = json!({ "status": status, "verdict": verdict, "probability": probability,
            "policy": { "id": "spam" }, "category": verdict.map(|_| "SP1"), "severity": verdict.map(|_| "high") });
        serde_json::from_value(row).unwrap()
    }

    fn outcome_of(rows: &[Row], answers: Answers) -> Outcome {
        let rows: Vec<_> = rows.iter().map(|row| vec![row.clone()]).collect();
        outcome(&rows, answers).0
    }

    #[test]
    fn one_violation_decides_and_a_text_without_a_verdict_is_never_safe() {
        let safe = row("ok", Some("safe"), Some(0.1));
        let violation = row("ok", Some("violation"), Some(0.9));
        let unresolved = row("unresolved", None, None);
        let error = row("error", None, None);
        let review = row("ok", Some("review"), Some(0.5));
        let one = |rows: &[&Row]| outcome_of(&rows.iter().copied().cloned().collect::<Vec<_>>(), Answers::One);
        assert_eq!(one(&[&safe, &unresolved, &violation]), Outcome::Violation);
        assert_eq!(one(&[&safe, &unresolved]), Outcome::Unresolved);
        assert_eq!(one(&[&safe, &error]), Outcome::Error);
        assert_eq!(one(&[&safe, &review]), Outcome::Review);
        assert_eq!(one(&[&safe]), Outcome::Safe);
        assert_eq!(outcome(&[Vec::new()], Answers::One).0, Outcome::Error, "a text without policies");
        let each = |rows: &[&Row]| outcome_of(&rows.iter().copied().cloned().collect::<Vec<_>>(), Answers::Each);
        assert_eq!(each(&[&violation, &unresolved]), Outcome::Unresolved, "each text needs a verdict");
        assert_eq!(each(&[&violation, &row("ok", Some("safe"), None)]), Outcome::Unresolved, "and a probability");
        assert_eq!(each(&[&violation, &safe]), Outcome::Violation);
    }

    #[test]
    fn findings_are_the_worst_by_text_and_by_policy() {
        let rows = vec![
            vec![row("ok", Some("safe"), Some(0.1)), row("ok", Some("violation"), Some(0.8))],
            vec![row("ok", Some("safe"), Some(0.3)), row("ok", Some("safe"), Some(0.2))],
        ];
        let texts = by_text(&rows, &[3, 5]);
        assert_eq!((texts[0].finding.verdict, texts[0].finding.probability), (Some("violation"), Some(0.8)));
        assert_eq!((texts[1].finding.probability, texts[1].length, texts[1].index), (Some(0.3), 5, 1));
        let policies = by_policy(&rows);
        assert_eq!(policies.iter().map(|finding| finding.probability).collect::<Vec<_>>(), [Some(0.3), Some(0.8)]);
        assert_eq!(policies[1].severity_level, 3);
    }
}
