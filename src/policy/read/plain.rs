//! Policies that are a text: the instructions word for word, and the answers found in them.
//!
//! The one idea: never guess. A sentence states a contract only if it offers labels of known meaning as a choice
//! (`Return exactly one word: VALID or INVALID`). Nothing else in the text may give them another meaning. A text with
//! two different contracts has no contract.

mod meaning;
mod offer;
mod sentences;
mod statement;
mod suggestion;

use std::collections::BTreeSet;

use meaning::meanings;
use offer::Offer;
pub(in crate::policy) use offer::{is_digit, usual_verdict};
use statement::{Statement, span_of_line, statements};
use suggestion::{labels_hint, pairs};

use crate::hint::{Hint, Setting};
use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::{listed, quoted};
use crate::policy::diagnostics::report::Span;
use crate::policy::read::limit::{LARGEST, too_large};
use crate::policy::{Body, Contract, Effort, Form, Label, Policy, Verdict};

impl Policy {
    /// Reads a policy from plain text: the text is the instructions, word for word.
    ///
    /// `labels` give the answers and their meaning. Without them, the text itself must state both.
    ///
    /// # Errors
    /// The text is empty, states no answers, or states two different sets of them. Or the labels contradict one another.
    pub fn from_plain(id: &str, text: &str, labels: Option<Vec<Label>>) -> Result<Self, PolicyError> {
        if text.len() > LARGEST {
            return Err(too_large(id));
        }
        if text.trim().is_empty() {
            return Err(PolicyError::new(PolicyErrorKind::Empty, "the policy is empty").named(id));
        }
        let labels = match labels {
            Some(labels) => labels,
            None => stated_labels(text).map_err(|error| error.named(id))?,
        };
        let heading = text.lines().find(|line| line.starts_with('#')).map(|line| line.trim_matches(['#', ' ', '\r']));
        Ok(Self {
            id: id.to_owned(),
            title: heading.filter(|heading| !heading.is_empty()).unwrap_or(id).to_owned(),
            version: "unversioned".to_owned(),
            effort: Effort::default(),
            contract: Contract::new(Form::Label, labels)?,
            body: Body::Verbatim(text.to_owned()),
            golden: Vec::new(),
            golden_file: None,
        })
    }
}

/// Returns the labels that the text itself offers, each with its meaning.
pub(in crate::policy) fn stated_labels(text: &str) -> Result<Vec<Label>, PolicyError> {
    let statements = statements(text);
    let Some(first) = statements.first() else {
        return Err(no_contract("the policy does not state its answers").with_hint(
            Hint::new("give the meaning of the answers, as in ")
                .value(Setting::Labels, "INVALID=violation,VALID=safe")
                .text("; or write into it: Return exactly one word: VALID or INVALID"),
        ));
    };
    if let Some(other) = statements.iter().find(|other| other.offer.key() != first.offer.key()) {
        let message = format!("two different answers are asked for: {} and {}", first.offer, other.offer);
        let words = [first, other].map(|statement| statement.offer.words()).into_iter().find(|words| !words.is_empty());
        let hint = match words {
            Some(words) => labels_hint(Hint::new("keep one of them, or choose one: "), text, &words, None),
            None => Hint::new("keep one of them"),
        };
        return Err(PolicyError::new(PolicyErrorKind::TwoContracts, message)
            .at(text, first.span)
            .at(text, other.span)
            .with_hint(hint));
    }
    match &first.offer {
        Offer::Labels(labels) => confirmed(text, first.span, labels),
        Offer::Unknown(words) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Err(unknown_meaning(text, first, &words))
        }
        Offer::Json | Offer::Flags | Offer::Codes => {
            Err(no_contract(format!("{} cannot be read from a plain text", first.offer))
                .at(text, first.span)
                .with_hint(Hint::new(
                    "write the policy as YAML, or let it ask for one word, such as: \
                     Return exactly one word: VALID or INVALID",
                )))
        }
    }
}

/// Reports whether a text asks for an answer, in any form.
pub(in crate::policy) fn asks_for_an_answer(text: &str) -> bool {
    !statements(text).is_empty()
}

