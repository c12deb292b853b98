//! Policies that are a text: the instructions word for word, and the answers found in them.
//!
//! The one idea: never guess. A sentence states a contract only if it offers labels of known meaning as a choice
//! (`Return exactly one word: VALID or INVALID`). Nothing else in the text may give them another meaning. A text with
//! two different contracts has none.

mod meaning;
mod offer;
mod sentences;

use std::collections::BTreeSet;

use super::error::{PolicyError, PolicyErrorKind};
use super::manuscript::{LARGEST, too_large};
use super::phrase::{listed, quoted};
use super::report::Place;
use super::sense::{Sense, sense_of_remark};
use super::{Body, Contract, Effort, Form, Label, Policy, Verdict};
use meaning::meanings;
use offer::{Offer, offers};
pub(super) use offer::{is_digit, usual};
use sentences::of_blocks;

pub(super) fn policy(id: &str, text: &str, labels: Option<Vec<Label>>) -> Result<Policy, PolicyError> {
    if text.len() > LARGEST {
        return Err(too_large(id));
    }
    if text.trim().is_empty() {
        return Err(PolicyError::new(PolicyErrorKind::Empty, "the policy is empty").named(id));
    }
    let labels = match labels {
        Some(labels) => labels,
        None => stated(text).map_err(|error| error.named(id))?,
    };
    let heading = text.lines().find(|line| line.starts_with('#')).map(|line| line.trim_matches(['#', ' ', '\r']));
    Ok(Policy {
        id: id.to_owned(),
        title: heading.filter(|heading| !heading.is_empty()).unwrap_or(id).to_owned(),
        version: "unversioned".to_owned(),
        effort: Effort::default(),
        contract: Contract::new(Form::Label, labels)?,
        body: Body::Verbatim(text.to_owned()),
        golden: Vec::new(),
    })
}

/// Returns the labels that the text itself offers, each with its meaning.
pub(super) fn stated(text: &str) -> Result<Vec<Label>, PolicyError> {
    let statements = statements(text);
    let Some(first) = statements.first() else {
        return Err(no_contract("the policy does not state its answers").with_hint(
            "say what the answers mean, as in --labels INVALID=violation,VALID=safe; \
             or write into it: Return exactly one word: VALID or INVALID",
        ));
    };
    if let Some(other) = statements.iter().find(|other| other.offer.key() != first.offer.key()) {
        let message = format!("two different answers are asked for: {} and {}", first.offer, other.offer);
        let words = [first, other].map(|statement| statement.offer.words()).into_iter().find(|words| !words.is_empty());
        let hint = match words {
            Some(words) => format!("keep one of them, or say which it is: {}", flag(text, &words)),
            None => "keep one of them".to_owned(),
        };
        return Err(PolicyError::new(PolicyErrorKind::TwoContracts, message)
            .at(text, first.place)
            .at(text, other.place)
            .with_hint(hint));
    }
    match &first.offer {
        Offer::Labels(labels) => settled(text, first.place, labels),
        Offer::Unknown(words) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Err(unsettled(text, first, &words))
        }
        Offer::Json | Offer::Flags | Offer::Codes => {
            Err(no_contract(format!("{} cannot be read from a plain text", first.offer))
                .at(text, first.place)
                .with_hint(format!(
                    "write the policy as YAML, or let it ask for one word, such as: {}",
                    "Return exactly one word: VALID or INVALID"
                )))
        }
    }
}

