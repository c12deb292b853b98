//! The policies that magistrate-nano, the built-in model, was trained for.
//!
//! They are a fact about the model file, so they are listed here by id. The policies themselves are not known here.

use super::model::{Demonstration, ModelFile};

/// The ids of the shipped policies that magistrate-nano was trained for, as in `scripts/nano/policies.py`.
pub const TRAINED_FOR: [&str; 6] =
    ["spam", "fraud-and-scams", "hate", "harassment", "personal-data", "prompt-injection"];

impl ModelFile {
    /// Returns the ids of the shipped policies that the model was trained for. `None` for a model that takes any
    /// policy, and for a model with random weights.
    #[must_use]
    pub fn trained_for(&self) -> Option<&'static [&'static str]> {
        (self.demonstration == Some(Demonstration::Trained)).then_some(&TRAINED_FOR)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_is_the_trainer_s() {
        let trainer = include_str!("../../scripts/nano/policies.py");
        let themes = trainer.lines().find_map(|line| line.strip_prefix("THEMES = ")).unwrap();
        assert_eq!(serde_json::from_str::<Vec<&str>>(themes).unwrap(), super::TRAINED_FOR);
    }
}
