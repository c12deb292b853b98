//! The contract: the allowed replies, byte for byte.
//!
//! The one idea: the allowed answers are a finite list, written here and nowhere else. The policy template shows these
//! strings, and the verdict is scored over the same strings, so the two cannot drift apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::{nearest, quoted};
use crate::policy::{Category, Verdict};

/// The form of a reply and the labels in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Contract {
    /// The form.
    pub form: Form,
    /// The labels, in the author's order.
    pub labels: Vec<Label>,
}

const LABELS_HINT: &str = "write labels like INVALID=violation,VALID=safe,ESCALATE=review; review may be left out";

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The label alone: `1`.
    Label,
    /// Label and category: `{"violation":1,"policy_category":"SP2.a"}`.
    Category,
    /// Label, category, and a rationale in the model's words.
    Rationale,
}

/// A word that means a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Label {
    /// The word.
    pub text: String,
    /// Its meaning.
    pub verdict: Verdict,
}

/// One complete answer that the contract allows, byte for byte, up to its free text if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The bytes; with [`Form::Rationale`] they end in the quote that opens the rationale.
    pub text: String,
    /// The label's text.
    pub label: String,
    /// The code of its category.
    pub category: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
}

impl Contract {
    /// Makes a contract of a form and labels.
    ///
    /// # Errors
    /// A label is empty, unprintable, longer than 64 bytes, or occurs twice. Or no label means safe, or violation.
    pub fn new(form: Form, labels: Vec<Label>) -> Result<Self, PolicyError> {
        Self::checked(form, labels).map_err(PolicyError::from)
    }

    /// Reads labels from one text: `INVALID=violation,VALID=safe,ESCALATE=review`.
    ///
    /// # Errors
    /// A part is not `LABEL=VERDICT`, or the labels contradict one another. The message names the part.
    pub fn parse_labels(text: &str) -> Result<Vec<Label>, PolicyError> {
        let wrong = |message| PolicyError::new(PolicyErrorKind::Labels, message).with_hint(LABELS_HINT);
        let labels = text
            .split(',')
            .map(|part| {
                let (label, verdict) = part
                    .rsplit_once('=')
                    .ok_or_else(|| wrong(format!("{} is not LABEL=VERDICT", quoted(part.trim()))))?;
                let verdict = verdict.trim().parse().map_err(|unknown| {
                    let meant = nearest(verdict.trim(), ["violation", "safe", "review"]);
                    let hint =
                        meant.map(|word| format!("did you mean {}?", quoted(&format!("{}={word}", label.trim()))));
                    wrong(format!("in {}: {unknown}", quoted(part.trim())))
                        .with_hint(hint.unwrap_or_else(|| LABELS_HINT.to_owned()))
                })?;
                Ok(Label { text: label.trim().to_owned(), verdict })
            })
            .collect::<Result<Vec<_>, PolicyError>>()?;
        Ok(Self::new(Form::Label, labels)?.labels)
    }

    /// Returns a complete answer: with the rationale in the form that has one, else unchanged.
    #[must_use]
    pub fn complete(&self, answer: &Answer, rationale: &str) -> String {
        match self.form {
            Form::Label | Form::Category => answer.text.clone(),
            // The answer's text ends in the opening quote.
            Form::Rationale => format!("{}{}}}", answer.text, &json(rationale)[1..]),
        }
    }

    /// Returns the default labels: `0` safe, `1` violation and, if wanted, `2` review.
    pub(super) fn standard_labels(review: bool) -> Vec<Label> {
        let labels = [("0", Verdict::Safe), ("1", Verdict::Violation), ("2", Verdict::Review)];
        let used = if review { &labels[..] } else { &labels[..2] };
        used.iter().map(|(text, verdict)| Label { text: (*text).to_owned(), verdict: *verdict }).collect()
    }

    /// Returns all allowed answers: by labels, or safe first and then by categories.
    pub(super) fn answers(&self, categories: &[Category]) -> Vec<Answer> {
        match self.form {
            Form::Label => self
                .labels
                .iter()
                .map(|label| {
                    let category = categories.iter().find(|category| category.code == label.text);
                    self.answer(label, category.map(|category| category.code.as_str()))
                })
                .collect(),
            Form::Category | Form::Rationale => {
                let unsafe_ones = categories.iter().filter(|category| category.verdict != Verdict::Safe);
                std::iter::once(None)
                    .chain(unsafe_ones.map(Some))
                    .filter_map(|category| self.answer_for(category))
                    .collect()
            }
        }
    }

    /// Returns the answer to content of a category, or of no category. `None` if several labels are possible.
    pub(super) fn answer_for(&self, category: Option<&Category>) -> Option<Answer> {
        let verdict = category.map_or(Verdict::Safe, |category| category.verdict);
        let code = category.map(|category| category.code.as_str());
        let label = self.labels.iter().find(|label| self.form == Form::Label && Some(&*label.text) == code);
        if let Some(label) = label {
            return Some(self.answer(label, code));
        }
        let mut labels = self.labels.iter().filter(|label| label.verdict == verdict);
        match (labels.next(), labels.next()) {
            (Some(label), None) if self.form == Form::Label => Some(self.answer(label, None)),
            (Some(label), None) => Some(self.answer(label, code.filter(|_| verdict != Verdict::Safe))),
            _ => None,
        }
    }

    /// Returns the answer with a label and a category's code.
    pub(super) fn answer(&self, label: &Label, category: Option<&str>) -> Answer {
        let object = || {
            let label = if is_number(&label.text) { label.text.clone() } else { json(&label.text) };
            format!(r#"{{"violation":{label},"policy_category":{}"#, category.map_or("null".to_owned(), json))
        };
        let text = match self.form {
            Form::Label => label.text.clone(),
            Form::Category => object() + "}",
            Form::Rationale => object() + r#","rationale":""#,
        };
        Answer { text, label: label.text.clone(), category: category.map(str::to_owned), verdict: label.verdict }
    }
}

/// Reports whether JSON writes a label as a number and reads it back as the same characters.
fn is_number(label: &str) -> bool {
    let digits = label.strip_prefix('-').filter(|digits| *digits != "0").unwrap_or(label);
    // Many readers of JSON keep numbers as doubles, which are exact up to 15 digits.
    (1..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
