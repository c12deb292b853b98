//! The summary of a run, for people and for programs.

use std::collections::BTreeMap;
use std::path::Path;
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

/// Prints the summary, and returns the exit code. `hint` is printed if the run was stopped.
pub fn finish(
    timed: &Timed,
    only: Option<RowVerdict>,
    hint: Option<String>,
    file: Option<&Path>,
) -> Result<ExitCode, anyhow::Error> {
    if let Some(path) = file {
        write_json(path, &format!("{}\n", serde_json::to_string(timed)?))?;
    }
    sum_up(timed);
    if let Some(hint) = hint.filter(|_| timed.summary.ended == Some(StopReason::Stopped)) {
        output::message(&hint);
    }
    Ok(ExitCode::from(exit::of_run(&timed.summary, only)))
}

/// Writes JSON to a file, or to stdout for `-`.
pub fn write_json(path: &Path, json: &str) -> Result<(), anyhow::Error> {
    if path.as_os_str() == "-" {
        return output::data(json);
    }
    files::write(path, json.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}

/// Prints the summary on stderr.
fn sum_up(timed: &Timed) {
    let (summary, done) = (&timed.summary, timed.summary.rows());
    let stopped = match summary.ended {
        Some(StopReason::Closed) => return,
        Some(StopReason::Stopped) => "stopped after ",
        None => "",
    };
    let table = table(summary);
    if !table.is_empty() {
        output::summary(&table);
    }
    let order = [RowVerdict::Violation, RowVerdict::Review, RowVerdict::Safe, RowVerdict::Undecided];
    let counts: Vec<String> = order
        .into_iter()
        .filter(|verdict| summary.of(*verdict) > 0)
        .map(|verdict| format!("{} {}", summary.of(verdict), verdict.word()))
        .collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = (done - summary.resumed) as f64 / timed.seconds.max(1e-9);
    output::summary(&format!("{stopped}{}{counts}; {:.1} s, {rate:.1} rows/s", rows(done), timed.seconds));
}

fn rows(count: u64) -> String {
    format!("{count} {}", if count == 1 { "row" } else { "rows" })
}

fn verdicts(count: u64) -> String {
    format!("{count} {}", if count == 1 { "verdict" } else { "verdicts" })
}

/// Lists the reasons for undecided rows, with a count for each.
pub fn reasons(counts: &BTreeMap<String, u64>) -> String {
    let reasons = counts.iter().map(|(code, count)| format!("{count} {code}{}", explained(code)));
    reasons.collect::<Vec<_>>().join(", ")
}

/// Explains a reason in words, where its code does not.
fn explained(code: &str) -> &'static str {
    match code {
        "off-contract" => " (too little of the probability is on allowed answers: see --min-mass)",
        "untrained" => " (the built-in model was not trained for the policy: name a real one with --model)",
        _ => "",
    }
}

/// Returns the counts beside the verdicts, a line for each kind.
pub fn table(summary: &Summary) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let joined = |counts: &BTreeMap<String, u64>| {
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    };
    for (policy, counts) in &summary.policies {
        lines.push((policy.clone(), joined(counts)));
    }
    if !summary.reasons.is_empty() {
        lines.push(("undecided".to_owned(), reasons(&summary.reasons)));
    }
    if summary.low_mass > 0 {
        let share = format!("with less than {MIN_MASS} of the probability on allowed answers");
        lines.push(("mass".to_owned(), format!("{} {share}", verdicts(summary.low_mass))));
    }
    let tokens = summary.tokens;
    if tokens.all() > 0 {
        let parts = [
            (tokens.content, "of texts"),
            (tokens.reasoning, "reasoning"),
            (tokens.answer, "answers"),
            (tokens.rationale, "rationale"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        lines.push(("tokens".to_owned(), parts.join(", ")));
    }
    if summary.cascaded > 0 {
        lines.push(("cascade".to_owned(), format!("{} of {} escalated", summary.escalated, summary.cascaded)));
    }
    if summary.reused > 0 {
        lines.push(("reused".to_owned(), format!("{}, whose text had been judged", rows(summary.reused))));
    }
    if summary.resumed > 0 {
        lines.push(("resumed".to_owned(), format!("{}, which an earlier run had done", rows(summary.resumed))));
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, what)| format!("{name:width$}  {what}")).collect::<Vec<_>>().join("\n")
}
