//! The answers: probabilities of a row's labels, in the shape of OpenAI's API.

use schemars::JsonSchema;
use serde::Serialize;

use super::question::{Asked, Kind};
use super::request::ChoiceValue;
use crate::label::row::{Row, RowUsage, Status};
use crate::policy::Verdict;

/// The answers to the questions of a request.
#[derive(Serialize, JsonSchema)]
pub struct Decision<'asked> {
    /// The model, with `magistrate/` before its name.
    model: String,
    /// The answers, in the order of the questions.
    answers: Vec<Answer<'asked>>,
    usage: Used,
}

/// An answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Answer<'asked> {
    /// The probability that a statement is true, or that a text violates a policy.
    Predicate {
        name: Option<&'asked str>,
        #[schemars(range(min = 0.0, max = 1.0))]
        probability: f64,
        /// The verdict: true for a violation, false for safe, null if a person must look.
        value: Option<bool>,
    },
    /// The likeliest value.
    Choice {
        name: Option<&'asked str>,
        choice: &'asked ChoiceValue,
        /// 1 if one value has the whole probability, and 0 if all have the same.
        #[schemars(range(min = 0.0, max = 1.0))]
        confidence: f64,
        /// The probability of each value, in the order of the request.
        probabilities: Vec<OfValue<'asked>>,
    },
    /// The mean of the levels' numbers from 0, weighted by their probabilities.
    Score {
        name: Option<&'asked str>,
        score: f64,
        /// 1 if one level has the whole probability, and 0 if all have the same.
        #[schemars(range(min = 0.0, max = 1.0))]
        confidence: f64,
        /// The probability of each level, the lowest first.
        probabilities: Vec<OfLevel<'asked>>,
    },
    /// There is no answer.
    Refusal {
        name: Option<&'asked str>,
        /// A word for programs, such as `off-contract`.
        reason: String,
        /// A sentence for people.
        message: String,
    },
}

/// The probability of a value.
#[derive(Debug, Serialize, JsonSchema)]
struct OfValue<'asked> {
    value: &'asked ChoiceValue,
    probability: f64,
}

/// The probability of a level.
#[derive(Debug, Serialize, JsonSchema)]
struct OfLevel<'asked> {
    label: &'asked str,
    /// The number of the level, from 0.
    value: usize,
    probability: f64,
}

/// Tokens by their use, of all questions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct Used {
    input_tokens: usize,
    input_tokens_details: InputTokens,
    output_tokens: usize,
    output_tokens_details: OutputTokens,
    total_tokens: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct InputTokens {
    /// The questions of the request itself.
    cache_write_tokens: usize,
    /// The policies of the server, which are decoded once for all texts.
    cached_tokens: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct OutputTokens {
    reasoning_tokens: usize,
}

/// Returns the decision. The rows are those of the questions, in order.
///
/// # Errors
///
/// The first row whose text was not judged at all.
pub fn answered<'asked, 'rows>(
    model: &str,
    asked: &'asked [Asked],
    rows: &'rows [Row],
) -> Result<Decision<'asked>, &'rows Row> {
    let mut usage = Used::default();
    let mut answers = Vec::with_capacity(asked.len());
    for (asked, row) in asked.iter().zip(rows) {
        if row.status == Status::Error {
            return Err(row);
        }
        usage.add(asked, row);
        answers.push(asked.answer(row));
    }
    Ok(Decision { model: format!("magistrate/{model}"), answers, usage })
}

impl Asked {
    fn answer(&self, row: &Row) -> Answer<'_> {
        let name = self.name.as_deref();
        let answer = match (&self.kind, row.verdict) {
            (_, None) => None,
            (Kind::Predicate, Some(verdict)) => row.probability.map(|probability| {
                let value = match verdict {
                    Verdict::Violation => Some(true),
                    Verdict::Safe => Some(false),
                    Verdict::Review => None,
                };
                Answer::Predicate { name, probability, value }
            }),
            (Kind::Choice(values), Some(_)) => shares(row, values.len()).map(|shares| choice(name, values, &shares)),
            (Kind::Score(levels), Some(_)) => shares(row, levels.len()).map(|shares| score(name, levels, &shares)),
        };
        answer.unwrap_or_else(|| refusal(name, row))
    }
}

