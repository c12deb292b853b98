//! The setup of an evaluation.

use serde::{Deserialize, Serialize};

use super::terms::Terms;

/// The golden set, policy, model, template and settings of an evaluation. A certificate holds for one setup alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluationSetup {
    /// The golden set's name.
    pub golden: String,
    /// The policy's id, and its digest.
    pub policy: [String; 2],
    /// The model's name, and its digest.
    pub model: [String; 2],
    /// The template's id, and its digest.
    pub template: [String; 2],
    /// The model's reasoning effort.
    pub effort: String,
    /// The version of magistrate.
    pub version: String,
    /// Everything that a probability depends on besides the text. Empty in an evaluation of an earlier version.
    #[serde(default)]
    pub terms: Terms,
}

impl EvaluationSetup {
    /// Names each term that differs from those of the setup. Returns `None` if all are equal.
    #[must_use]
    pub fn unlike(&self, terms: &Terms) -> Option<String> {
        let different: Vec<String> = self
            .terms
            .differences(terms)
            .into_iter()
            .map(|(name, theirs, ours)| format!("another {name} ({theirs}, and here {ours})"))
            .collect();
        (!different.is_empty()).then(|| format!("it was issued for {}", different.join(", ")))
    }
}
