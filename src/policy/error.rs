//! What is wrong with a policy.

use super::report::{Place, Report};
use crate::hint::{Hint, Hints};

/// Something is wrong with a policy, or with the labels given for it. `Display` prints the whole report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.report)]
pub struct PolicyError(Box<Inner>);

/// What sort of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// There is no policy of that name.
    UnknownPolicy,
    /// The file cannot be read.
    Read,
    /// The file is not UTF-8.
    Encoding,
    /// There is no text in it.
    Empty,
    /// It is not YAML.
    Syntax,
    /// It is larger, deeper or more entangled than a policy can be.
    Limit,
    /// A key that the schema does not know.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A key stands twice.
    DuplicateKey,
    /// A value of another type than the schema wants.
    Type,
    /// A value of the right type that cannot stand here.
    Value,
    /// Labels that cannot stand together, or do not fit the policy.
    Labels,
    /// A plain text that does not state its answers in a way that can be relied on.
    NoContract,
    /// A plain text that states two different sets of answers.
    TwoContracts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: PolicyErrorKind,
    report: Report,
}

impl PolicyError {
    pub(super) fn new(kind: PolicyErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, report: Report::new(message) }))
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.0.report.named(name);
        self
    }

    /// Adds a place in `source`; line 0 is no place at all.
    pub(super) fn at(mut self, source: &str, place: Place) -> Self {
        self.0.report.at(source, place);
        self
    }

    pub(super) fn renamed_message(mut self, message: impl Into<String>) -> Self {
        self.0.report.message = message.into();
        self
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.report.hint = Some(hint.into());
        self
    }

    /// All that is to be said.
    pub(super) fn into_report(self) -> Report {
        self.0.report
    }

    /// What sort of thing is wrong.
    #[must_use]
    pub fn kind(&self) -> PolicyErrorKind {
        self.0.kind
    }

    /// What is wrong, in a line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.report.message
    }

    /// The file, or whatever the policy was called.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.report.name.as_deref()
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.report.excerpts.first().map(|excerpt| excerpt.place.line)
    }

    /// The column, counted from 1 in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.0.report.excerpts.first().map(|excerpt| excerpt.place.column)
    }

    /// The line at that place. Characters that would control a terminal are replaced.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.0.report.excerpts.first().map(|excerpt| excerpt.line.as_str())
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.report.hint.as_deref()
    }
}

impl Hints for PolicyError {
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }
}
