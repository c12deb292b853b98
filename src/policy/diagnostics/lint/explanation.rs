//! Explanations of the rules: why each exists, an example, and the remedy.
//!
//! The one idea: the page of the manual is the only place with these texts, and a test keeps it complete.

use super::rule::LintRule;
use crate::policy::diagnostics::quoting::{nearest, quoted};

/// The page, with a section for each rule.
const PAGE: &str = include_str!("../../../../docs/lint-rules.md");

/// A rule as people look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The name of the rule: `code-gap`.
    pub rule: &'static str,
    /// The usual level of its findings: `Error`, `Warning` or `Note`.
    pub level: &'static str,
    /// The finding, in a sentence.
    pub summary: &'static str,
    /// The reason, an example and the remedy, a line each.
    pub details: &'static str,
    /// True if its findings keep the policy from being read, so that it cannot be turned off.
    pub is_fault: bool,
}

/// A name that no rule has, or that of a rule that cannot be turned off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoSuchRule(String);

/// Returns all rules, in the order of their names.
#[must_use]
pub fn explanations() -> Vec<Explanation> {
    LintRule::ALL.iter().map(|rule| explanation(*rule)).collect()
}

/// Finds the explanation of the rule with this name.
///
/// # Errors
/// No rule has this name. The message proposes the nearest one.
pub fn explain(name: &str) -> Result<Explanation, NoSuchRule> {
    LintRule::named(name).map(explanation).ok_or_else(|| NoSuchRule(unknown(name)))
}

/// Returns the name of a rule that can be turned off.
///
/// # Errors
/// No rule has this name, or its findings keep the policy from being read.
pub fn ignorable(name: &str) -> Result<&'static str, NoSuchRule> {
    let rule = explain(name)?;
    if rule.is_fault { Err(NoSuchRule(unavoidable(rule.rule))) } else { Ok(rule.rule) }
}

/// Returns the message about a name that no rule has.
pub(super) fn unknown(name: &str) -> String {
    let known = LintRule::ALL.iter().map(|rule| rule.name());
    let meant = nearest(name, known).map_or(String::new(), |meant| format!(": did you mean {}?", quoted(meant)));
    format!("no rule has the name {}{meant}", quoted(name))
}

/// Returns the message about a rule that cannot be turned off.
pub(super) fn unavoidable(name: &str) -> String {
    format!("{} cannot be turned off, because such a policy cannot be used", quoted(name))
}

fn explanation(rule: LintRule) -> Explanation {
    let sections = PAGE.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    let text = sections.filter(|(name, _)| *name == rule.name()).map(|(_, text)| text.trim()).next();
    let (first, details) = text.and_then(|text| text.split_once("\n\n")).unwrap_or_default();
    let (level, summary) = first.split_once(": ").unwrap_or_default();
    Explanation { rule: rule.name(), level, summary, details, is_fault: rule.is_fault() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_reason_an_example_and_a_remedy() {
        for Explanation { rule, level, summary, details, .. } in explanations() {
            assert!(["Error", "Warning", "Note"].contains(&level), "{rule}: {level}");
            assert!(summary.ends_with('.') && !summary.contains('\n'), "{rule}: {summary}");
            let parts: Vec<&str> =
                details.lines().filter_map(|line| line.split_once(": ")).map(|(part, _)| part).collect();
            assert_eq!(parts, ["- Why", "- Example", "- Remedy"], "{rule}");
        }
        let on_page = PAGE.matches("\n## ").count();
        assert_eq!(on_page, LintRule::ALL.len(), "the page has no section of a rule that does not exist");
    }

    #[test]
    fn a_misspelled_rule_finds_its_neighbor_and_a_fault_cannot_be_turned_off() {
        assert_eq!(explain("lenght").unwrap_err().to_string(), "no rule has the name `lenght`: did you mean `length`?");
        assert_eq!(ignorable("length"), Ok("length"));
        assert!(ignorable("syntax").unwrap_err().to_string().contains("cannot be turned off"));
    }
}
