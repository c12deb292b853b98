//! Policies that are a text: the instructions word for word, and the answers found in them.
//!
//! The one idea: never guess. A line counts as a contract only if it offers labels of known meaning as a choice
//! (`Return exactly one word: VALID or INVALID`), and a text that states two different contracts has none.

mod offer;

use super::error::{PolicyError, PolicyErrorKind};
use super::phrase::quoted;
use super::report::Place;
use super::{Body, Contract, Effort, Form, Label, Policy, Verdict};
use offer::{Offer, statement};

pub(super) fn policy(id: &str, text: &str, labels: Option<Vec<Label>>) -> Result<Policy, PolicyError> {
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

const HINT: &str = "say what the answers mean, as in --labels INVALID=violation,VALID=safe";

/// The labels that the text itself offers.
fn stated(text: &str) -> Result<Vec<Label>, PolicyError> {
    let statements: Vec<Statement> = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| statement(line).map(|offer| Statement { place: whole(index, line), offer }))
        .chain(codes_asked_for(text))
        .collect();
    let Some(first) = statements.first() else {
        return Err(PolicyError::new(PolicyErrorKind::NoContract, "the policy does not state its answers")
            .with_hint(format!("{HINT}; or write into it: Return exactly one word: VALID or INVALID")));
    };
    if let Some(other) = statements.iter().find(|other| other.offer.key() != first.offer.key()) {
        let message = format!("two different answers are asked for: {} and {}", first.offer, other.offer);
        return Err(PolicyError::new(PolicyErrorKind::TwoContracts, message)
            .at(text, first.place)
            .at(text, other.place)
            .with_hint(format!("keep one of them, or {HINT}")));
    }
    match &first.offer {
        Offer::Labels(labels) => match reversed(text, labels) {
            Some((line, label)) => Err(PolicyError::new(
                PolicyErrorKind::NoContract,
                format!("here {} seems to mean the opposite of what it means elsewhere", quoted(label)),
            )
            .at(text, line)
            .with_hint(HINT)),
            None => Ok(labels.clone()),
        },
        Offer::Unknown(word) => Err(PolicyError::new(
            PolicyErrorKind::NoContract,
            format!("it is not known what the answer {} means", quoted(word)),
        )
        .at(text, first.place)
        .with_hint(HINT)),
        Offer::Json | Offer::Codes => Err(PolicyError::new(
            PolicyErrorKind::NoContract,
            format!("{} cannot be read from a plain text", first.offer),
        )
        .at(text, first.place)
        .with_hint(format!("write the policy as YAML, or let it ask for one word and {HINT}"))),
    }
}

struct Statement {
    place: Place,
    offer: Offer,
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

/// A line that defines a label against its usual meaning, such as `1 = the content is safe`.
fn reversed<'a>(text: &str, labels: &'a [Label]) -> Option<(Place, &'a str)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let bare = line.trim_start_matches(|char: char| !char.is_alphanumeric());
        let label = labels.iter().find(|label| {
            let after =
                bare.strip_prefix(label.text.as_str()).map(|rest| rest.trim_start_matches(['`', '"', '*', ' ']));
            after.is_some_and(|rest| rest.starts_with(['=', ':', '–', '—']) || rest.starts_with("- "))
        });
        let heading = || {
            let ends =
                |label: &&Label| bare.trim_end().trim_end_matches(['*', ':']).ends_with(&format!("({})", label.text));
            labels.iter().find(ends).filter(|_| line.trim_start().starts_with('#'))
        };
        let label = label.or_else(heading)?;
        let lower = bare.to_lowercase();
        let denies = [" not ", "n't", "no violation", "non-viol"].iter().any(|word| lower.contains(word));
        let forbids = ["violat", "unsafe", "disallow", "forbid"].iter().any(|word| lower.contains(word));
        let allows = lower.split(|char: char| !char.is_alphanumeric()).any(|word| ["safe", "allowed"].contains(&word));
        let means = match (forbids, allows, denies) {
            (true, false, false) => Some(Verdict::Violation),
            (true, false, true) | (false, true, false) => Some(Verdict::Safe),
            _ => None,
        };
        let opposite = means.is_some_and(|verdict| verdict != label.verdict && label.verdict != Verdict::Review);
        opposite.then(|| (whole(index, line), label.text.as_str()))
    })
}

fn whole(index: usize, line: &str) -> Place {
    let indent = line.chars().take_while(|char| char.is_whitespace()).count();
    Place { line: index + 1, column: indent + 1, width: line.trim().chars().count() }
}