fn choice<'asked>(name: Option<&'asked str>, values: &'asked [ChoiceValue], shares: &[f64]) -> Answer<'asked> {
    // Of equal probabilities the first.
    let best = (1..shares.len()).fold(0, |best, at| if shares[at] > shares[best] { at } else { best });
    let of_value = |(value, probability): (&'asked ChoiceValue, &f64)| OfValue { value, probability: *probability };
    Answer::Choice {
        name,
        choice: &values[best],
        confidence: concentration(shares),
        probabilities: values.iter().zip(shares).map(of_value).collect(),
    }
}

fn score<'asked>(name: Option<&'asked str>, levels: &'asked [String], shares: &[f64]) -> Answer<'asked> {
    let of_level = |(value, (label, probability)): (usize, (&'asked String, &f64))| OfLevel {
        label,
        value,
        probability: *probability,
    };
    Answer::Score {
        name,
        score: mean(shares),
        confidence: concentration(shares),
        probabilities: levels.iter().zip(shares).enumerate().map(of_level).collect(),
    }
}

fn refusal<'asked>(name: Option<&'asked str>, row: &Row) -> Answer<'asked> {
    let (reason, message) = match (&row.error, &row.pieces) {
        (Some(error), _) => (error.code.to_string(), error.message.clone()),
        (None, Some(_)) => {
            let message = "the text was judged in pieces, and this question needs it whole";
            ("pieces".to_owned(), message.to_owned())
        }
        (None, None) => ("unresolved".to_owned(), "there is no probability".to_owned()),
    };
    Answer::Refusal { name, reason, message }
}

/// Returns the probability of each label, if the row has that of all.
fn shares(row: &Row, count: usize) -> Option<Vec<f64>> {
    let all = row.label_shares();
    let share = |label: &str| all.iter().find(|(other, _)| other == label).map(|(_, share)| *share);
    (0..count).map(|number| share(&number.to_string())).collect()
}

/// Returns the mean of the numbers from 0, weighted by their probabilities.
fn mean(shares: &[f64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "there are few levels")]
    let weighted = shares.iter().enumerate().map(|(number, share)| number as f64 * share);
    weighted.sum()
}

/// Returns the concentration of a distribution: 1 minus its entropy, as a part of the largest possible entropy.
fn concentration(shares: &[f64]) -> f64 {
    let entropy: f64 = shares.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
    #[allow(clippy::cast_precision_loss, reason = "there are few answers")]
    let largest = (shares.len() as f64).ln();
    (1.0 - entropy / largest).clamp(0.0, 1.0)
}

