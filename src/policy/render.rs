//! What the policy template is filled from.
//!
//! The one idea: the template words the rules, and every answer it shows comes from the contract, byte for byte. How a
//! template is written or rendered is not known here.

use serde::Serialize;

use super::{Category, Contract, Definition, Form, Policy, Structured, Verdict};

#[derive(Serialize)]
pub(super) struct Context<'a> {
    title: &'a str,
    instruction: &'a str,
    definitions: &'a [Definition],
    /// Violations, what is safe, what goes to people; an empty section is left out.
    sections: Vec<Section<'a>>,
    precedence: &'a [String],
    ambiguity: &'a [String],
    escalation: &'a [String],
    examples: Vec<Shown<'a>>,
    contract: Shape<'a>,
}

#[derive(Serialize)]
struct Section<'a> {
    heading: &'static str,
    /// The label in whose words the verdict is given, if there is just one.
    label: Option<&'a str>,
    categories: Vec<&'a Category>,
}

/// An example: the content, and the complete answer to it.
#[derive(Serialize)]
struct Shown<'a> {
    text: &'a str,
    answer: String,
}

/// How a reply looks.
#[derive(Serialize)]
struct Shape<'a> {
    form: Form,
    choices: Vec<Choice<'a>>,
    /// Whether all labels are single characters, which is then said.
    characters: bool,
    right: String,
    wrong: String,
}

/// One label: what it stands for, and the answer that holds it, with CODE and WHY where they vary.
#[derive(Serialize)]
struct Choice<'a> {
    label: &'a str,
    verdict: Verdict,
    /// The category of which the label is the code.
    category: Option<&'a str>,
    answer: String,
}

impl<'a> Context<'a> {
    pub(super) fn new(policy: &'a Policy, rules: &'a Structured) -> Self {
        let contract = &policy.contract;
        let section = |heading, verdict| {
            let mut labels = contract.labels.iter().filter(|label| label.verdict == verdict);
            let label = labels.next().filter(|_| labels.next().is_none()).map(|label| label.text.as_str());
            let categories = rules.categories.iter().filter(|category| category.verdict == verdict).collect();
            Section { heading, label, categories }
        };
        let sections = [
            section("VIOLATES", Verdict::Violation),
            section("SAFE", Verdict::Safe),
            section("REVIEW", Verdict::Review),
        ];
        Self {
            title: &policy.title,
            instruction: &rules.instruction,
            definitions: &rules.definitions,
            sections: sections.into_iter().filter(|section| !section.categories.is_empty()).collect(),
            precedence: &rules.precedence,
            ambiguity: &rules.ambiguity,
            escalation: &rules.escalation,
            examples: examples(contract, rules),
            contract: Shape::new(contract, rules),
        }
    }
}

fn examples<'a>(contract: &Contract, rules: &'a Structured) -> Vec<Shown<'a>> {
    let shown = rules.examples.iter().filter_map(|example| {
        let code = example.category.as_deref();
        let category = rules.categories.iter().find(|category| Some(category.code.as_str()) == code);
        let why = example.why.as_deref().or(category.map(|category| category.title.as_str()));
        let answer = contract.answer_for(category)?;
        Some(Shown { text: &example.text, answer: contract.complete(&answer, why.unwrap_or("No category applies.")) })
    });
    shown.collect()
}

impl<'a> Shape<'a> {
    fn new(contract: &'a Contract, rules: &'a Structured) -> Self {
        let choices: Vec<_> = contract
            .labels
            .iter()
            .map(|label| {
                let named = rules.categories.iter().find(|category| category.code == label.text);
                let code = Some("CODE").filter(|_| label.verdict != Verdict::Safe);
                Choice {
                    label: &label.text,
                    verdict: label.verdict,
                    category: named.filter(|_| contract.form == Form::Label).map(|category| category.title.as_str()),
                    answer: contract.complete(&contract.answer(label, code), "WHY"),
                }
            })
            .collect();
        let safe = contract.answer_for(None).or_else(|| contract.answers(&rules.categories).into_iter().next());
        // A contract without labels cannot be built, so the empty string never shows.
        let right = safe.map(|answer| contract.complete(&answer, "No category applies.")).unwrap_or_default();
        // What models send that were told less plainly: the answer behind a word of theirs, and a full stop.
        let label = choices.iter().find(|choice| choice.verdict == Verdict::Safe).map_or("", |choice| choice.label);
        let wrong = format!("Classification: {label}.");
        let characters = choices.iter().all(|choice| choice.label.chars().count() == 1);
        Self { form: contract.form, choices, characters, right, wrong }
    }
}
