//! `label`: a stream of texts, a row for each; or those texts of it that stand so, as grep would.

use std::io::BufWriter;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use magistrate::label::row::Printed;
use magistrate::label::run::{Judge, News, Settings, run};
use magistrate::label::summary::{Ended, Standing, Summary};

use super::judging::JudgingArgs;
use super::progress::Rows;
use super::stream::StreamArgs;
use super::{PolicyArgs, exit, output, stop};

#[derive(Debug, Args)]
pub struct Label {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    stream: StreamArgs,

    /// Print no rows but the input lines that stand so under the policies, unchanged
    #[arg(long, value_name = "WHICH")]
    only: Option<Only>,

    /// Print the JSON Schema of a row, and judge nothing
    #[arg(long, exclusive = true)]
    schema: bool,

    #[command(flatten)]
    judging: JudgingArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// A violation of at least one policy
    Violation,
    /// Safe under all
    Safe,
    /// For review under at least one, and no worse under any
    Review,
    /// No violation, and without a verdict under at least one
    Undecided,
}

impl Label {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.schema {
            output::print(&format!("{:#}\n", schema()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let policies = self.policy.load()?;
        let mut judging = self.judging.resolve(&policies)?;
        // Nobody sees it.
        judging.options.no_rationale |= self.only.is_some();
        let stream = self.stream.open()?;

        let engine = judging.load()?;
        let judges = policies
            .iter()
            .map(|policy| {
                let session = judging.session(&engine, policy)?;
                Ok(Judge { session, provenance: judging.provenance(&engine, policy) })
            })
            .collect::<Result<Vec<_>, anyhow::Error>>()?;

        let only = self.only.map(Standing::from);
        let settings =
            Settings { only, chunking: judging.chunking, reasoning: judging.reasoning, stop: stop::on_signal()? };
        let mut teller = Teller {
            name: &stream.name,
            bar: Rows::new(stream.size, stream.to_terminal),
            only: only.is_some(),
            defects: 0,
        };
        let begun = Instant::now();
        let mut output = BufWriter::new(stream.output);
        let summary = run(&engine, &judges, stream.records, &settings, &mut output, &mut |news| teller.tell(&news));
        teller.bar.clear();
        let summary = summary.with_context(|| stream.name.clone())?;
        sum_up(&summary, begun.elapsed().as_secs_f64());
        Ok(code(&summary, only))
    }
}

/// The exit code: as grep's where input lines are let through, else whether every row has a verdict.
fn code(summary: &Summary, only: Option<Standing>) -> ExitCode {
    let undecided = summary.of(Standing::Undecided) > 0;
    ExitCode::from(match (summary.ended, only) {
        (Some(Ended::Stopped), _) => exit::STOPPED,
        (None, None) if undecided => exit::UNDECIDED,
        (Some(Ended::Closed), _) | (None, None) => exit::DONE,
        (None, Some(_)) if summary.written > 0 => exit::FOUND,
        // That there is none is known only if all were judged.
        (None, Some(_)) if undecided => exit::ERROR,
        (None, Some(_)) => exit::NONE_FOUND,
    })
}

/// Says on stderr what came of it all.
fn sum_up(summary: &Summary, seconds: f64) {
    let rows = summary.rows();
    let stopped = match summary.ended {
        Some(Ended::Closed) => return,
        Some(Ended::Stopped) => "stopped after ",
        None => "",
    };
    let words = [
        (Standing::Violation, "violation"),
        (Standing::Review, "review"),
        (Standing::Safe, "safe"),
        (Standing::Undecided, "undecided"),
    ];
    let counts: Vec<String> = words
        .into_iter()
        .filter(|(standing, _)| summary.of(*standing) > 0)
        .map(|(standing, word)| format!("{} {word}", summary.of(standing)))
        .collect();
    let reasons: Vec<String> = summary.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let counts = if counts.is_empty() { String::new() } else { format!(": {}{reasons}", counts.join(", ")) };
    let noun = if rows == 1 { "row" } else { "rows" };
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = rows as f64 / seconds.max(1e-9);
    let escalated = match summary.cascaded {
        0 => String::new(),
        all => format!("; {} of {all} escalated", summary.escalated),
    };
    output::say(&format!("{stopped}{rows} {noun}{counts}{escalated}; {seconds:.1} s, {rate:.1} rows/s"));
}

/// Says what happens on the way, without disturbing the bar.
struct Teller<'run> {
    name: &'run str,
    bar: Rows,
    only: bool,
    defects: u32,
}

impl Teller<'_> {
    fn tell(&mut self, news: &News<'_>) {
        const SHOWN: u32 = 5;
        match news {
            News::Done(summary) => self.bar.show(summary.rows(), summary.bytes),
            News::Renamed(renamed) => {
                let text = format!("note: the input's column `{}` is `{}` in the output", renamed.from, renamed.to);
                self.bar.aside(|| output::say(&text));
            }
            // Rows say it themselves; where there are none, somebody must.
            News::Defect(defect) if self.only => {
                self.defects += 1;
                let text = match self.defects {
                    0..=SHOWN => format!("warning: {}: {defect}", self.name),
                    _ if self.defects == SHOWN + 1 => "warning: and more; the count comes at the end".to_owned(),
                    _ => return,
                };
                self.bar.aside(|| output::say(&text));
            }
            News::Defect(_) => {}
        }
    }
}

/// The schema of a row: what `check --json` prints, and the input's own columns.
fn schema() -> serde_json::Value {
    let mut schema = Printed::schema("magistrate label");
    let columns = "One line of the output. Columns of the input stand beside these; one that has the name of one of these \
        has `input_` before it.";
    schema.insert("description".to_owned(), columns.into());
    schema.to_value()
}

impl From<Only> for Standing {
    fn from(only: Only) -> Self {
        match only {
            Only::Violation => Self::Violation,
            Only::Safe => Self::Safe,
            Only::Review => Self::Review,
            Only::Undecided => Self::Undecided,
        }
    }
}