/// Checks the labels of the user against the answers that the text asks for.
///
/// # Errors
/// The text asks for other words, or gives one of these the opposite meaning.
pub(in crate::policy) fn check_labels(id: &str, text: &str, given: &[Label]) -> Result<(), PolicyError> {
    let contradicted = |message: String| PolicyError::new(PolicyErrorKind::Labels, message);
    let names: Vec<&str> = given.iter().map(|label| label.text.as_str()).collect();
    let statements = statements(text);
    let offered = |statement: &Statement| {
        let words: BTreeSet<&str> = statement.offer.words().into_iter().collect();
        words == names.iter().copied().collect()
    };
    // The setting that the text suggests, and the one that insists on the given labels.
    let hint = |words: &[&str]| {
        let hint = match words {
            [] => Hint::new(""),
            words => labels_hint(Hint::new(""), text, words, Some(id)).text("; "),
        };
        let given = pairs(given.iter().map(|label| (label.text.as_str(), label.verdict)));
        hint.text("to use yours all the same: ").value(Setting::Labels, format!("{id}:{given}"))
    };
    if let Some(first) = statements.first().filter(|_| !statements.iter().any(offered)) {
        let message = format!("the labels name other answers than the policy, which asks for {}", first.offer);
        return Err(contradicted(message).at(text, first.span).with_hint(hint(&first.offer.words())));
    }
    for (label, meaning) in given.iter().zip(meanings(text, &names)) {
        let claim = format!("the labels define {} as {}", quoted(&label.text), in_words(label.verdict));
        if let Some(line) = meaning.against(label.verdict) {
            let message = format!("{claim}, and here it seems to mean {}", in_words(label.verdict.opposite()));
            return Err(contradicted(message).at(text, span_of_line(text, line)).with_hint(hint(&names)));
        }
        // A word such as VALID keeps its usual meaning if the text does not explain it.
        let unexplained = !is_digit(&label.text) && meaning.verdict().is_none() && !statements.is_empty();
        if let Some(usual) = usual_verdict(&label.text).filter(|usual| unexplained && *usual != label.verdict) {
            return Err(
                contradicted(format!("{claim}, and the word means {}", in_words(usual))).with_hint(hint(&names))
            );
        }
    }
    Ok(())
}

fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Violation => "a violation",
        Verdict::Safe => "safe content",
        Verdict::Review => "a review",
    }
}

fn no_contract(message: impl Into<String>) -> PolicyError {
    PolicyError::new(PolicyErrorKind::NoContract, message)
}

/// Accepts labels of known words unless the text gives one another meaning. The text must confirm digits.
fn confirmed(text: &str, span: Span, labels: &[Label]) -> Result<Vec<Label>, PolicyError> {
    let words: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
    let meanings = meanings(text, &words);
    let hint = || labels_hint(Hint::new(""), text, &words, None);
    for (label, meaning) in labels.iter().zip(&meanings) {
        if let Some(line) = meaning.against(label.verdict) {
            let message = format!("here {} seems to mean {}", quoted(&label.text), in_words(label.verdict.opposite()));
            return Err(no_contract(message).at(text, span_of_line(text, line)).with_hint(hint()));
        }
        if let Some(line) = meaning.unclear.first().filter(|_| is_digit(&label.text)) {
            let message = format!("the meaning of {} is not clear here", quoted(&label.text));
            return Err(no_contract(message).at(text, span_of_line(text, *line)).with_hint(hint()));
        }
    }
    let digits = labels.iter().all(|label| is_digit(&label.text));
    if digits && meanings.iter().all(|meaning| meaning.verdict().is_none()) {
        let quotes: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let message = format!("the policy asks for {}, but which is the violation?", listed(&quotes));
        return Err(no_contract(message).at(text, span).with_hint(hint()));
    }
    Ok(labels.to_vec())
}

/// Returns the error for a policy that asks for at least one word of unknown meaning.
fn unknown_meaning(text: &str, statement: &Statement, words: &[&str]) -> PolicyError {
    let message = format!("the policy asks for {}, but which is the violation?", statement.offer);
    no_contract(message).at(text, statement.span).with_hint(labels_hint(Hint::new(""), text, words, None))
}
