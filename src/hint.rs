//! Hints: the remedies that an error proposes.
//!
//! A hint names a setting by its identity, not by a flag. So a program that uses the library shows the names that its
//! own users know; the command shows its flags.

use std::borrow::Cow;
use std::fmt;

/// A remedy that an error proposes: words, and settings among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Cow<'static, str>),
    Setting(Setting, Option<String>),
}

/// A setting of the library that a hint may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The share of errors that a certificate accepts.
    Alpha,
    /// The most tokens of reasoning.
    Budget,
    /// The column by which an evaluation is sliced.
    By,
    /// Texts longer than a limit are judged in overlapping pieces.
    Chunk,
    /// The columns of the input that are written beside the verdict.
    Columns,
    /// The tokens that a worker's cache holds.
    Context,
    /// The separator of fields in CSV and TSV.
    Delimiter,
    /// How much the model reasons.
    Effort,
    /// The text encoding of the inputs.
    Encoding,
    /// The format of the inputs.
    Format,
    /// The column with a record's id.
    IdColumn,
    /// The kernels that compute on the CPU.
    Kernels,
    /// The column with the expected label.
    LabelColumn,
    /// The meaning of a plain policy's answers.
    Labels,
    /// The most tokens of a content.
    MaxContentTokens,
    /// The least probability of all allowed answers together.
    MinMass,
    /// A journal is continued although its settings differ.
    Mix,
    /// The model's file.
    Model,
    /// The labels of a golden set that mean safe.
    Negative,
    /// The file that is written.
    Output,
    /// Journals are merged although records are missing.
    Partial,
    /// A policy.
    Policy,
    /// The labels of a golden set that mean a violation.
    Positive,
    /// Treatment of quotes in CSV and TSV.
    Quote,
    /// The file with the key for a remote engine.
    RemoteKey,
    /// The level at which a remote engine is used.
    RemoteLevel,
    /// The model of a remote engine.
    RemoteModel,
    /// A journal is set aside and its run begins again.
    Restart,
    /// The expected digest of a download.
    Sha256,
    /// The sheet of a workbook.
    Sheet,
    /// The rows before the header of a table.
    SkipRows,
    /// The column with the text.
    TextColumn,
}

/// An error that proposes remedies.
pub trait Hints: std::error::Error {
    /// Returns the remedies, the most useful first. Empty if no remedy is known.
    fn hints(&self) -> Vec<Hint>;
}

impl Hint {
    /// Returns a hint that begins with these words.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(Vec::new()).text(text)
    }

    /// Returns a hint that begins with a setting.
    #[must_use]
    pub fn of(setting: Setting) -> Self {
        Self(vec![Part::Setting(setting, None)])
    }

    /// Returns a hint that begins with a setting and its value.
    #[must_use]
    pub fn of_value(setting: Setting, value: impl fmt::Display) -> Self {
        Self(vec![Part::Setting(setting, Some(value.to_string()))])
    }

    /// Appends words.
    #[must_use]
    pub fn text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Part::Text(text));
        }
        self
    }

    /// Appends the name of a setting.
    #[must_use]
    pub fn setting(mut self, setting: Setting) -> Self {
        self.0.push(Part::Setting(setting, None));
        self
    }

    /// Appends a setting and its value.
    #[must_use]
    pub fn value(mut self, setting: Setting, value: impl fmt::Display) -> Self {
        self.0.push(Part::Setting(setting, Some(value.to_string())));
        self
    }

    /// Reports whether the hint names a setting.
    #[must_use]
    pub fn has_setting(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Setting(..)))
    }

    /// Returns the hint in words, with each setting written by `name`, which gets the value if the hint has one.
    pub fn render(&self, name: impl Fn(Setting, Option<&str>) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.to_string(),
            Part::Setting(setting, value) => name(*setting, value.as_deref()),
        };
        self.0.iter().map(part).collect()
    }
}

impl From<&'static str> for Hint {
    fn from(text: &'static str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Hint {
    /// Writes the hint with the names that settings have in this library.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(|setting, value| match value {
            Some(value) => format!("`{setting}` = {value}"),
            None => format!("`{setting}`"),
        }))
    }
}

impl fmt::Display for Setting {
    /// Writes the name that the setting has in this library.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Alpha => "alpha",
            Self::Budget => "SessionOptions::budget",
            Self::By => "GoldenOptions::by",
            Self::Chunk => "Settings::chunking",
            Self::Columns => "Settings::columns",
            Self::Context => "EngineConfig::context",
            Self::Delimiter => "RecordFields::separator",
            Self::Encoding => "RecordFields::encoding",
            Self::Effort => "SessionOptions::effort",
            Self::Format => "InputFormat",
            Self::IdColumn => "RecordFields::id",
            Self::Kernels => "EngineConfig::kernels",
            Self::LabelColumn => "GoldenOptions::label",
            Self::Labels => "labels",
            Self::MaxContentTokens => "SessionOptions::max_content",
            Self::MinMass => "DecisionRule::min_mass",
            Self::Mix => "Existing::Mix",
            Self::Model => "EngineConfig::model",
            Self::Negative => "GoldenOptions::negative",
            Self::Output => "the output's path",
            Self::Partial => "partial",
            Self::Policy => "the policy",
            Self::Positive => "GoldenOptions::positive",
            Self::Quote => "RecordFields::quote",
            Self::RemoteKey => "RemoteOptions::key",
            Self::RemoteLevel => "RemoteOptions::level",
            Self::RemoteModel => "RemoteOptions::model",
            Self::Restart => "Existing::Restart",
            Self::Sha256 => "sha256",
            Self::Sheet => "RecordFields::sheet",
            Self::SkipRows => "RecordFields::skip",
            Self::TextColumn => "RecordFields::text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_shows_settings_by_the_names_of_whoever_renders_it() {
        let hint =
            Hint::of_value(Setting::Context, 2748).text(" makes room; ").setting(Setting::Chunk).text(" cuts it");
        assert_eq!(hint.to_string(), "`EngineConfig::context` = 2748 makes room; `Settings::chunking` cuts it");
        let flags = hint.render(|setting, value| match (setting, value) {
            (Setting::Context, Some(value)) => format!("--context {value}"),
            _ => "--chunk".to_owned(),
        });
        assert_eq!(flags, "--context 2748 makes room; --chunk cuts it");
    }
}
