//! A question that was understood: the policy that answers it, and the answers that it may have.

use std::fmt::Write;
use std::sync::Arc;

use super::request::{AskedChoice, AskedQuestion, ChoiceValue, Level};
use crate::policy::{Label, Policy, PolicyError, PolicyErrorKind, Verdict};
use crate::serve::api_error::ApiError;
use crate::serve::criteria::{one_or_zero, parse};
use crate::serve::policies::{Served, Set};

/// A question that was understood.
#[derive(Debug)]
pub struct Asked {
    /// The name that the answer repeats.
    pub name: Option<String>,
    /// The policy that answers it.
    pub served: Arc<Served>,
    /// The answers that it may have.
    pub kind: Kind,
}

/// The answers that a question may have.
#[derive(Debug)]
pub enum Kind {
    /// It is true or false.
    Predicate,
    /// One of some values. The policy's labels are their numbers, from 0.
    Choice(Vec<ChoiceValue>),
    /// A level, the lowest first. The policy's labels are their numbers, from 0.
    Score(Vec<String>),
}

/// The beginning of instructions that name a policy.
const NAMED: &str = "policy:";

/// The most values of a choice, as in OpenAI's API.
const MOST_CHOICES: usize = 255;

/// The most levels of a score.
const MOST_LEVELS: usize = 10;

/// A possible answer as the question has it.
struct Possible<'question> {
    word: &'question str,
    description: Option<&'question str>,
}

impl Asked {
    /// Finds or makes the policy of a question.
    ///
    /// # Errors
    ///
    /// Status 400 for a question that cannot be asked, and for an unknown name of a policy.
    pub fn new(set: &Set, question: AskedQuestion, number: usize) -> Result<Self, ApiError> {
        let place = format!("questions[{number}]");
        let text = question.words(&place)?;
        let named = text.trim().strip_prefix(NAMED).map(str::trim);
        let of_instructions = format!("{place}.instructions");
        let wrong = |error: PolicyError| ApiError::invalid("invalid_policy", error.message()).of(&of_instructions);
        let AskedQuestion { r#type, name, choices, levels, .. } = question;
        let (served, kind) = match (r#type.as_str(), named) {
            ("predicate", Some(policy)) => {
                let found = set.find(policy);
                let found = found.map_err(|error| ApiError::invalid(error.code, error.message).of(&of_instructions))?;
                (found, Kind::Predicate)
            }
            ("predicate", None) => {
                let found = name.as_deref().and_then(|name| set.find(name).ok());
                let made = || predicate(&text).map(|policy| Arc::new(Served::ad_hoc(policy)));
                (found.map_or_else(made, Ok).map_err(wrong)?, Kind::Predicate)
            }
            ("choice" | "score", Some(_)) => {
                let message = "a policy answers a predicate, and no choice or score";
                return Err(ApiError::invalid("invalid_value", message).of(of_instructions));
            }
            ("choice", None) => {
                let choices = counted(choices, MOST_CHOICES, &format!("{place}.choices"))?;
                let policy = one_of(&text, choices.iter().map(AskedChoice::possible)).map_err(wrong)?;
                let values: Vec<ChoiceValue> = choices.into_iter().map(|choice| choice.value).collect();
                distinct(&values, &format!("{place}.choices"))?;
                (Arc::new(Served::ad_hoc(policy)), Kind::Choice(values))
            }
            ("score", None) => {
                let levels = counted(levels, MOST_LEVELS, &format!("{place}.levels"))?;
                let policy = one_of(&text, levels.iter().map(Level::possible)).map_err(wrong)?;
                let levels: Vec<String> = levels.into_iter().map(|level| level.label).collect();
                distinct(&levels, &format!("{place}.levels"))?;
                (Arc::new(Served::ad_hoc(policy)), Kind::Score(levels))
            }
            _ => {
                let message = "the type is predicate, choice or score";
                return Err(ApiError::invalid("invalid_value", message).of(format!("{place}.type")));
            }
        };
        Ok(Self { name, served, kind })
    }
}

impl AskedChoice {
    fn possible(&self) -> Possible<'_> {
        let word = match &self.value {
            ChoiceValue::Text(text) => text,
            ChoiceValue::Boolean(true) => "true",
            ChoiceValue::Boolean(false) => "false",
        };
        Possible { word, description: self.description.as_deref() }
    }
}

impl Level {
    fn possible(&self) -> Possible<'_> {
        Possible { word: &self.label, description: self.description.as_deref() }
    }
}

/// Returns the possible answers, if there are at least two and not too many.
fn counted<T>(answers: Option<Vec<T>>, most: usize, param: &str) -> Result<Vec<T>, ApiError> {
    match answers {
        Some(answers) if (2..=most).contains(&answers.len()) => Ok(answers),
        Some(_) => Err(ApiError::invalid("invalid_value", format!("there must be 2 to {most}")).of(param)),
        None => Err(ApiError::invalid("missing", "the possible answers are missing").of(param)),
    }
}

fn distinct<T: PartialEq>(answers: &[T], param: &str) -> Result<(), ApiError> {
    if (1..answers.len()).any(|at| answers[..at].contains(&answers[at])) {
        return Err(ApiError::invalid("invalid_value", "two of them are equal").of(param));
    }
    Ok(())
}

