//! The summary of a run, for people and for programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use magistrate::files;
use magistrate::label::row::RowVerdict;
use magistrate::label::summary::{StopReason, Summary};
use magistrate::verdict::MIN_MASS;

use super::{exit, output};

/// The summary of a run, and its seconds.
#[derive(serde::Serialize)]
pub struct Timed {
    #[serde(flatten)]
    pub summary: Summary,
    pub seconds: f64,
}

/// The end of a run, for its summary.
#[derive(Default)]
pub struct Ending<'run> {
    /// The verdict whose lines were printed.
    pub only: Option<RowVerdict>,
    /// Printed if the run was stopped.
    pub hint: Option<String>,
    /// The file of the summary as JSON.
    pub file: Option<&'run Path>,
    /// The files of the output.
    pub outputs: Vec<PathBuf>,
}

/// Prints the summary, and returns the exit code.
pub fn finish(timed: &Timed, ending: Ending<'_>) -> Result<ExitCode, anyhow::Error> {
    if let Some(path) = ending.file {
        write_json(path, &format!("{}\n", serde_json::to_string(timed)?))?;
    }
    sum_up(timed, &ending.outputs);
    if let Some(hint) = ending.hint.filter(|_| timed.summary.ended == Some(StopReason::Stopped)) {
        output::message(&hint);
    }
    Ok(ExitCode::from(exit::of_run(&timed.summary, ending.only)))
}

