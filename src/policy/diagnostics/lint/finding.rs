//! A finding of the linter, and the changes that mend it.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::rule::LintRule;
use crate::hint::Hint;
use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::report::Report;

/// A passage that a policy's author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    rule: LintRule,
    level: Level,
    report: Report,
    fixes: Vec<Fix>,
    /// The number of further findings of the same rule on the same line.
    more: usize,
}

/// The level of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Replies will break, or the policy contradicts itself.
    Error,
    /// Verdicts are likely to be worse.
    Warning,
    /// Good to know.
    Note,
}

/// A change of the source that mends a finding: the bytes `from..to` become `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fix {
    from: usize,
    to: usize,
    with: String,
}

/// Returns the source with all mechanical fixes made, and their number.
#[must_use]
pub fn fixed(source: &str, findings: &[Finding]) -> (String, usize) {
    let mut fixes: Vec<&Fix> = findings.iter().flat_map(|finding| &finding.fixes).collect();
    fixes.sort_by_key(|fix| (fix.from, fix.to));
    let (mut text, mut done, mut count) = (String::with_capacity(source.len()), 0, 0);
    for Fix { from, to, with } in fixes {
        // Two rules may mend the same bytes: the first one wins.
        if *from >= done {
            text.push_str(&source[done..*from]);
            text.push_str(with);
            (done, count) = (*to, count + 1);
        }
    }
    text.push_str(&source[done..]);
    (text, count)
}

impl Finding {
    pub(super) fn new(rule: LintRule, level: Level, report: Report) -> Self {
        Self { rule, level, report, fixes: Vec::new(), more: 0 }
    }

    /// Reports an error that keeps the policy from being read.
    pub(super) fn from_error(error: PolicyError) -> Self {
        let rule = match error.kind() {
            PolicyErrorKind::NoContract => LintRule::NoContract,
            PolicyErrorKind::TwoContracts => LintRule::TwoContracts,
            PolicyErrorKind::Labels => LintRule::Labels,
            PolicyErrorKind::UnknownKey => LintRule::UnknownKey,
            PolicyErrorKind::MissingKey => LintRule::MissingKey,
            PolicyErrorKind::DuplicateKey => LintRule::DuplicateKey,
            PolicyErrorKind::Syntax | PolicyErrorKind::Encoding => LintRule::Syntax,
            _ => LintRule::Value,
        };
        Self::new(rule, Level::Error, error.into_report())
    }

    pub(super) fn with_hint(&mut self, hint: impl Into<Hint>) -> &mut Self {
        self.report.hint = Some(hint.into());
        self
    }

    pub(super) fn add_fix(&mut self, from: usize, to: usize, with: impl Into<String>) {
        self.fixes.push(Fix { from, to, with: with.into() });
    }

    /// Counts another finding of the same rule on the same line.
    pub(super) fn count_another(&mut self) {
        self.more += 1;
    }

    /// Adds the count of further findings to the message.
    pub(super) fn finish(&mut self) {
        if self.more > 0 {
            self.report.message.push_str(&format!(" (and {} more on this line)", self.more));
        }
    }

    pub(super) fn lint_rule(&self) -> LintRule {
        self.rule
    }

    /// Returns the name of the rule: `code-gap`.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule.name()
    }

    /// Returns the level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns the message, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.report.message
    }

    /// Returns the remedy.
    #[must_use]
    pub fn hint(&self) -> Option<&Hint> {
        self.report.hint.as_ref()
    }

    /// Returns the line, from 1. `None` if the finding is about the whole policy.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.report.excerpts.first().map(|excerpt| excerpt.span.line)
    }

    /// Returns the column, from 1 in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.report.excerpts.first().map(|excerpt| excerpt.span.column)
    }

    /// Returns the number of places that [`fixed`] changes for this finding.
    #[must_use]
    pub fn mends(&self) -> usize {
        self.fixes.len()
    }

    /// Reports whether [`fixed`] mends it.
    #[must_use]
    pub fn is_mechanical(&self) -> bool {
        !self.fixes.is_empty()
    }

    /// Returns the report in the form of rustc's: message, place, line, and the hint as `hint` writes it.
    pub fn report(&self, hint: impl Fn(&Hint) -> String) -> String {
        format!("{}[{}]: {}", self.level, self.rule.name(), self.report.with_hint(hint))
    }
}

impl fmt::Display for Finding {
    /// Writes the report with the names that settings have in this library.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.report(Hint::to_string))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}
