//! Checks that labels do not contradict one another, and that the rules of a policy fit them.
//!
//! The one idea: a contract that passes has exactly one answer for every category and every example. An incompatibility
//! names the part of the policy; its line in a file is not known here.

use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::{listed, quoted};
use crate::policy::{Body, Contract, Form, Label, Policy, Structured, Verdict};

impl Policy {
    /// Replaces the labels.
    ///
    /// # Errors
    /// The labels contradict one another, or do not fit the policy's categories and examples.
    pub fn with_labels(mut self, labels: Vec<Label>) -> Result<Self, PolicyError> {
        self.contract = Contract::new(self.contract.form, labels)?;
        if let Body::Structured(rules) = &self.body {
            self.contract.check_rules(rules).map_err(PolicyError::from)?;
        }
        Ok(self)
    }
}

impl Contract {
    /// Makes a contract of labels that do not contradict one another.
    pub(super) fn checked(form: Form, labels: Vec<Label>) -> Result<Self, Incompatibility> {
        /// The most bytes of a label. Each byte costs time in every reply.
        const LONGEST_LABEL: usize = 64;
        for (index, Label { text, .. }) in labels.iter().enumerate() {
            let wrong = |message: &str, hint: &str| Err(Incompatibility::new(PolicyPart::Label(index), message, hint));
            if text.is_empty() {
                return wrong("a label is empty", "a word or a digit is enough");
            }
            if text.trim() != text {
                return wrong(&format!("the label {} begins or ends in whitespace", quoted(text)), "take it off");
            }
            if text.chars().any(char::is_control) {
                return wrong(&format!("the label {} has a control character", quoted(text)), "use letters or digits");
            }
            if text.len() > LONGEST_LABEL {
                let message = format!("the label {} is longer than {LONGEST_LABEL} bytes", quoted(text));
                return wrong(&message, "a word is enough");
            }
            // A free reply is read without regard to case, so such labels would be one.
            if let Some(twin) = labels[..index].iter().find(|other| other.text.eq_ignore_ascii_case(text)) {
                let message = format!("the label {} occurs twice", quoted(text));
                return wrong(
                    &message,
                    &format!("it is {} already, and upper and lower case are the same", twin.verdict),
                );
            }
        }
        for needed in [Verdict::Safe, Verdict::Violation] {
            if !labels.iter().any(|label| label.verdict == needed) {
                let message = format!("no label means {needed}");
                return Err(Incompatibility::new(
                    PolicyPart::Labels,
                    &message,
                    "one label must mean safe, and one violation",
                ));
            }
        }
        Ok(Self { form, labels })
    }

    /// Checks that every category and every example has exactly one answer.
    pub(super) fn check_rules(&self, rules: &Structured) -> Result<(), Incompatibility> {
        for (index, label) in self.labels.iter().enumerate() {
            let earlier = self.labels[..index].iter().find(|other| other.verdict == label.verdict);
            let code = rules.categories.iter().find(|category| category.code == label.text);
            let part = PolicyPart::Label(index);
            match (self.form, earlier, code) {
                (Form::Label, _, Some(category)) if category.verdict != label.verdict => {
                    let message = format!(
                        "the label {} is {}, but the category of that code is {}",
                        quoted(&label.text),
                        label.verdict,
                        category.verdict,
                    );
                    return Err(Incompatibility::new(part, &message, "give both the same verdict"));
                }
                (Form::Category | Form::Rationale, Some(earlier), _) => {
                    let message =
                        format!("{} and {} both mean {}", quoted(&earlier.text), quoted(&label.text), label.verdict);
                    return Err(Incompatibility::new(
                        part,
                        &message,
                        "in this form the category distinguishes cases: keep one label for each verdict",
                    ));
                }
                (Form::Category | Form::Rationale, None, _)
                    if label.verdict == Verdict::Review
                        && !rules.categories.iter().any(|category| category.verdict == Verdict::Review) =>
                {
                    let message = format!("no category leads to the label {}", quoted(&label.text));
                    return Err(Incompatibility::new(
                        part,
                        &message,
                        "give a category the verdict review, or drop the label",
                    ));
                }
                _ => {}
            }
        }
        for (index, category) in rules.categories.iter().enumerate() {
            if self.answer_for(Some(category)).is_none() {
                return Err(self.unanswered(PolicyPart::Category(index), category.verdict));
            }
        }
        for (index, example) in rules.examples.iter().enumerate() {
            if example.category.is_none() && self.answer_for(None).is_none() {
                return Err(self.unanswered(PolicyPart::Example(index), Verdict::Safe));
            }
        }
        Ok(())
    }

    fn unanswered(&self, part: PolicyPart, verdict: Verdict) -> Incompatibility {
        let candidates: Vec<String> =
            self.labels.iter().filter(|label| label.verdict == verdict).map(|label| quoted(&label.text)).collect();
        if candidates.is_empty() {
            Incompatibility::new(part, &format!("no label means {verdict}"), "add one to the labels")
        } else {
            let message = format!("the label for {verdict} can be {}", listed(&candidates));
            Incompatibility::new(
                part,
                &message,
                "give the category a label that equals its code, or keep one label for each verdict",
            )
        }
    }
}

/// A contradiction between labels, or between a label and another part of the policy.
pub(super) struct Incompatibility {
    pub part: PolicyPart,
    pub message: String,
    pub hint: String,
}

/// The part of a policy that does not fit. Numbers count from 0.
#[derive(Clone, Copy)]
pub(super) enum PolicyPart {
    Labels,
    Label(usize),
    Category(usize),
    Example(usize),
}

impl Incompatibility {
    fn new(part: PolicyPart, message: &str, hint: &str) -> Self {
        Self { part, message: message.to_owned(), hint: hint.to_owned() }
    }
}

impl From<Incompatibility> for PolicyError {
    fn from(found: Incompatibility) -> Self {
        Self::new(PolicyErrorKind::Labels, found.message).with_hint(found.hint)
    }
}
