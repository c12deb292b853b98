//! `label --dry-run`: estimates the time and the memory of a run.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use magistrate::engine::Engine;
use magistrate::label::entry::OutputForm;
use magistrate::label::journal::Past;
use magistrate::label::judge::Judge;
use magistrate::label::memo::Memo;
use magistrate::label::run::{EarlierVerdicts, Run, Settings, run};
use magistrate::label::sink::Rows;
use magistrate::label::source::Source;
use magistrate::label::survey::Survey;
use magistrate::machine::peak_memory;
use serde::Serialize;

use crate::cli::terminal::{exit, output, progress, summary};

/// The least and the most texts that are measured.
const LEAST: usize = 16;
const MOST: usize = 64;

#[derive(Serialize)]
struct Estimate {
    #[serde(flatten)]
    survey: Survey,
    measured: Measured,
    /// Seconds that all texts would take.
    seconds: f64,
    rows_per_second: f64,
    /// Peak memory so far in bytes, with the model and its context.
    memory: Option<u64>,
}

#[derive(Serialize)]
struct Measured {
    texts: usize,
    seconds: f64,
}

/// Counts, measures, and prints the estimate.
pub fn run_sample(
    engine: &Engine,
    judges: &[Judge<'_>],
    source: Source,
    settings: &Settings,
    file: Option<&Path>,
) -> Result<ExitCode, anyhow::Error> {
    let survey = progress::waiting("counting", || {
        Survey::of(source, engine.tokenizer(), settings.shard, (2 * engine.window()).clamp(LEAST, MOST))
    });
    let mut survey = survey.context("the input cannot be read")?;
    let sample = std::mem::take(&mut survey.sample);
    let texts = sample.len();
    let earlier = EarlierVerdicts { past: Past::none(), memo: Memo::off() };
    let form = OutputForm::default();
    let mut sink = Rows { output: std::io::sink(), form };
    let begun = Instant::now();
    let measured_run = progress::waiting("measuring", || {
        run(Run { engine, judges, settings, earlier }, sample.into_iter().map(Ok), &mut sink, &mut |_| ())
    })?;
    if measured_run.ended.is_some() {
        return Ok(ExitCode::from(exit::STOPPED));
    }
    let measured = Measured { texts, seconds: begun.elapsed().as_secs_f64() };
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let estimate = {
        let seconds = measured.seconds / (texts.max(1) as f64) * survey.texts as f64;
        let rows_per_second = survey.rows as f64 / seconds.max(1e-9);
        Estimate { survey, measured, seconds, rows_per_second, memory: peak_memory() }
    };
    if let Some(path) = file {
        summary::write_json(path, &format!("{}\n", serde_json::to_string(&estimate)?))?;
    }
    if file.is_none_or(|path| path.as_os_str() != "-") {
        output::print(&table(&estimate))?;
    }
    Ok(ExitCode::from(exit::DONE))
}

fn table(estimate: &Estimate) -> String {
    let Survey { rows, defects, texts, tokens, longest, .. } = &estimate.survey;
    let defective: u64 = defects.values().sum();
    let reasons: Vec<String> =
        defects.iter().map(|(code, count)| format!("{} ({count})", summary::explained(code).1)).collect();
    #[allow(clippy::cast_precision_loss, reason = "an average for people")]
    let mean = *tokens as f64 / (*texts).max(1) as f64;
    let mut text = format!("rows      {rows}\n");
    if defective > 0 {
        text.push_str(&format!("no text   {defective} of them: {}\n", reasons.join(", ")));
    }
    text.push_str(&format!("texts     {texts} distinct texts\n"));
    text.push_str(&format!("tokens    {tokens}, {mean:.0} a text, {longest} the longest\n"));
    text.push_str(&format!("measured  {} texts in {:.1} s\n", estimate.measured.texts, estimate.measured.seconds));
    text.push_str(&format!("time      about {}, {:.1} rows/s\n", duration(estimate.seconds), estimate.rows_per_second));
    if let Some(bytes) = estimate.memory {
        text.push_str(&format!("memory    {} MB\n", bytes / 1_000_000));
    }
    text
}

/// Returns a time in its two largest units.
fn duration(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is not negative, and rounded")]
    let all = seconds.ceil() as u64;
    let parts = [(all / 86_400, "d"), (all / 3600 % 24, "h"), (all / 60 % 60, "min"), (all % 60, "s")];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_time_has_two_units() {
        for (seconds, expect) in
            [(0.0, "0 s"), (0.2, "1 s"), (59.5, "1 min 0 s"), (3_661.0, "1 h 1 min"), (200_000.0, "2 d 7 h")]
        {
            assert_eq!(duration(seconds), expect);
        }
    }
}
