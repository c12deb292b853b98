//! The screen of `dev`: the findings of the linter, flips, the surest errors and the counts of a version.
//!
//! On a terminal each version begins on a cleared screen. Elsewhere each version is a block of lines.

use std::path::PathBuf;

use magistrate::eval::comparison::Comparison;
use magistrate::eval::golden::Golden;
use magistrate::eval::mistakes::Counts;
use magistrate::eval::{EvaluatedRow, Evaluation, report};
use magistrate::policy::Policy;
use magistrate::policy::lint::{Finding, Level};

use super::watch::Watch;
use crate::cli::terminal::error::{render, with_flags};
use crate::cli::terminal::output::{self, Text};
use crate::cli::terminal::summary;

/// The manner in which versions are shown.
pub struct Screen {
    /// Most errors to show.
    errors: usize,
    /// True if one version is judged, and nothing is waited for.
    once: bool,
}

/// A version whose texts were all judged.
pub struct Judged<'version> {
    pub now: &'version Evaluation,
    /// The version before, on the texts of this one.
    pub before: Option<(&'version Evaluation, Comparison)>,
    /// The number of texts that were judged anew.
    pub anew: usize,
    pub seconds: f64,
}

/// A text whose verdict differs between two versions.
pub struct Flip {
    kind: &'static str,
    style: &'static str,
    before: String,
    now: EvaluatedRow,
}

/// Most errors and warnings of the linter that are shown.
const FINDINGS: usize = 3;
/// Most characters of a text that are shown.
const TEXT: usize = 100;

const GREEN: &str = "1;32";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";

impl Flip {
    /// Compares the verdicts of two versions on a text. Returns `None` if they are the same.
    pub fn of(before: &EvaluatedRow, now: EvaluatedRow) -> Option<Self> {
        if before.verdict == now.verdict {
            return None;
        }
        let (kind, style) = match before.verdict == Some(now.expected.verdict) {
            true => ("broken", RED),
            false if now.is_wrong() => ("still wrong", YELLOW),
            false => ("fixed", GREEN),
        };
        Some(Self { kind, style, before: before.answer(), now })
    }
}

impl Screen {
    pub fn new(errors: usize, once: bool) -> Self {
        Self { errors, once }
    }

    /// Prints the surest errors and the counts of a version.
    pub fn end(&self, judged: &Judged<'_>) -> Result<(), anyhow::Error> {
        let Judged { now, before, anew, seconds } = judged;
        let mut text = Text::default();
        let mistakes = report::mistakes(now, self.errors);
        if !mistakes.is_empty() {
            text.push(format!("\n{mistakes}"));
        }
        text.push("\n");
        text.push_styled(Counts::of(&now.rows).to_string(), "1");
        if let Some((before, _)) = before {
            text.push(format!(" (before: {})", Counts::of(&before.rows)));
        }
        text.push("\n");
        if !now.undecided.is_empty() {
            text.push(format!("undecided: {}\n", summary::reasons(&now.undecided)));
        }
        if let Some((_, comparison)) = before {
            text.push(format!("{} fixed, {} broken; ", comparison.second, comparison.first));
        }
        let known = now.rows.len() - anew;
        let known = if known > 0 { format!(", {known} known") } else { String::new() };
        text.push(format!("{anew} judged{known} in {seconds:.1} s\n"));
        output::print_text(&text)
    }

    /// Prints the files that are watched, on a terminal.
    pub fn watching(&self, watch: &Watch) -> Result<(), anyhow::Error> {
        if self.once || !output::is_terminal() {
            return Ok(());
        }
        let names: Vec<String> = watch.paths().map(|path| path.display().to_string()).collect();
        output::print(&format!("\nwatching {}; Ctrl-C ends\n", names.join(", ")))
    }
}

/// Clears the terminal, and names the files that have changed.
pub fn changed(files: &[PathBuf]) -> Result<(), anyhow::Error> {
    output::clear()?;
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let mut text = Text::default();
    if !output::is_terminal() {
        text.push("\n");
    }
    text.push_styled(format!("changed: {}\n", names.join(", ")), "1");
    output::print_text(&text)
}

/// Prints the head of a version, and the findings of the linter.
pub fn begin(policy: &Policy, name: &str, golden: &Golden, findings: &[Finding]) -> Result<(), anyhow::Error> {
    let mut text = format!("{} on {name}: {} texts\n", policy.id, golden.records.len());
    let (notes, findings): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.level() == Level::Note);
    for finding in findings.iter().take(FINDINGS) {
        text.push_str(&format!("\n{}\n", finding.report(with_flags)));
    }
    let others = findings.len().saturating_sub(FINDINGS) + notes.len();
    if others > 0 {
        let s = if others == 1 { "" } else { "s" };
        text.push_str(&format!("\n{others} other finding{s} of the linter: magistrate policy lint\n"));
    }
    output::print(&text)
}

/// Prints a flip.
pub fn flip(flip: &Flip) -> Result<(), anyhow::Error> {
    let Flip { kind, style, before, now } = flip;
    let mut text = Text::default();
    text.push_styled(format!("{kind:<11}"), style);
    text.push(format!("  {}  {before} -> {}{}\n", now.place(), now.answer(), expected(now)));
    text.push(quoted(&now.text));
    output::print_text(&text)
}

/// Prints an error of a version, and the counts of the last one without an error.
pub fn broken(error: &anyhow::Error, last: Option<&Evaluation>) -> Result<(), anyhow::Error> {
    let mut text = format!("{}\n", render(error));
    if let Some(last) = last {
        text.push_str(&format!("\nthe last good version: {}\n", Counts::of(&last.rows)));
    }
    output::print(&text)
}

/// Returns the expected answer of a wrong row.
fn expected(row: &EvaluatedRow) -> String {
    if row.is_wrong() { format!(", expected {}", row.expected) } else { String::new() }
}

/// Returns a text as one line below its row.
fn quoted(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let more = if line.chars().count() > TEXT { "…" } else { "" };
    format!("    {}{more}\n", line.chars().take(TEXT).collect::<String>())
}
