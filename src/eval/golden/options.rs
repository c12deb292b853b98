//! The user's instructions for reading a golden set.

use super::sense::is_named;
use crate::setters::setters;

/// Instructions for reading a golden set. By default, the column with the answers is found, and labels have the meaning
/// that the policy or common usage gives them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GoldenOptions {
    /// The column with the correct answers.
    pub label: Option<String>,
    /// Labels that are violations; all others are safe. If empty, the policy decides.
    pub positive: Vec<String>,
    /// Labels that are safe. Together with `positive`, any label in neither list is refused.
    pub negative: Vec<String>,
    /// The column whose values make the slices.
    pub by: Option<String>,
}

setters! {
    GoldenOptions {
        with_label: label, Option<String>;
        with_positive: positive, Vec<String>;
        with_negative: negative, Vec<String>;
        with_by: by, Option<String>;
    }
}

impl GoldenOptions {
    /// Reports whether one of the lists contains a label.
    pub(super) fn lists(&self, label: &str) -> bool {
        self.positive.iter().chain(&self.negative).any(|other| is_named(other, label))
    }
}
