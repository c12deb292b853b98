//! The policies that magistrate-nano, the built-in model, was trained for.
//!
//! They are a fact about the model file, so they are listed here by id. The policies themselves are not known here.

use super::model::{Demonstration, ModelFile};

/// The ids of the shipped policies that magistrate-nano was trained for.
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
    fn the_trainer_has_the_wording_of_each() {
        let wording = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/nano/themes");
        for id in super::TRAINED_FOR {
            assert!(wording.join(id).with_extension("yaml").exists(), "{id}");
        }
    }
}
