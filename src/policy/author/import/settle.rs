//! The last step of an import: a draft that loads.
//!
//! The one idea: codes are only known once the whole text is read, so everything that depends on them is settled here.

use std::collections::BTreeSet;

use super::imported::{ImportError, Imported};
use super::wording::{first_words, numbered_code, usual};
use crate::policy::author::draft::{Draft, DraftCategory, DraftExample};
use crate::policy::diagnostics::lint::codes::unknown_codes;
use crate::policy::{Label, Policy, Verdict};

/// Completes the draft: gives codes to rules, drops references to unknown codes, and fills required fields.
pub(super) fn settle(imported: Imported, labels: &[Label], name: &str) -> Result<Imported, ImportError> {
    let Imported { mut draft, unplaced, mut notes } = imported;
    if !draft.categories.iter().any(|rule| rule.verdict == Verdict::Violation) {
        return Err(ImportError::NoRule);
    }
    number_rules(&mut draft.categories);
    settle_examples(&mut draft, labels);
    let codes: Vec<String> = draft.categories.iter().map(|rule| rule.code.clone()).collect();
    let codes: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
    for rules in [&mut draft.precedence, &mut draft.ambiguity, &mut draft.escalation] {
        let (known, lost): (Vec<String>, Vec<String>) =
            std::mem::take(rules).into_iter().partition(|rule| unknown_codes(rule, &codes).is_empty());
        *rules = known;
        draft.unplaced.extend(lost.into_iter().map(|rule| format!("it mentions a code that no category has: {rule}")));
    }
    let guidance = draft.precedence.iter().chain(&draft.ambiguity).chain(&draft.escalation);
    if guidance
        .flat_map(|rule| rule.split_whitespace())
        .any(|word| ["VALID", "INVALID"].contains(&word.trim_end_matches(['.', ','])))
    {
        notes.push(
            "rules mention VALID and INVALID, which are no longer answers: name the verdict or the code".to_owned(),
        );
    }
    if draft.title.is_empty() {
        draft.title.clone_from(&draft.id);
    }
    if draft.instruction.is_empty() {
        draft.instruction = format!("Decide whether the text violates the policy {}.", draft.title);
    }
    draft.summary = first_words(&draft.instruction);
    notes.push("replies are JSON that names the rule; `contract:` sets another form".to_owned());
    // A draft that does not load is an error, and is not returned.
    Policy::from_yaml(name, &draft.yaml()).map_err(|error| ImportError::Invalid(error.message().to_owned()))?;
    Ok(Imported { draft, unplaced, notes })
}

/// Gives each rule without a code the next number that is free.
fn number_rules(rules: &mut [DraftCategory]) {
    let taken: BTreeSet<String> = rules.iter().map(|rule| rule.code.to_ascii_uppercase()).collect();
    let mut free =
        (1..).map(|number| format!("R{number}")).filter(|code| !taken.iter().any(|taken| begins_alike(taken, code)));
    for rule in rules.iter_mut().filter(|rule| rule.code.is_empty()) {
        rule.code = free.next().unwrap_or_default();
    }
}

/// Reports whether two codes are equal, or one of them begins with the other and a point.
fn begins_alike(one: &str, other: &str) -> bool {
    one == other
        || [(one, other), (other, one)]
            .iter()
            .any(|(long, short)| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.')))
}

/// Keeps examples that belong to a rule or are known to be safe, each text once.
fn settle_examples(draft: &mut Draft, labels: &[Label]) {
    let mut texts: Vec<(String, Option<String>)> = Vec::new();
    for case in std::mem::take(&mut draft.examples) {
        let label = case.category.clone().unwrap_or_default();
        // A text refers to its rules by their numbers.
        let numbered = numbered_code(&label);
        let label = if draft.categories.iter().any(|rule| rule.code == numbered) { numbered } else { label };
        let rule = draft.categories.iter().find(|rule| rule.code == label).map(|rule| rule.verdict);
        let stated = labels.iter().find(|other| other.text == label).map(|label| label.verdict);
        let category = match rule.or(stated).or_else(|| usual(&label)) {
            Some(Verdict::Safe) => None,
            Some(_) if rule.is_some() => Some(label.clone()),
            _ => {
                draft.unplaced.push(format!(
                    "an example with a label that no category has as its code: {} -> {label}",
                    case.text
                ));
                continue;
            }
        };
        let same: String = case.text.to_lowercase().chars().filter(|char| char.is_alphanumeric()).collect();
        match texts.iter().find(|(other, _)| *other == same) {
            Some((_, other)) if *other == category => {}
            Some(_) => draft.unplaced.push(format!("an example with another answer above: {} -> {label}", case.text)),
            None => {
                texts.push((same, category.clone()));
                draft.examples.push(DraftExample { category, ..case });
            }
        }
    }
}
