//! Criteria: a policy that a request gives as a text, and that need not state its answers.
//!
//! Clients with labels of their own send rules alone. They read a number, whatever the labels are.

use std::sync::Arc;

use super::api_error::ApiError;
use super::asked::{AskedEffort, AskedOptions};
use super::policies::Served;
use super::state::State;
use crate::policy::{Effort, Label, Notation, Policy, PolicyError, PolicyErrorKind, PolicySource, Verdict};

/// The sentence below a text that states no answers.
const ANSWERS: &str = "Return exactly one label: 1 if the text violates this policy, or 0 if it does not.";

/// Reads criteria as a policy. A text that states answers keeps them, any other text is answered with 1 or 0.
///
/// # Errors
///
/// Status 400 for a text that is empty, too large, or states two different sets of answers.
pub fn read(text: &str) -> Result<Arc<Served>, ApiError> {
    let policy = match parse(text, None) {
        Err(error) if error.kind() == PolicyErrorKind::NoContract => {
            parse(&format!("{}\n\n{ANSWERS}\n", text.trim_end()), Some(one_or_zero()))
        }
        read => read,
    };
    let policy = policy.map_err(|error| ApiError::invalid("invalid_policy", error.message()))?;
    Ok(Arc::new(Served::ad_hoc(policy)))
}

/// Reads the text of a policy that belongs to one request.
///
/// # Errors
///
/// The text cannot be a policy, or states its answers unclearly and no labels are given.
pub fn parse(text: &str, labels: Option<Vec<Label>>) -> Result<Policy, PolicyError> {
    PolicySource::of_text("policy", text, Notation::Plain).parse(labels)
}

/// Returns the labels of a question that is answered with 1 or 0.
#[must_use]
pub fn one_or_zero() -> Vec<Label> {
    let label = |text: &str, verdict| Label { text: text.to_owned(), verdict };
    vec![label("1", Verdict::Violation), label("0", Verdict::Safe)]
}

/// Returns the settings for clients that cannot name any: the server's effort, else no reasoning.
///
/// Such clients give a verdict a few seconds. `?effort=` in the address they are given names another effort.
///
/// # Errors
///
/// Status 400 for an unknown effort.
pub fn options(state: &State, effort: Option<&str>) -> Result<AskedOptions, ApiError> {
    let effort = match effort {
        Some(effort) => serde_json::from_value(effort.into())
            .map_err(|_| ApiError::invalid("invalid_value", "this is no effort: none, low, medium or high"))?,
        None => state.config.options.effort.unwrap_or(Effort::None),
    };
    Ok(AskedOptions { effort: Some(AskedEffort::Of(effort)), ..AskedOptions::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(served: &Served) -> Vec<(&str, Verdict)> {
        served.policy.contract.labels.iter().map(|label| (label.text.as_str(), label.verdict)).collect()
    }

    #[test]
    fn criteria_without_answers_get_the_labels_1_and_0_and_say_so() {
        let served = read("# Ads\nA text that sells something.").unwrap();
        assert_eq!(labels(&served), [("1", Verdict::Violation), ("0", Verdict::Safe)]);
        let crate::policy::Body::Verbatim(text) = &served.policy.body else { panic!("a plain text") };
        assert!(text.starts_with("# Ads\nA text that sells something.\n\nReturn exactly one label"), "{text}");
        assert!(!served.is_named);
    }

    #[test]
    fn criteria_with_answers_keep_them_word_for_word() {
        let text = "Return exactly one word: VALID or INVALID. INVALID is advertising.";
        let served = read(text).unwrap();
        assert_eq!(labels(&served).len(), 2);
        assert_eq!(served.policy.body, crate::policy::Body::Verbatim(text.to_owned()));
    }

    #[test]
    fn empty_criteria_are_refused() {
        assert_eq!(read("  \n").unwrap_err().code, "invalid_policy");
    }
}
