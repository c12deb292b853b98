//! `check`: one text, one or more policies, a verdict each.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use magistrate::engine::Session;
use magistrate::label::judge::{Judged, Ticket};
use magistrate::label::row::{Printed, Row, Status};
use magistrate::policy::Policy;

use super::input::TextArgs;
use super::judging::JudgingArgs;
use super::{PolicyArgs, exit, output, progress, text};

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    text: TextArgs,

    /// Print one JSON object; several policies stand in `verdicts`, by id
    #[arg(long)]
    json: bool,

    /// Print the JSON Schema of what --json prints, and judge nothing
    #[arg(long, exclusive = true)]
    schema: bool,

    /// Say on stderr how long each step took
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl Check {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.schema {
            output::print(&format!("{:#}\n", Printed::schema("magistrate check --json").to_value()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut clock = Clock::new(self.verbose);
        let policies = self.policy.load()?;
        let judging = self.judging.resolve(&policies)?;
        let content = self.text.read()?;
        anyhow::ensure!(!content.text().trim().is_empty(), "the text is empty: there is nothing to judge");

        let engine = judging.load()?;
        clock.tell("the model is loaded");
        let mut rows = Vec::with_capacity(policies.len());
        for policy in &policies {
            // Dropped at the end of its turn, a session makes room for the next.
            let judged = match judging.session(&engine, policy) {
                Ok(session) => {
                    clock.tell(&format!("{} is decoded", policy.id));
                    progress::waiting("judging", || {
                        Ticket::submit(&engine, &session, &content, judging.chunking, Session::submit).wait()
                    })
                }
                Err(error) => Judged { result: Err(error), pieces: None },
            };
            clock.tell("the text is judged");
            let row = judging.provenance(&engine, policy).row(&judged, judging.reasoning);
            if !self.json {
                tell(policy, &row)?;
            }
            rows.push(row);
        }
        if self.json {
            output::print(&format!("{}\n", serde_json::to_string(&Printed::new(&rows))?))?;
        }
        Ok(ExitCode::from(exit::of_rows(&rows)))
    }
}

/// Tells on stderr how long each step took, if it is wanted.
struct Clock {
    wanted: bool,
    since: Instant,
}

impl Clock {
    fn new(wanted: bool) -> Self {
        Self { wanted, since: Instant::now() }
    }

    fn tell(&mut self, step: &str) {
        if self.wanted {
            output::say(&format!("{step}: {:.3} s", self.since.elapsed().as_secs_f64()));
        }
        self.since = Instant::now();
    }
}

/// A verdict goes to stdout. An error is talk, and leaves the others' verdicts alone there.
fn tell(policy: &Policy, row: &Row) -> Result<(), anyhow::Error> {
    match (row.status, &row.error) {
        (Status::Error, Some(error)) => output::say(&format!("error: {}: {}", policy.id, error.message)),
        _ => output::print(&text::of_row(policy, row, output::coloured()))?,
    }
    Ok(())
}