/// Writes JSON to a file, or to stdout for `-`.
pub fn write_json(path: &Path, json: &str) -> Result<(), anyhow::Error> {
    if path.as_os_str() == "-" {
        return output::data(json);
    }
    files::write(path, json.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}

/// Prints the summary on stderr.
fn sum_up(timed: &Timed, outputs: &[PathBuf]) {
    let (summary, done) = (&timed.summary, timed.summary.rows());
    let stopped = match summary.ended {
        Some(StopReason::Closed) => return,
        Some(StopReason::Stopped) => "stopped after ",
        None => "",
    };
    let table = table(summary, output::is_verbose());
    if !table.is_empty() {
        output::summary(&table);
    }
    let new = done - summary.resumed;
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = match new {
        0 if done > 0 => "; nothing was left to judge".to_owned(),
        0 => format!("; {:.1} s", timed.seconds),
        new => format!("; {:.1} s, {:.1} rows/s", timed.seconds, new as f64 / timed.seconds.max(1e-9)),
    };
    output::summary(&format!("{stopped}{}{rate}{}", counts(summary), written(outputs)));
}

/// Returns the number of rows, and of each verdict.
pub fn counts(summary: &Summary) -> String {
    let order = [RowVerdict::Violation, RowVerdict::Review, RowVerdict::Safe, RowVerdict::Undecided];
    let counts: Vec<String> = order
        .into_iter()
        .filter(|verdict| summary.of(*verdict) > 0)
        .map(|verdict| format!("{} {}", summary.of(verdict), verdict.word()))
        .collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{}{counts}", rows(summary.rows()))
}

/// Names the files of an output, for the end of a sentence.
pub fn written(outputs: &[PathBuf]) -> String {
    if outputs.is_empty() {
        return String::new();
    }
    let names: Vec<String> = outputs.iter().map(|path| path.display().to_string()).collect();
    format!("; written to {}", names.join(", "))
}

fn rows(count: u64) -> String {
    format!("{count} {}", if count == 1 { "row" } else { "rows" })
}

fn verdicts(count: u64) -> String {
    format!("{count} {}", if count == 1 { "verdict" } else { "verdicts" })
}

/// Lists the reasons for undecided rows, with a count for each.
pub fn reasons(counts: &BTreeMap<String, u64>) -> String {
    let reasons = counts.iter().map(|(code, count)| format!("{count} {code} ({})", explained(code).1));
    reasons.collect::<Vec<_>>().join(", ")
}

/// Returns the words before a reason, and the reason in words.
pub fn explained(code: &str) -> (&'static str, &str) {
    let unresolved = "without a verdict";
    let defect = "not judged";
    match code {
        "off-contract" => (unresolved, "too little of the probability is on allowed answers: see --min-mass"),
        "untrained" => (unresolved, "the built-in model was not trained for the policy: name a real one with --model"),
        "no-final" | "truncated" | "conflict" | "malformed" | "unparsed" => (unresolved, code),
        "not-utf8" => (defect, "not UTF-8"),
        "nul" => (defect, "the text has a NUL byte"),
        "empty" => (defect, "the text is empty"),
        "too-long" => (defect, "too long: see --chunk"),
        "too-large" => (defect, "the record is too large"),
        "not-json" => (defect, "not JSON"),
        "not-an-object" => (defect, "not a JSON object"),
        "duplicate-text" => (defect, "two texts in a record"),
        "wrong-type" => (defect, "the text is no string"),
        "missing-text" => (defect, "the column of the text is missing"),
        "missing-id" => (defect, "the column of the id is missing"),
        "fields" => (defect, "another number of fields than the header"),
        "quote" => (defect, "a broken quote"),
        "unclosed-quote" => (defect, "a quote is not closed"),
        "not-a-request" | "not-text" | "several-inputs" => (defect, "no request with a single text"),
        "unreadable" => (defect, "the record cannot be read"),
        "fault" | "engine" => (defect, "the engine failed; the same command judges them again"),
        other => (unresolved, other),
    }
}

/// Returns the counts by category, a line each, and the counts beside the verdicts. `verbose` adds the tokens.
pub fn table(summary: &Summary, verbose: bool) -> String {
    let mut lines = Vec::new();
    for (policy, counts) in &summary.policies {
        lines.push(policy.clone());
        lines.extend(categories(summary, policy, counts));
    }
    for (code, count) in &summary.reasons {
        let (before, reason) = explained(code);
        lines.push(format!("{} {before}: {reason}", rows(*count)));
    }
    let aside = beside(summary, verbose);
    let width = aside.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.extend(aside.iter().map(|(name, what)| format!("{name:width$}  {what}")));
    lines.join("\n")
}

/// Returns a line for each category of a policy, with its title, its count and its share: violations first, and the most
/// frequent first.
fn categories(summary: &Summary, policy: &str, counts: &BTreeMap<String, u64>) -> Vec<String> {
    let name = |key: &str| match key.split_once(' ') {
        Some((verdict, code)) => {
            let title = summary.title(policy, code).map_or(String::new(), |title| format!(" {title}"));
            if verdict == "violation" { format!("{code}{title}") } else { format!("{verdict}: {code}{title}") }
        }
        None if key == "undecided" => "no verdict".to_owned(),
        None => key.to_owned(),
    };
    let rank = |key: &str| ["violation", "review", "safe", "undecided"].iter().position(|word| key.starts_with(word));
    let mut entries: Vec<(&String, u64)> = counts.iter().map(|(key, count)| (key, *count)).collect();
    entries.sort_by_key(|(key, count)| (rank(key), std::cmp::Reverse(*count)));
    let all: u64 = counts.values().sum();
    let entries: Vec<(String, u64)> = entries.into_iter().map(|(key, count)| (name(key), count)).collect();
    let width = entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let digits = all.to_string().len();
    #[allow(clippy::cast_precision_loss, reason = "a share for people")]
    let line = |(name, count): &(String, u64)| {
        format!("  {name:width$}  {count:>digits$}  {:>5.1} %", *count as f64 * 100.0 / all as f64)
    };
    entries.iter().map(line).collect()
}

/// Returns the counts beside the verdicts, by name.
fn beside(summary: &Summary, verbose: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if summary.low_mass > 0 {
        let share = format!("with less than {MIN_MASS} of the probability on allowed answers");
        lines.push(("mass", format!("{} {share}", verdicts(summary.low_mass))));
    }
    let tokens = summary.tokens;
    if verbose && tokens.all() > 0 {
        let parts = [
            (tokens.content, "of texts"),
            (tokens.reasoning, "reasoning"),
            (tokens.probes, "at rungs"),
            (tokens.answer, "answers"),
            (tokens.rationale, "rationale"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        lines.push(("tokens", parts.join(", ")));
    }
    if summary.cascaded > 0 {
        lines.push(("cascade", format!("{} of {} escalated", summary.escalated, summary.cascaded)));
    }
    if summary.sure > 0 {
        lines.push(("sure", format!("{} of {} before the end of their reasoning", summary.sure, summary.reasoned)));
    }
    if summary.reused > 0 {
        lines.push(("reused", format!("{} with a text that was judged already", rows(summary.reused))));
    }
    if summary.resumed > 0 {
        lines.push(("resumed", format!("{} already done", rows(summary.resumed))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_have_a_line_each_with_title_and_share() {
        let counts = [("safe", 1774), ("violation SP2.a", 135), ("violation SP3.b", 73), ("undecided", 18)];
        let counts: BTreeMap<String, u64> = counts.map(|(key, count)| (key.to_owned(), count)).into();
        let titles = [("SP2.a", "Cold promotion"), ("SP3.b", "Bait")].map(|(code, title)| (code.into(), title.into()));
        let mut summary = Summary { titles: [("spam".to_owned(), titles.into())].into(), ..Summary::default() };
        summary.policies.insert("spam".to_owned(), counts);
        summary.reasons.insert("not-utf8".to_owned(), 18);
        (summary.resumed, summary.tokens.content) = (60, 9);
        let expected = [
            "spam",
            "  SP2.a Cold promotion   135    6.8 %",
            "  SP3.b Bait              73    3.6 %",
            "  safe                  1774   88.7 %",
            "  no verdict              18    0.9 %",
            "18 rows not judged: not UTF-8",
            "resumed  60 rows already done",
        ];
        assert_eq!(table(&summary, false), expected.join("\n"));
        assert!(table(&summary, true).contains("\ntokens   9 of texts\n"));
    }
}
