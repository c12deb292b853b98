//! The values for the policy template.
//!
//! The one idea: the template words the rules, and every answer in it comes from the contract, byte for byte. The
//! rendering is the room `prompt`'s.

use serde::Serialize;

use crate::policy::{Body, Category, Contract, Definition, Form, Policy, Structured, Verdict};

/// The values for the policy template.
#[derive(Serialize)]
struct Context<'a> {
    title: &'a str,
    instruction: &'a str,
    definitions: &'a [Definition],
    /// The categories by verdict: violation, safe, review. An empty section is left out.
    sections: Vec<Section<'a>>,
    precedence: &'a [String],
    ambiguity: &'a [String],
    escalation: &'a [String],
    examples: Vec<ExampleContext<'a>>,
    contract: ContractContext<'a>,
}

#[derive(Serialize)]
struct Section<'a> {
    heading: &'static str,
    /// The label of the verdict, if exactly one label means it.
    label: Option<&'a str>,
    categories: Vec<&'a Category>,
}

/// An example: the content, and the complete answer to it.
#[derive(Serialize)]
struct ExampleContext<'a> {
    text: &'a str,
    answer: String,
}

/// The form of a reply.
#[derive(Serialize)]
struct ContractContext<'a> {
    form: Form,
    choices: Vec<Choice<'a>>,
    /// True if all labels are single characters; the template then says so.
    characters: bool,
    right: String,
    wrong: String,
}

/// A label, its meaning, and the answer that contains it. CODE and WHY mark the parts that vary.
#[derive(Serialize)]
struct Choice<'a> {
    label: &'a str,
    verdict: Verdict,
    /// The title of the category with the label as its code.
    category: Option<&'a str>,
    answer: String,
}

impl Policy {
    /// Returns the values for the policy template. `None` for a plain text, which needs no template.
    #[must_use]
    pub fn context(&self) -> Option<impl Serialize + '_> {
        match &self.body {
            Body::Structured(rules) => Some(Context::new(self, rules)),
            Body::Verbatim(_) => None,
        }
    }
}

impl<'a> Context<'a> {
    fn new(policy: &'a Policy, rules: &'a Structured) -> Self {
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
            contract: ContractContext::new(contract, rules),
        }
    }
}

fn examples<'a>(contract: &Contract, rules: &'a Structured) -> Vec<ExampleContext<'a>> {
    let shown = rules.examples.iter().filter_map(|example| {
        let code = example.category.as_deref();
        let category = rules.categories.iter().find(|category| Some(category.code.as_str()) == code);
        let why = example.why.as_deref().or(category.map(|category| category.title.as_str()));
        let answer = contract.answer_for(category)?;
        Some(ExampleContext {
            text: &example.text,
            answer: contract.complete(&answer, why.unwrap_or("No category applies.")),
        })
    });
    shown.collect()
}

impl<'a> ContractContext<'a> {
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
        // A contract without labels cannot be built, so the empty string is never used.
        let right = safe.map(|answer| contract.complete(&answer, "No category applies.")).unwrap_or_default();
        // The most common wrong form: the answer behind a word of the model's own, and a full stop.
        let label = choices.iter().find(|choice| choice.verdict == Verdict::Safe).map_or("", |choice| choice.label);
        let wrong = format!("Classification: {label}.");
        let characters = choices.iter().all(|choice| choice.label.chars().count() == 1);
        Self { form: contract.form, choices, characters, right, wrong }
    }
}
