//! The forms of a reply: the words for a verdict.
//!
//! Clients of other guard models look for one of a few fixed words. Each form has the words of one kind of client. Only
//! a safe verdict reads as safe: a text that a person must judge has the words of a violation.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::label::row::{Printed, Row};
use crate::policy::{Answer, Form as ContractForm, Policy, Verdict};
use crate::verdict::Candidate;

/// A form of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The answer of the policy's own contract.
    #[default]
    Label,
    /// P(violation), with six digits behind the point.
    Score,
    /// `1` or `0`.
    Binary,
    /// `yes` or `no`.
    YesNo,
    /// `unsafe` and the category on the next line, or `safe`.
    Guard,
    /// `{"User Safety":"unsafe","Safety Categories":"…"}`.
    NemoGuard,
    /// The row.
    Json,
}

/// A reply in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The text of the message.
    pub content: String,
    /// The possible answers, each with its probability. The first is the one that was given.
    ///
    /// Empty if the model wrote freely.
    pub answers: Vec<(String, f64)>,
}

impl FromStr for Form {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "label" => Self::Label,
            "score" => Self::Score,
            "binary" => Self::Binary,
            "yesno" => Self::YesNo,
            "guard" => Self::Guard,
            "nemoguard" => Self::NemoGuard,
            "json" => Self::Json,
            _ => return Err(()),
        })
    }
}

impl Form {
    /// Reports whether a reply has the policy's rationale.
    #[must_use]
    pub fn has_rationale(self) -> bool {
        matches!(self, Self::Label | Self::Json)
    }

