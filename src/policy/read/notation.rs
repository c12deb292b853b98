//! The notation of a policy: in parts, or one text.

use std::path::Path;

/// The notation of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// In parts, as YAML.
    Yaml,
    /// A text that is the instructions, word for word.
    Plain,
}

impl Notation {
    /// Detects the notation by the ending of the name. Without a known ending, looks for the keys of a YAML policy.
    #[must_use]
    pub fn detect(name: &str, text: &str) -> Self {
        Self::of_name(name).unwrap_or_else(|| if has_keys_of_a_policy(text) { Self::Yaml } else { Self::Plain })
    }

    /// Returns the notation that the ending of a name shows.
    pub(in crate::policy) fn of_name(name: &str) -> Option<Self> {
        match ending(name).as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "md" | "txt" | "markdown" | "text" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// Returns the ending of a name, in small letters and without the dot.
pub(in crate::policy) fn ending(name: &str) -> String {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.unwrap_or_default().to_ascii_lowercase()
}

/// Reports whether at least two lines begin with keys of a policy.
pub(in crate::policy) fn has_keys_of_a_policy(text: &str) -> bool {
    has_keys(text, &["id:", "title:", "version:", "summary:", "instruction:", "contract:", "categories:"])
}

/// Reports whether at least two lines begin with these keys.
pub(in crate::policy) fn has_keys(text: &str, keys: &[&str]) -> bool {
    keys.iter().filter(|key| text.lines().any(|line| line.starts_with(**key))).count() >= 2
}
