//! The linter: what is known to weaken a policy, or to break the replies to it.
//!
//! The one idea: a rule is a name, a level and a function; it looks at the parts of one policy and reports places. What is
//! wrong so that there is no policy at all is reported under the same roof.
//!
//! The rules come from OpenAI's guide to gpt-oss-safeguard
//! (<https://cookbook.openai.com/articles/gpt-oss-safeguard-guide>) and from what was seen to break replies.

mod answers;
mod cases;
pub(super) mod codes;
mod hidden;
mod length;
mod placeholders;
mod words;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::error::{PolicyError, PolicyErrorKind};
use super::file::Document;
use super::report::{Place, Report};
use super::{Notation, Policy, yaml};

/// Something that a policy's author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    rule: &'static str,
    level: Level,
    report: Report,
    fixes: Vec<Fix>,
    /// Further findings of the same rule on the same line.
    more: usize,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Replies will break, or the policy contradicts itself.
    Error,
    /// Verdicts are likely to be worse for it.
    Warning,
    /// Good to know.
    Note,
}

/// A change of the source that mends a finding: bytes from, to, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fix {
    from: usize,
    to: usize,
    with: String,
}

/// How long a policy is, and how long it can be.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Tokens of the instructions that the model reads.
    pub tokens: usize,
    /// Whether they were counted with a model's own vocabulary, rather than estimated.
    pub exact: bool,
    /// Tokens of the context that the policy is to leave room in.
    pub context: usize,
}

/// Checks a policy. Findings call it `name`, whose ending may also tell its notation. Without a `length`, the length is
/// not checked.
#[must_use]
pub fn lint(name: &str, source: &str, length: impl FnOnce(&Policy) -> Option<Length>) -> Vec<Finding> {
    let mut findings = Findings::new(name, source);
    words::of_source(&mut findings);
    let policy = if Notation::of(name, source) == Notation::Plain {
        answers::of_plain(&mut findings);
        placeholders::of_plain(&mut findings);
        Policy::from_plain("plain", source, None).map_err(|error| error.named(name))
    } else {
        yaml::parse(name, source).and_then(|file| {
            let policy = super::check::policy(name, source, &file)?;
            words::of_texts(&mut findings, &file);
            placeholders::of_parts(&mut findings, &file);
            codes::check(&mut findings, &file, &policy);
            cases::check(&mut findings, &file);
            answers::of_labels(&mut findings, &file, &policy);
            Ok(policy)
        })
    };
    match policy {
        Ok(policy) => length::check(&mut findings, &policy, length(&policy)),
        Err(error) => findings.found.push(Finding::of_error(error)),
    }
    let mut found = findings.found;
    for finding in found.iter_mut().filter(|finding| finding.more > 0) {
        finding.report.message.push_str(&format!(" (and {} more on this line)", finding.more));
    }
    found.sort_by_key(|finding| (finding.line().unwrap_or(0), finding.column().unwrap_or(0), finding.level));
    found
}

/// The source with all that is mechanical mended, and how many findings that were.
#[must_use]
pub fn fixed(source: &str, findings: &[Finding]) -> (String, usize) {
    let mut fixes: Vec<&Fix> = findings.iter().flat_map(|finding| &finding.fixes).collect();
    fixes.sort_by_key(|fix| (fix.from, fix.to));
    let (mut text, mut done, mut count) = (String::with_capacity(source.len()), 0, 0);
    for Fix { from, to, with } in fixes {
        if *from >= done {
            text.push_str(&source[done..*from]);
            text.push_str(with);
            (done, count) = (*to, count + 1);
        }
    }
    text.push_str(&source[done..]);
    (text, count)
}

