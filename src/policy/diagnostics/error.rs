//! The error of a policy.

use crate::hint::{Hint, Hints};
use crate::policy::diagnostics::report::{Report, Span};

/// A policy that cannot be used, or labels that do not fit it.
///
/// `Display` prints the message and each line that it is about. The remedy is in [`Hints::hints`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.report)]
pub struct PolicyError(Box<Inner>);

/// The kind of a fault in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// No policy has this name.
    UnknownPolicy,
    /// The file cannot be read.
    Read,
    /// The file is not UTF-8.
    Encoding,
    /// The file has no text.
    Empty,
    /// The file is not YAML.
    Syntax,
    /// The file is larger, deeper or more entangled than a policy can be.
    Limit,
    /// The schema does not have this key.
    UnknownKey,
    /// A required key is missing.
    MissingKey,
    /// A key occurs twice.
    DuplicateKey,
    /// A value has another type than the schema requires.
    Type,
    /// A value has the right type and is not allowed here.
    Value,
    /// Labels contradict one another, or do not fit the policy.
    Labels,
    /// A plain text does not state its answers reliably.
    NoContract,
    /// A plain text states two different sets of answers.
    TwoContracts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: PolicyErrorKind,
    report: Report,
}

impl PolicyError {
    pub(in crate::policy) fn new(kind: PolicyErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, report: Report::new(message) }))
    }

    pub(in crate::policy) fn named(mut self, name: &str) -> Self {
        self.0.report.set_name(name);
        self
    }

    /// Adds a place in `source`. Line 0 adds nothing.
    pub(in crate::policy) fn at(mut self, source: &str, span: Span) -> Self {
        self.0.report.add_span(source, span);
        self
    }

    pub(in crate::policy) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.report.message = message.into();
        self
    }

    pub(in crate::policy) fn with_hint(mut self, hint: impl Into<Hint>) -> Self {
        self.0.report.hint = Some(hint.into());
        self
    }

    /// Returns the whole report, the hint included.
    pub(in crate::policy) fn into_report(self) -> Report {
        self.0.report
    }

    /// Returns the kind of the fault.
    #[must_use]
    pub fn kind(&self) -> PolicyErrorKind {
        self.0.kind
    }

    /// Returns the message, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.report.message
    }

    /// Returns the file, or the name under which the policy was read.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.report.name.as_deref()
    }

    /// Returns the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.report.excerpts.first().map(|excerpt| excerpt.span.line)
    }

    /// Returns the column, counted from 1 in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.0.report.excerpts.first().map(|excerpt| excerpt.span.column)
    }

    /// Returns the text of that line. Characters that would control a terminal are replaced.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.0.report.excerpts.first().map(|excerpt| excerpt.line.as_str())
    }
}

impl Hints for PolicyError {
    fn hints(&self) -> Vec<Hint> {
        self.0.report.hint.iter().cloned().collect()
    }
}