impl Used {
    fn add(&mut self, asked: &Asked, row: &Row) {
        let Some(RowUsage { prefix_tokens, content_tokens, reasoning_tokens, answer_tokens, rationale_tokens, .. }) =
            row.usage
        else {
            return;
        };
        let details = &mut self.input_tokens_details;
        *(if asked.served.is_named { &mut details.cached_tokens } else { &mut details.cache_write_tokens }) +=
            prefix_tokens;
        self.input_tokens += prefix_tokens + content_tokens;
        self.output_tokens += reasoning_tokens + answer_tokens + rationale_tokens;
        self.output_tokens_details.reasoning_tokens += reasoning_tokens;
        self.total_tokens = self.input_tokens + self.output_tokens;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values of `json!` are written in place")]

    use serde_json::{Value, json};

    use super::*;
    use crate::serve::policies::Set;

    fn asked(question: Value) -> Asked {
        Asked::new(&Set::default(), serde_json::from_value(question).unwrap(), 0).unwrap()
    }

    fn row(more: Value) -> Row {
        let mut row = json!({ "status": "ok", "verdict": "safe", "policy": { "id": "policy" } });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    fn answer(asked: &Asked, row: &Row) -> Value {
        serde_json::to_value(asked.answer(row)).unwrap()
    }

    fn anger() -> Asked {
        let levels = json!([{ "label": "calm" }, { "label": "annoyed" }, { "label": "angry" }]);
        asked(json!({ "type": "score", "name": "anger", "instructions": "How angry?", "levels": levels }))
    }

    fn labels(shares: [f64; 3]) -> Value {
        let labels = [("0", shares[0]), ("1", shares[1]), ("2", shares[2])];
        json!({ "basis": { "answers": [], "labels": labels } })
    }

    #[test]
    fn a_score_is_the_mean_of_the_levels_from_zero() {
        let answer = answer(&anger(), &row(labels([0.25, 0.25, 0.5])));
        assert_eq!(
            (&answer["type"], &answer["name"], &answer["score"]),
            (&json!("score"), &json!("anger"), &json!(1.25))
        );
        assert_eq!(answer["probabilities"][2], json!({ "label": "angry", "value": 2, "probability": 0.5 }));
    }

    #[test]
    fn confidence_is_concentration_and_not_the_probability_of_the_answer() {
        assert!((concentration(&[0.5, 0.5]) - 0.0).abs() < 1e-12);
        assert!((concentration(&[1.0, 0.0, 0.0]) - 1.0).abs() < 1e-12);
        let (low, high) = (concentration(&[0.5, 0.25, 0.25]), concentration(&[0.5, 0.5, 0.0]));
        assert!(0.0 < low && low < high && high < 0.5, "{low} {high}");
    }

    #[test]
    fn the_likeliest_value_is_chosen_and_values_keep_their_type() {
        let choices = json!([{ "value": "true" }, { "value": true }]);
        let asked = asked(json!({ "type": "choice", "instructions": "Which?", "choices": choices }));
        let answers = json!([
            { "verdict": "violation", "probability": 0.25, "label": "0", "label_probability": 0.25 },
            { "verdict": "safe", "probability": 0.75, "label": "1", "label_probability": 0.75 },
        ]);
        let answer = answer(&asked, &row(json!({ "basis": { "answers": answers } })));
        assert_eq!((&answer["choice"], &answer["name"]), (&json!(true), &Value::Null));
        assert_eq!(answer["probabilities"][0], json!({ "value": "true", "probability": 0.25 }));
    }

    #[test]
    fn without_a_verdict_there_is_a_refusal_with_its_reason() {
        let error = json!({ "code": "off-contract", "message": "Too little." });
        let unresolved = row(json!({ "status": "unresolved", "verdict": null, "error": error }));
        let urgent = asked(json!({ "type": "predicate", "name": "urgent", "instructions": "It is urgent." }));
        for asked in [&urgent, &anger()] {
            let answer = answer(asked, &unresolved);
            assert_eq!((&answer["type"], &answer["reason"]), (&json!("refusal"), &json!("off-contract")));
            assert_eq!(answer["name"], json!(asked.name));
        }
        let written = answer(&urgent, &row(json!({})));
        assert_eq!((&written["type"], &written["probability"]), (&json!("refusal"), &Value::Null));
        assert_eq!(answer(&anger(), &row(json!({ "basis": { "answers": [] } })))["type"], "refusal");
    }

    #[test]
    fn only_a_violation_is_true_and_only_safe_is_false() {
        let urgent = asked(json!({ "type": "predicate", "instructions": "It is urgent." }));
        for (verdict, value) in [("violation", json!(true)), ("safe", json!(false)), ("review", Value::Null)] {
            let answer = answer(&urgent, &row(json!({ "verdict": verdict, "probability": 0.25 })));
            assert_eq!((&answer["value"], &answer["probability"]), (&value, &json!(0.25)));
        }
    }

    #[test]
    fn tokens_are_counted_over_all_questions_and_a_text_that_was_not_judged_is_an_error() {
        let usage = json!({
            "prefix_tokens": 10, "content_tokens": 2, "reasoning_tokens": 3, "answer_tokens": 1,
            "rationale_tokens": 0, "reasoning_ended": "itself",
        });
        let judged = row(json!({ "probability": 0.5, "usage": usage }));
        let asked = [anger(), anger()];
        let usage = answered("nano", &asked, &[judged.clone(), judged.clone()]).ok().unwrap().usage;
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (24, 8, 32));
        assert_eq!(usage.input_tokens_details, InputTokens { cache_write_tokens: 20, cached_tokens: 0 });
        assert_eq!(usage.output_tokens_details.reasoning_tokens, 6);
        let failed = row(json!({ "status": "error", "verdict": null }));
        assert!(answered("nano", &asked, &[judged, failed]).is_err());
    }
}