/// Makes a policy of a statement. A text that states answers of its own keeps them.
fn predicate(text: &str) -> Result<Policy, PolicyError> {
    parse(text, None).or_else(|error| match error.kind() {
        PolicyErrorKind::Empty => Err(error),
        _ => {
            let asked = "Return exactly one number: 1 if this is true of the text, or 0 if it is not.";
            parse(&format!("{}\n\n{asked}\n", text.trim_end()), Some(one_or_zero()))
        }
    })
}

/// Makes a policy that chooses between some answers by their numbers, from 0.
///
/// A number is one token, so a long answer is as likely as a short one. Shipped policies ask for numbers, too.
fn one_of<'question>(text: &str, answers: impl Iterator<Item = Possible<'question>>) -> Result<Policy, PolicyError> {
    if text.trim().is_empty() {
        // The sentences below would hide that there are no instructions.
        parse(text, None)?;
    }
    let mut text = format!("{}\n\n", text.trim_end());
    let mut labels = Vec::new();
    for (number, Possible { word, description }) in answers.enumerate() {
        let parts = [Some(word), description].into_iter().flatten().map(one_line);
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        let _ = writeln!(text, "- {number}: {}", parts.join(": "));
        // A contract needs both verdicts. Only the probabilities of the labels are read.
        let verdict = if number == 0 { Verdict::Violation } else { Verdict::Safe };
        labels.push(Label { text: number.to_string(), verdict });
    }
    let numbers: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
    let _ = writeln!(text, "\nReturn exactly one number: {}.", numbers.join(" or "));
    parse(&text, Some(labels))
}

/// Returns a text in one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::policy::Body;

    fn asked(question: Value) -> Result<Asked, ApiError> {
        Asked::new(&Set::default(), serde_json::from_value(question).unwrap(), 3)
    }

    fn text(asked: &Asked) -> &str {
        let Body::Verbatim(text) = &asked.served.policy.body else { panic!("a plain text") };
        text
    }

    fn labels(asked: &Asked) -> Vec<(&str, Verdict)> {
        asked.served.policy.contract.labels.iter().map(|label| (label.text.as_str(), label.verdict)).collect()
    }

    #[test]
    fn a_statement_is_answered_with_1_or_0_and_a_policy_with_its_own_words() {
        let urgent = asked(json!({ "type": "predicate", "name": "urgent", "instructions": "It is urgent." })).unwrap();
        assert_eq!(labels(&urgent), [("1", Verdict::Violation), ("0", Verdict::Safe)]);
        assert!(text(&urgent).starts_with("It is urgent.\n\nReturn exactly one number: 1 if"), "{}", text(&urgent));
        assert!(!urgent.served.is_named);
        let own = "INVALID is advertising. Return exactly one word: VALID or INVALID.";
        let own = asked(json!({ "type": "predicate", "instructions": [{ "type": "input_text", "text": own }] }));
        let own = own.unwrap();
        let mut words: Vec<&str> = labels(&own).into_iter().map(|(word, _)| word).collect();
        words.sort_unstable();
        assert_eq!(words, ["INVALID", "VALID"]);
    }

    #[test]
    fn the_values_of_a_choice_are_numbered_each_in_a_line() {
        let choices =
            json!([{ "value": "sales", "description": "Offers\nand prices." }, { "value": "true" }, { "value": true }]);
        let team = asked(json!({ "type": "choice", "instructions": "Who reads it?", "choices": choices })).unwrap();
        let expected = "Who reads it?\n\n- 0: sales: Offers and prices.\n- 1: true\n- 2: true\n\n\
            Return exactly one number: 0 or 1 or 2.\n";
        assert_eq!(text(&team), expected);
        assert_eq!(labels(&team), [("0", Verdict::Violation), ("1", Verdict::Safe), ("2", Verdict::Safe)]);
        let Kind::Choice(values) = &team.kind else { panic!("{team:?}") };
        assert_eq!(values[1..], [ChoiceValue::Text("true".to_owned()), ChoiceValue::Boolean(true)]);
    }

    #[test]
    fn a_question_that_cannot_be_asked_is_refused_with_its_place() {
        let level = json!({ "label": "calm" });
        for (question, param) in [
            (json!({ "type": "poem", "instructions": "Write." }), "questions[3].type"),
            (json!({ "type": "predicate", "instructions": " " }), "questions[3].instructions"),
            (json!({ "type": "predicate", "instructions": "policy:nothing" }), "questions[3].instructions"),
            (json!({ "type": "choice", "instructions": "policy:spam" }), "questions[3].instructions"),
            (json!({ "type": "choice", "instructions": "Which?" }), "questions[3].choices"),
            (
                json!({ "type": "choice", "instructions": "Which?", "choices": [{ "value": "a" }] }),
                "questions[3].choices",
            ),
            (json!({ "type": "score", "instructions": "How?", "levels": [level, level] }), "questions[3].levels"),
            (json!({ "type": "score", "instructions": "How?", "levels": vec![level; 11] }), "questions[3].levels"),
        ] {
            let refused = asked(question.clone()).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.param.as_deref()), (400, Some(param)), "{question}");
        }
    }
}
