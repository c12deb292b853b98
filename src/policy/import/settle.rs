//! The last step of an import: a draft that loads.
//!
//! The one idea: codes are only known once the whole text is read, so all that depends on them is settled here.

use std::collections::BTreeSet;

use super::super::draft::{Case, Draft, Rule};
use super::super::lint::codes::unknown_codes;
use super::super::{Label, Policy, Verdict};
use super::Imported;
use super::wording::{first_words, usual};

/// Completes the draft: gives codes to rules, drops references to unknown codes, and fills required fields.
pub(super) fn settle(imported: Imported, labels: &[Label], name: &str) -> Result<Imported, String> {
    let Imported { mut draft, unplaced, mut notes } = imported;
    if !draft.categories.iter().any(|rule| rule.verdict == Verdict::Violation) {
        return Err("no rule that forbids something was recognised: a heading such as `## Prohibited (AB1 - Ads)`, or a list under `## VIOLATES`, makes one\nhint: a .md or .txt file can be used as it is, too: -p FILE".to_owned());
    }
    number_rules(&mut draft.categories);
    settle_examples(&mut draft, labels);
    let codes: Vec<String> = draft.categories.iter().map(|rule| rule.code.clone()).collect();
    let codes: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
    for rules in [&mut draft.precedence, &mut draft.ambiguity, &mut draft.escalation] {
        let (known, lost): (Vec<String>, Vec<String>) =
            std::mem::take(rules).into_iter().partition(|rule| unknown_codes(rule, &codes).is_empty());
        *rules = known;
        draft.rest.extend(lost.into_iter().map(|rule| format!("it speaks of a code that there is not: {rule}")));
    }
    let doubts = draft.precedence.iter().chain(&draft.ambiguity).chain(&draft.escalation);
    if doubts
        .flat_map(|rule| rule.split_whitespace())
        .any(|word| ["VALID", "INVALID"].contains(&word.trim_end_matches(['.', ','])))
    {
        notes.push(
            "rules speak of VALID and INVALID, which no answer is any more: name the verdict or the code".to_owned(),
        );
    }
    if draft.title.is_empty() {
        draft.title.clone_from(&draft.id);
    }
    if draft.instruction.is_empty() {
        draft.instruction = format!("Decide whether the text violates the policy {}.", draft.title);
    }
    draft.summary = first_words(&draft.instruction);
    notes.push(
        "replies are asked for as JSON that names the rule; `contract:` says so and can say otherwise".to_owned(),
    );
    // A draft that does not load is an error, and is not returned.
    Policy::from_yaml(name, &draft.yaml()).map_err(|error| format!("it cannot be imported: {}", error.message()))?;
    Ok(Imported { draft, unplaced, notes })
}

/// Gives each rule without a code the next number that is free.
fn number_rules(rules: &mut [Rule]) {
    let taken: BTreeSet<String> = rules.iter().map(|rule| rule.code.to_ascii_uppercase()).collect();
    let mut free = (1..).map(|number| format!("R{number}")).filter(|code| !taken.contains(code));
    for rule in rules.iter_mut().filter(|rule| rule.code.is_empty()) {
        rule.code = free.next().unwrap_or_default();
    }
}

/// Keeps examples that belong to a rule or are known to be safe, each text once.
fn settle_examples(draft: &mut Draft, labels: &[Label]) {
    let mut texts: Vec<(String, Option<String>)> = Vec::new();
    for case in std::mem::take(&mut draft.examples) {
        let label = case.category.clone().unwrap_or_default();
        let rule = draft.categories.iter().find(|rule| rule.code == label).map(|rule| rule.verdict);
        let stated = labels.iter().find(|other| other.text == label).map(|label| label.verdict);
        let category = match rule.or(stated).or_else(|| usual(&label)) {
            Some(Verdict::Safe) => None,
            Some(_) if rule.is_some() => Some(label.clone()),
            _ => {
                draft.rest.push(format!("an example whose label is no rule's code: {} -> {label}", case.text));
                continue;
            }
        };
        let same: String = case.text.to_lowercase().chars().filter(|char| char.is_alphanumeric()).collect();
        match texts.iter().find(|(other, _)| *other == same) {
            Some((_, other)) if *other == category => {}
            Some(_) => draft.rest.push(format!("an example that has another answer above: {} -> {label}", case.text)),
            None => {
                texts.push((same, category.clone()));
                draft.examples.push(Case { category, ..case });
            }
        }
    }
}