/// What is found, and where it is looked for.
struct Findings<'a> {
    name: &'a str,
    source: &'a str,
    /// The lines, each with the offset of its first byte.
    lines: Vec<(usize, &'a str)>,
    found: Vec<Finding>,
    /// The index of a rule's finding on a line.
    known: HashMap<(&'static str, usize), usize>,
}

impl<'a> Findings<'a> {
    fn new(name: &'a str, source: &'a str) -> Self {
        let mut start = 0;
        let lines = source.split_inclusive('\n').map(|line| {
            let at = start;
            start += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            (at, line.strip_suffix('\r').unwrap_or(line))
        });
        Self { name, source, lines: lines.collect(), found: Vec::new(), known: HashMap::new() }
    }

    fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.source.lines()
    }

    /// Adds a finding. A second finding of the same rule on the same line only raises the count of the first.
    fn add(&mut self, rule: &'static str, level: Level, place: Place, message: impl fmt::Display) -> &mut Finding {
        let next = self.found.len();
        let index = if place.line == 0 { next } else { *self.known.entry((rule, place.line)).or_insert(next) };
        if index < next {
            self.found[index].more += 1;
        } else {
            let mut report = Report::new(message.to_string());
            report.named(self.name);
            if place.line > 0 {
                let line = self.lines.get(place.line - 1).map_or("", |(_, line)| line);
                report.at_line(line, place);
            }
            self.found.push(Finding { rule, level, report, fixes: Vec::new(), more: 0 });
        }
        &mut self.found[index]
    }

    /// Reports whether a rule has a finding on a line already.
    fn has(&self, rule: &'static str, line: usize) -> bool {
        self.known.contains_key(&(rule, line))
    }

    /// Returns the place of a word for a rule. Skips the search if the line already has a finding of that rule.
    fn place_of(&self, rule: &'static str, from: Place, word: &str) -> Place {
        if self.known.contains_key(&(rule, from.line)) { from } else { self.find(from, word) }
    }

    /// Where a word stands in the source, from a place on; the place itself if it cannot be told.
    fn find(&self, from: Place, word: &str) -> Place {
        let lines = self.lines.iter().enumerate().skip(from.line.saturating_sub(1));
        for (index, (_, line)) in lines.take(LINES) {
            let start = if index + 1 == from.line { byte_of(line, from.column) } else { 0 };
            let line = &line[..line.floor_char_boundary(start + LONGEST)];
            let lower = line[start..].to_lowercase();
            if lower.len() == line.len() - start
                && let Some(at) = word_in(&lower, word)
                && line.is_char_boundary(start + at)
            {
                let column = line[..start + at].chars().count() + 1;
                return Place { line: index + 1, column, width: word.chars().count() };
            }
        }
        from
    }

    /// The byte at which a line begins.
    fn byte_of_line(&self, line: usize) -> usize {
        self.lines.get(line.saturating_sub(1)).map_or(self.source.len(), |(at, _)| *at)
    }
}

/// Lines of a text that are searched for a word of it.
const LINES: usize = 40;

/// The most bytes of such a line.
const LONGEST: usize = 4_000;

fn byte_of(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at)
}

/// Where a word stands by itself in a text; both are in lower case.
fn word_in(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let free = |char: Option<char>| char.is_none_or(|char| !char.is_alphanumeric());
        free(text[..*at].chars().next_back()) && free(text[at + word.len()..].chars().next())
    })
}

impl Finding {
    fn of_error(error: PolicyError) -> Self {
        let rule = match error.kind() {
            PolicyErrorKind::NoContract => "no-contract",
            PolicyErrorKind::TwoContracts => "two-contracts",
            PolicyErrorKind::Labels => "labels",
            PolicyErrorKind::UnknownKey => "unknown-key",
            PolicyErrorKind::MissingKey => "missing-key",
            PolicyErrorKind::DuplicateKey => "duplicate-key",
            PolicyErrorKind::Syntax | PolicyErrorKind::Encoding => "syntax",
            _ => "value",
        };
        Self { rule, level: Level::Error, report: error.into_report(), fixes: Vec::new(), more: 0 }
    }

    fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.report.hint = Some(hint.into());
        self
    }

    fn fix(&mut self, from: usize, to: usize, with: impl Into<String>) {
        self.fixes.push(Fix { from, to, with: with.into() });
    }

    /// The rule's name.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// How bad it is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// What was found, in a line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.report.message
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.report.hint.as_deref()
    }

    /// The line, from 1. `None` if it is about the whole.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.report.excerpts.first().map(|excerpt| excerpt.place.line)
    }

    /// The column, from 1 in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.report.excerpts.first().map(|excerpt| excerpt.place.column)
    }

    /// Returns the number of places that [`fixed`] changes for this finding.
    #[must_use]
    pub fn mends(&self) -> usize {
        self.fixes.len()
    }

    /// Whether [`fixed`] mends it.
    #[must_use]
    pub fn is_mechanical(&self) -> bool {
        !self.fixes.is_empty()
    }
}

impl fmt::Display for Finding {
    /// As rustc would have it: what, where, the line, and what helps.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}[{}]: {}", self.level, self.rule, self.report)
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

/// The texts of a policy that the model reads as rules, examples not among them.
fn texts(file: &Document) -> impl Iterator<Item = &super::file::Text> {
    let definitions = file.definitions.0.iter().map(|(_, meaning)| meaning);
    let criteria = file.categories.value.iter().flat_map(|category| &category.criteria);
    std::iter::once(&file.instruction)
        .chain(definitions)
        .chain(criteria)
        .chain(&file.precedence)
        .chain(&file.ambiguity)
        .chain(&file.escalation)
}
