//! Whether labels can stand together, and whether a policy's rules fit them.
//!
//! The one idea: a contract that passes here has exactly one answer for every category and every example. Where the
//! misfit stood in a file is not known here, only which part of the policy it is.

use super::error::{PolicyError, PolicyErrorKind};
use super::phrase::{listed, quoted};
use super::{Contract, Form, Label, Structured, Verdict};

impl Contract {
    pub(super) fn checked(form: Form, labels: Vec<Label>) -> Result<Self, Misfit> {
        /// Bytes of a label; every one of them is paid for in each reply.
        const LONGEST_LABEL: usize = 64;
        for (index, Label { text, .. }) in labels.iter().enumerate() {
            let wrong = |what: &str, hint: &str| Err(Misfit::new(Spot::Label(index), what, hint));
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
                let what = format!("the label {} is longer than {LONGEST_LABEL} bytes", quoted(text));
                return wrong(&what, "a word is enough");
            }
            if let Some(twin) = labels[..index].iter().find(|other| other.text.eq_ignore_ascii_case(text)) {
                let what = format!("the label {} stands twice", quoted(text));
                return wrong(&what, &format!("it is {} already; case does not tell labels apart", twin.verdict));
            }
        }
        for needed in [Verdict::Safe, Verdict::Violation] {
            if !labels.iter().any(|label| label.verdict == needed) {
                let what = format!("no label stands for {needed}");
                return Err(Misfit::new(Spot::Labels, &what, "there must be one for safe and one for violation"));
            }
        }
        Ok(Self { form, labels })
    }

    /// Whether every category and every example has exactly one answer.
    pub(super) fn fits(&self, rules: &Structured) -> Result<(), Misfit> {
        for (index, label) in self.labels.iter().enumerate() {
            let earlier = self.labels[..index].iter().find(|other| other.verdict == label.verdict);
            let code = rules.categories.iter().find(|category| category.code == label.text);
            let spot = Spot::Label(index);
            match (self.form, earlier, code) {
                (Form::Label, _, Some(category)) if category.verdict != label.verdict => {
                    let what = format!(
                        "the label {} is {}, but the category of that code is {}",
                        quoted(&label.text),
                        label.verdict,
                        category.verdict,
                    );
                    return Err(Misfit::new(spot, &what, "give both the same verdict"));
                }
                (Form::Category | Form::Rationale, Some(earlier), _) => {
                    let what = format!(
                        "{} and {} both stand for {}",
                        quoted(&earlier.text),
                        quoted(&label.text),
                        label.verdict,
                    );
                    return Err(Misfit::new(spot, &what, "here the category tells cases apart: one label a verdict"));
                }
                (Form::Category | Form::Rationale, None, _)
                    if label.verdict == Verdict::Review
                        && !rules.categories.iter().any(|category| category.verdict == Verdict::Review) =>
                {
                    let what = format!("no category leads to the label {}", quoted(&label.text));
                    return Err(Misfit::new(spot, &what, "give a category the verdict review, or drop the label"));
                }
                _ => {}
            }
        }
        for (index, category) in rules.categories.iter().enumerate() {
            if self.answer_for(Some(category)).is_none() {
                return Err(self.unanswered(Spot::Category(index), category.verdict));
            }
        }
        for (index, example) in rules.examples.iter().enumerate() {
            if example.category.is_none() && self.answer_for(None).is_none() {
                return Err(self.unanswered(Spot::Example(index), Verdict::Safe));
            }
        }
        Ok(())
    }

    fn unanswered(&self, spot: Spot, verdict: Verdict) -> Misfit {
        let candidates: Vec<String> =
            self.labels.iter().filter(|label| label.verdict == verdict).map(|label| quoted(&label.text)).collect();
        if candidates.is_empty() {
            Misfit::new(spot, &format!("no label stands for {verdict}"), "add one to the labels")
        } else {
            let what = format!("whether {} stands for {verdict} here is open", listed(&candidates));
            Misfit::new(spot, &what, "give the category a label that is its code, or keep one label a verdict")
        }
    }
}

/// Labels that cannot stand together, or a part of a policy that they do not fit.
pub(super) struct Misfit {
    pub spot: Spot,
    pub message: String,
    pub hint: String,
}

/// Which part of a policy does not fit; numbers count from 0.
#[derive(Clone, Copy)]
pub(super) enum Spot {
    Labels,
    Label(usize),
    Category(usize),
    Example(usize),
}

impl Misfit {
    fn new(spot: Spot, message: &str, hint: &str) -> Self {
        Self { spot, message: message.to_owned(), hint: hint.to_owned() }
    }
}

impl From<Misfit> for PolicyError {
    fn from(misfit: Misfit) -> Self {
        Self::new(PolicyErrorKind::Labels, misfit.message).with_hint(misfit.hint)
    }
}