    /// Returns the reply for a row with a verdict.
    #[must_use]
    pub fn show(self, policy: &Policy, row: &Row, has_answer: bool) -> Shown {
        let sides = Sides::of(row);
        let category = row.category.as_deref().unwrap_or(&policy.id);
        match self {
            Self::Label => label(policy, row),
            Self::Json => json(row),
            Self::Score => {
                let probability = row.probability.map_or_else(String::new, |probability| format!("{probability:.6}"));
                let answers = sides.answers(probability.clone(), None);
                Shown { content: probability, answers }
            }
            Self::Binary => sides.shown("1".to_owned(), "0".to_owned()),
            Self::YesNo => sides.shown("yes".to_owned(), "no".to_owned()),
            Self::Guard => sides.shown(format!("unsafe\n{category}"), "safe".to_owned()),
            Self::NemoGuard => {
                let of_answer =
                    |word| if has_answer { format!(",\"Response Safety\":\"{word}\"") } else { String::new() };
                let category = serde_json::Value::from(category);
                let bad =
                    format!(r#"{{"User Safety":"unsafe"{},"Safety Categories":{category}}}"#, of_answer("unsafe"));
                sides.shown(bad, format!(r#"{{"User Safety":"safe"{}}}"#, of_answer("safe")))
            }
        }
    }
}

/// A verdict as one of two sides.
#[derive(Clone, Copy, Debug)]
pub struct Sides {
    /// False if the verdict is safe.
    pub is_flagged: bool,
    /// The probability of all verdicts but safe.
    pub probability: Option<f64>,
}

impl Sides {
    /// Returns the side of a row's verdict.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let safe = row.candidates().iter().find(|one| one.verdict == Verdict::Safe).map(|one| one.probability);
        Self {
            is_flagged: row.verdict != Some(Verdict::Safe),
            probability: row.probability.map(|violation| safe.map_or(violation, |safe| 1.0 - safe)),
        }
    }

    /// Returns the probability of the side that the verdict is on.
    #[must_use]
    pub fn own(self) -> Option<f64> {
        self.probability.map(|bad| if self.is_flagged { bad } else { 1.0 - bad })
    }

    fn shown(self, bad: String, good: String) -> Shown {
        let (content, other) = if self.is_flagged { (bad, good) } else { (good, bad) };
        Shown { answers: self.answers(content.clone(), Some(other)), content }
    }

    /// Returns the answer that is given and the other one, with their probabilities.
    #[must_use]
    pub fn answers(self, given: String, other: Option<String>) -> Vec<(String, f64)> {
        let Some(own) = self.own() else { return Vec::new() };
        std::iter::once((given, own)).chain(other.map(|other| (other, 1.0 - own))).collect()
    }
}

/// Returns the answer of the policy's contract, byte for byte.
fn label(policy: &Policy, row: &Row) -> Shown {
    let all = policy.answers();
    let find = |label: Option<&str>, category: Option<&str>| {
        all.iter().find(|answer| Some(answer.label.as_str()) == label && answer.category.as_deref() == category)
    };
    let Some(given) = find(row.label.as_deref(), row.category.as_deref()) else {
        return Shown { content: row.label.clone().unwrap_or_default(), answers: Vec::new() };
    };
    let content = policy.contract.complete(given, row.rationale.as_deref().unwrap_or_default());
    // Of a JSON answer the part before the rationale was scored, and its verdict has a probability.
    let probability = |one: &Candidate| match policy.contract.form {
        ContractForm::Label => one.label_probability,
        _ => one.probability,
    };
    let found = row.candidates();
    let found = found.iter().filter_map(|one| {
        let answer: &Answer = find(Some(&one.label), one.category.as_deref())?;
        Some((answer.text.clone(), probability(one)))
    });
    let (own, others): (Vec<_>, Vec<_>) = found.partition(|(text, _)| *text == given.text);
    Shown { content, answers: own.into_iter().chain(others).collect() }
}

/// Returns the row. Its verdict is the answer that has a probability.
fn json(row: &Row) -> Shown {
    let word = |verdict: Verdict| serde_json::to_value(verdict).ok().and_then(|word| word.as_str().map(str::to_owned));
    let found = row.candidates();
    let found =
        found.iter().filter_map(|one| Some((word(one.verdict)?, one.probability, Some(one.verdict) == row.verdict)));
    let (own, others): (Vec<_>, Vec<_>) = found.partition(|(.., is_own)| *is_own);
    let answers = own.into_iter().chain(others).map(|(word, probability, _)| (word, probability)).collect();
    let content = serde_json::to_string(&Printed::new(std::slice::from_ref(row))).unwrap_or_default();
    Shown { content, answers }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::row;
    use super::*;
    use crate::policy::PolicyLibrary;

    fn show(form: Form, row: &Row) -> Shown {
        form.show(PolicyLibrary::shipped().get("spam").unwrap(), row, false)
    }

    #[test]
    fn each_form_has_its_words_for_a_violation_and_for_a_safe_text() {
        let (bad, good) = (row("violation", 0.75, 0.0), row("safe", 0.25, 0.0));
        for (form, violation, safe) in [
            (Form::Score, "0.750000", "0.250000"),
            (Form::Binary, "1", "0"),
            (Form::YesNo, "yes", "no"),
            (Form::Guard, "unsafe\nSP3.b", "safe"),
            (Form::NemoGuard, r#"{"User Safety":"unsafe","Safety Categories":"SP3.b"}"#, r#"{"User Safety":"safe"}"#),
            (
                Form::Label,
                r#"{"violation":1,"policy_category":"SP3.b","rationale":"It \"wins\"."}"#,
                r#"{"violation":0,"policy_category":null,"rationale":"It \"wins\"."}"#,
            ),
        ] {
            assert_eq!((&*show(form, &bad).content, &*show(form, &good).content), (violation, safe), "{form:?}");
            assert_eq!((show(form, &bad).answers[0].1, show(form, &good).answers[0].1), (0.75, 0.75), "{form:?}");
        }
    }

    #[test]
    fn a_verdict_for_a_person_never_reads_as_safe() {
        let review = row("review", 0.125, 0.625);
        assert_eq!(
            show(Form::Binary, &review),
            Shown { content: "1".into(), answers: vec![("1".into(), 0.75), ("0".into(), 0.25)] }
        );
        assert_eq!(show(Form::YesNo, &review).content, "yes");
        assert!(show(Form::Guard, &review).content.starts_with("unsafe"));
    }

    #[test]
    fn the_answers_are_the_given_one_and_then_the_others() {
        let shown = show(Form::Label, &row("violation", 0.75, 0.0));
        assert_eq!(shown.answers[0], (r#"{"violation":1,"policy_category":"SP3.b","rationale":""#.to_owned(), 0.75));
        assert!(shown.answers[1].0.starts_with(r#"{"violation":0"#));
        let words: Vec<String> =
            show(Form::Json, &row("safe", 0.25, 0.0)).answers.into_iter().map(|one| one.0).collect();
        assert_eq!(words, ["safe", "violation", "review"]);
    }

    #[test]
    fn a_pair_has_a_word_for_the_answer_too() {
        let spam = PolicyLibrary::shipped().get("spam").unwrap();
        let shown = Form::NemoGuard.show(spam, &row("violation", 0.75, 0.0), true);
        let json: serde_json::Value = serde_json::from_str(&shown.content).unwrap();
        assert_eq!((&json["Response Safety"], &json["Safety Categories"]), (&json!("unsafe"), &json!("SP3.b")));
    }
}
