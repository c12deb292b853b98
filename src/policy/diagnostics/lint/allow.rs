//! Comments that turn rules off: `# lint: allow(length)` in YAML, `<!-- lint: allow(length) -->` in a text.
//!
//! The one idea: a comment on a line of its own holds for the whole file, and one behind other words for its line. A
//! comment without effect is a finding itself.

use super::collector::Collector;
use super::explanation::{unavoidable, unknown};
use super::finding::Level;
use super::rule::LintRule;
use crate::policy::Notation;
use crate::policy::diagnostics::quoting::{listed, quoted};
use crate::policy::diagnostics::report::Span;

/// A comment that turns rules off.
struct Allow<'a> {
    span: Span,
    /// True if it holds for the whole file.
    whole: bool,
    /// The names in it. `None` if it cannot be read.
    names: Option<Vec<&'a str>>,
}

/// Removes the findings that comments allow, and reports comments without effect.
pub(super) fn apply(findings: &mut Collector<'_>, notation: Notation) {
    let allows = allows(findings, notation);
    if allows.is_empty() {
        return;
    }
    let mut used = vec![Vec::new(); allows.len()];
    findings.retain(|rule, line| {
        let name = rule.name();
        let allowing = allows.iter().enumerate().filter(|(_, allow)| {
            (allow.whole || line == Some(allow.span.line)) && allow.names.iter().flatten().any(|other| *other == name)
        });
        let mut allowed = false;
        for (index, _) in allowing {
            used[index].push(name);
            allowed = true;
        }
        rule.is_fault() || !allowed
    });
    // Rules that never ran have found nothing, which is no fault of the comment.
    let unread = findings.has_fault();
    for (allow, used) in allows.iter().zip(&used) {
        report(findings, allow, used, unread);
    }
}

fn report(findings: &mut Collector<'_>, allow: &Allow<'_>, used: &[&str], unread: bool) {
    let Some(names) = &allow.names else {
        findings
            .add(LintRule::UnknownAllow, Level::Warning, allow.span, "this comment cannot be read, and has no effect")
            .with_hint("write: lint: allow(RULE, RULE)");
        return;
    };
    let mut unused = Vec::new();
    for name in names {
        let message = match LintRule::named(name) {
            None => unknown(name),
            Some(rule) if rule.is_fault() => unavoidable(name),
            Some(_) => {
                if !used.contains(name) && !unread {
                    unused.push(quoted(name));
                }
                continue;
            }
        };
        findings
            .add(LintRule::UnknownAllow, Level::Warning, allow.span, message)
            .with_hint("delete the name from the comment, or correct it");
    }
    if !unused.is_empty() {
        let place = if allow.whole { "in this file" } else { "on this line" };
        let message = format!("no finding of {} {place}", listed(&unused));
        findings
            .add(LintRule::UnusedAllow, Level::Warning, allow.span, message)
            .with_hint("delete the comment: it would hide a later finding");
    }
}

/// Finds the comments of a source.
fn allows<'a>(findings: &Collector<'a>, notation: Notation) -> Vec<Allow<'a>> {
    let (open, close) = match notation {
        Notation::Yaml => ("#", ""),
        Notation::Plain => ("<!--", "-->"),
    };
    findings.lines().enumerate().filter_map(|(index, line)| allow(index + 1, line, open, close)).collect()
}

/// Reads the comment of a line, if it is about lint.
fn allow<'a>(number: usize, line: &'a str, open: &str, close: &str) -> Option<Allow<'a>> {
    let mut starts = line.match_indices(open).map(|(at, _)| at);
    let (at, words) = starts.find_map(|at| {
        let free = line[..at].chars().next_back().is_none_or(char::is_whitespace);
        let words = line[at + open.len()..].trim_start().strip_prefix("lint:").filter(|_| free)?;
        Some((at, words.trim_end().strip_suffix(close).unwrap_or(words)))
    })?;
    let names = words.trim().strip_prefix("allow(").and_then(|rest| rest.split_once(')')).map(|(names, _)| names);
    let names = names.map(|names| names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect());
    let names = names.filter(|names: &Vec<&str>| !names.is_empty());
    let width = line[at..].trim_end().chars().count();
    let span = Span { line: number, column: line[..at].chars().count() + 1, width };
    Some(Allow { span, whole: line[..at].trim().is_empty(), names })
}