/// Checks the labels of the user against the answers that the text asks for.
///
/// # Errors
/// The text asks for other words, or gives one of these the opposite meaning.
pub(super) fn agrees(id: &str, text: &str, given: &[Label]) -> Result<(), PolicyError> {
    let contradicted = |message: String| PolicyError::new(PolicyErrorKind::Labels, message);
    let names: Vec<&str> = given.iter().map(|label| label.text.as_str()).collect();
    let statements = statements(text);
    let offered = |statement: &Statement| {
        let words: BTreeSet<&str> = statement.offer.words().into_iter().collect();
        words == names.iter().copied().collect()
    };
    // The exact flag, and a flag that insists on the given labels.
    let hint = |words: &[&str]| {
        let parts: Vec<String> = given.iter().map(|label| format!("{}={}", label.text, label.verdict)).collect();
        let flag = if words.is_empty() { String::new() } else { format!("{}; ", flag(text, words)) };
        let flag = flag.replace("--labels ", &format!("--labels {id}:"));
        format!("{flag}to use yours all the same: --labels {id}:{}", parts.join(","))
    };
    if let Some(first) = statements.first().filter(|_| !statements.iter().any(offered)) {
        let message = format!("--labels names other answers than the policy, which asks for {}", first.offer);
        return Err(contradicted(message).at(text, first.place).with_hint(hint(&first.offer.words())));
    }
    for (label, meaning) in given.iter().zip(meanings(text, &names)) {
        let says = format!("--labels says that {} means {}", quoted(&label.text), in_words(label.verdict));
        if let Some(line) = meaning.against(label.verdict) {
            let message = format!("{says}, and here it seems to mean {}", in_words(label.verdict.opposite()));
            return Err(contradicted(message).at(text, line_of(text, line)).with_hint(hint(&names)));
        }
        // A word such as VALID keeps its usual meaning if the text does not explain it.
        let unexplained = !is_digit(&label.text) && meaning.verdict().is_none() && !statements.is_empty();
        if let Some(usual) = usual(&label.text).filter(|usual| unexplained && *usual != label.verdict) {
            return Err(contradicted(format!("{says}, and the word means {}", in_words(usual))).with_hint(hint(&names)));
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
fn settled(text: &str, place: Place, labels: &[Label]) -> Result<Vec<Label>, PolicyError> {
    let words: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
    let meanings = meanings(text, &words);
    let hint = || flag(text, &words);
    for (label, meaning) in labels.iter().zip(&meanings) {
        if let Some(line) = meaning.against(label.verdict) {
            let message = format!("here {} seems to mean {}", quoted(&label.text), in_words(label.verdict.opposite()));
            return Err(no_contract(message).at(text, line_of(text, line)).with_hint(hint()));
        }
        if let Some(line) = meaning.unclear.first().filter(|_| is_digit(&label.text)) {
            let message = format!("what {} means here is not understood", quoted(&label.text));
            return Err(no_contract(message).at(text, line_of(text, *line)).with_hint(hint()));
        }
    }
    let digits = labels.iter().all(|label| is_digit(&label.text));
    if digits && meanings.iter().all(|meaning| meaning.verdict().is_none()) {
        let message = format!("the policy asks for {}, but which is the violation?", listed(&quotes(&words)));
        return Err(no_contract(message).at(text, place).with_hint(hint()));
    }
    Ok(labels.to_vec())
}

/// Returns the error for a policy that asks for at least one word of unknown meaning.
fn unsettled(text: &str, statement: &Statement, words: &[&str]) -> PolicyError {
    let message = format!("the policy asks for {}, but which is the violation?", statement.offer);
    no_contract(message).at(text, statement.place).with_hint(flag(text, words))
}

fn quotes(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| quoted(word)).collect()
}

/// Returns a flag to paste, guessed from the text and from usage.
fn flag(text: &str, words: &[&str]) -> String {
    let meanings = meanings(text, words);
    let mut verdicts: Vec<Option<Verdict>> =
        words.iter().zip(&meanings).map(|(word, meaning)| meaning.verdict().or_else(|| hinted(word))).collect();
    // If one of two words is known, the other means the opposite.
    if let [one, other] = verdicts.as_mut_slice() {
        match (*one, *other) {
            (Some(verdict), None) => *other = Some(verdict.opposite()),
            (None, Some(verdict)) => *one = Some(verdict.opposite()),
            _ => {}
        }
    }
    let known = verdicts.iter().all(Option::is_some)
        && [Verdict::Violation, Verdict::Safe].iter().all(|verdict| verdicts.contains(&Some(*verdict)));
    let parts: Vec<String> = words
        .iter()
        .zip(&verdicts)
        .enumerate()
        .map(|(index, (word, verdict))| {
            let guess = if index == 0 { Verdict::Violation } else { Verdict::Safe };
            format!("{word}={}", verdict.filter(|_| known).unwrap_or(guess))
        })
        .collect();
    let or = if known { "if that is what they mean" } else { "or the other way round" };
    format!("--labels {} ({or})", parts.join(","))
}

/// Guesses what a word means in most policies. The guess is only ever a suggestion.
fn hinted(word: &str) -> Option<Verdict> {
    let spelt = word.to_ascii_lowercase().replace('_', " ");
    match sense_of_remark(&spelt) {
        Sense::Means(verdict) => Some(verdict),
        _ => usual(word),
    }
}

struct Statement {
    place: Place,
    offer: Offer,
}

/// Returns every answer that the text asks for, line by line.
fn statements(text: &str) -> Vec<Statement> {
    let lines: Vec<&str> = text.lines().collect();
    let sentences = of_blocks(text);
    let offered = sentences.iter().flat_map(|sentence| {
        let place = whole(sentence.line, lines[sentence.line]);
        offers(&sentence.text).into_iter().map(move |offer| Statement { place, offer })
    });
    offered.chain(codes_asked_for(text)).collect()
}

/// A section on the format of labels that speaks of codes (`D-SP#`, `ARS0`): a contract of its own.
fn codes_asked_for(text: &str) -> Option<Statement> {
    /// Lines of such a section that are looked at.
    const SECTION: usize = 12;
    let bare = |line: &str| line.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
    let is_code = |word: &str| {
        let letters = word.chars().take_while(|char| char.is_ascii_uppercase() || *char == '-').count();
        let number = &word[letters..];
        letters > 0 && !number.is_empty() && number.chars().all(|char| char.is_ascii_digit() || char == '#')
    };
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| ["label format", "output format"].contains(&bare(line).as_str()))?;
    let section = lines.iter().skip(at + 1).take(SECTION).take_while(|line| !line.starts_with('#'));
    let speaks_of_codes = section
        .flat_map(|line| line.split(|char: char| !(char.is_ascii_alphanumeric() || "-#".contains(char))))
        .any(is_code);
    speaks_of_codes.then(|| Statement { place: whole(at, lines[at]), offer: Offer::Codes })
}

fn line_of(text: &str, index: usize) -> Place {
    whole(index, text.lines().nth(index).unwrap_or_default())
}

fn whole(index: usize, line: &str) -> Place {
    let indent = line.chars().take_while(|char| char.is_whitespace()).count();
    Place { line: index + 1, column: indent + 1, width: line.trim().chars().count() }
}
