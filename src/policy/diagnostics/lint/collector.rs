//! The collector of findings, and the search for their places in the source.

use std::collections::HashMap;
use std::fmt;

use super::finding::{Finding, Level};
use super::rule::LintRule;
use crate::policy::diagnostics::error::PolicyError;
use crate::policy::diagnostics::report::{Report, Span};
use crate::policy::read::document::Document;
use crate::policy::read::yaml::Text;

/// The most lines of a text that are searched for a word of it.
const LINES: usize = 40;

/// The most bytes of such a line that are searched.
const LONGEST: usize = 4_000;

/// The findings in one source.
pub(super) struct Collector<'a> {
    name: &'a str,
    pub source: &'a str,
    /// The lines, each with the offset of its first byte.
    lines: Vec<(usize, &'a str)>,
    findings: Vec<Finding>,
    /// The index of a rule's finding on a line.
    by_line: HashMap<(LintRule, usize), usize>,
}

impl<'a> Collector<'a> {
    pub fn new(name: &'a str, source: &'a str) -> Self {
        let mut start = 0;
        let lines = source.split_inclusive('\n').map(|line| {
            let at = start;
            start += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            (at, line.strip_suffix('\r').unwrap_or(line))
        });
        Self { name, source, lines: lines.collect(), findings: Vec::new(), by_line: HashMap::new() }
    }

    pub fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.source.lines()
    }

    /// Adds a finding. A second finding of the same rule on the same line only raises the count of the first.
    pub fn add(&mut self, rule: LintRule, level: Level, span: Span, message: impl fmt::Display) -> &mut Finding {
        let next = self.findings.len();
        let index = if span.line == 0 { next } else { *self.by_line.entry((rule, span.line)).or_insert(next) };
        if index < next {
            self.findings[index].count_another();
        } else {
            let mut report = Report::new(message.to_string());
            report.set_name(self.name);
            if span.line > 0 {
                let line = self.lines.get(span.line - 1).map_or("", |(_, line)| line);
                report.add_line(line, span);
            }
            self.findings.push(Finding::new(rule, level, report));
        }
        &mut self.findings[index]
    }

    pub fn add_error(&mut self, error: PolicyError) {
        self.findings.push(Finding::from_error(error));
    }

    /// Keeps the findings for which `keep` returns true. It gets the rule, and the line if the finding has one.
    pub fn retain(&mut self, mut keep: impl FnMut(LintRule, Option<usize>) -> bool) {
        self.findings.retain(|finding| keep(finding.lint_rule(), finding.line()));
        // The places of the others have changed.
        self.by_line.clear();
    }

    /// Reports whether a finding keeps the policy from being read.
    pub fn has_fault(&self) -> bool {
        self.findings.iter().any(|finding| finding.lint_rule().is_fault())
    }

    /// Returns the findings in the order of their places.
    pub fn sorted(mut self) -> Vec<Finding> {
        self.findings.iter_mut().for_each(Finding::finish);
        self.findings
            .sort_by_key(|finding| (finding.line().unwrap_or(0), finding.column().unwrap_or(0), finding.level()));
        self.findings
    }

    /// Reports whether a rule has a finding on a line already.
    pub fn has(&self, rule: LintRule, line: usize) -> bool {
        self.by_line.contains_key(&(rule, line))
    }

    /// Returns the place of a word for a rule. Skips the search if the line already has a finding of that rule.
    pub fn find_for(&self, rule: LintRule, from: Span, word: &str) -> Span {
        if self.has(rule, from.line) { from } else { self.find(from, word) }
    }

    /// Returns the place of a word in the source, searched from a place on. Returns that place if the word is not found.
    pub fn find(&self, from: Span, word: &str) -> Span {
        let lines = self.lines.iter().enumerate().skip(from.line.saturating_sub(1));
        for (index, (_, line)) in lines.take(LINES) {
            let start = if index + 1 == from.line { byte_of(line, from.column) } else { 0 };
            let line = &line[..line.floor_char_boundary(start + LONGEST)];
            let lower = line[start..].to_lowercase();
            // Some letters change their length with their case; then offsets in `lower` mean nothing in `line`.
            if lower.len() == line.len() - start
                && let Some(at) = find_word(&lower, word)
                && line.is_char_boundary(start + at)
            {
                let column = line[..start + at].chars().count() + 1;
                return Span { line: index + 1, column, width: word.chars().count() };
            }
        }
        from
    }

    /// Returns the byte at which a line begins, counted from 1.
    pub fn byte_of_line(&self, line: usize) -> usize {
        self.lines.get(line.saturating_sub(1)).map_or(self.source.len(), |(at, _)| *at)
    }
}

fn byte_of(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at)
}

/// Returns the first byte of a whole word in a text. Both are in lower case.
pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let free = |char: Option<char>| char.is_none_or(|char| !char.is_alphanumeric());
        free(text[..*at].chars().next_back()) && free(text[at + word.len()..].chars().next())
    })
}

/// Returns the texts of a policy that the model reads as rules. Examples are not among them.
pub(super) fn rule_texts(file: &Document) -> impl Iterator<Item = &Text> {
    let definitions = file.definitions.0.iter().map(|(_, meaning)| meaning);
    let criteria = file.categories.value.iter().flat_map(|category| &category.criteria);
    std::iter::once(&file.instruction)
        .chain(definitions)
        .chain(criteria)
        .chain(&file.precedence)
        .chain(&file.ambiguity)
        .chain(&file.escalation)
}
