//! `check`: one text, one or more policies, a verdict each.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use magistrate::content::Content;
use magistrate::engine::{Engine, EngineError, Session, SessionOptions};
use magistrate::label::judge::{Judged, Ticket};
use magistrate::label::row::{Printed, Row, Status};
use magistrate::policy::Policy;

use super::input::TextArgs;
use super::judging::{Judging, JudgingArgs};
use super::output::Ears;
use super::{PolicyArgs, exit, fit, output, progress, text};

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

    /// Let a daemon answer that keeps the model in memory, and start one if there is none, which stops when nobody has asked
    /// for so long [600 if it is not said]
    #[cfg(unix)]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "600")]
    daemon: Option<u64>,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl Check {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.schema {
            output::data(&format!("{:#}\n", Printed::schema("magistrate check --json").to_value()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let text = self.text.clone();
        #[cfg(unix)]
        let daemon = self.daemon;
        let case = self.prepare()?;
        let mut clock = Clock::new(case.verbose);
        let content = text.read()?;
        #[cfg(unix)]
        if let Some(idle) = daemon
            && let Some(code) = super::daemon::client::ask(&case, &content, idle)?
        {
            return Ok(code);
        }
        let engine = case.judging.load(&case.policies, case.parallel())?;
        clock.tell(&mut Ears::Own, "the model is loaded");
        let mut sessions = Sessions::new(&engine, 1);
        let rows = case.judge(&content, &mut sessions, &mut clock, &mut Ears::Own)?;
        Ok(ExitCode::from(exit::of_rows(&rows)))
    }

    /// Reads what it takes to judge, all but the text and the model.
    pub fn prepare(self) -> Result<Case, anyhow::Error> {
        let policies = self.policy.load()?;
        let judging = self.judging.resolve(&policies)?;
        anyhow::ensure!(self.json || judging.fields.is_none(), "--fields is for JSON\nhint: add --json");
        Ok(Case { policies, judging, json: self.json, verbose: self.verbose })
    }
}

/// What is judged, by what, and how it is told.
pub struct Case {
    pub policies: Vec<Policy>,
    pub judging: Judging,
    pub json: bool,
    pub verbose: bool,
}

impl Case {
    /// Returns how many texts are judged at once. One text gets all threads, unless it comes in pieces.
    pub fn parallel(&self) -> usize {
        self.judging.chunking.map_or(fit::ONE, |_| fit::MANY)
    }

    /// Judges a text by each policy, and prints each verdict.
    pub fn judge(
        &self,
        content: &Content,
        sessions: &mut Sessions<'_>,
        clock: &mut Clock,
        ears: &mut Ears,
    ) -> Result<Vec<Row>, anyhow::Error> {
        let Self { policies, judging, .. } = self;
        let engine = sessions.engine;
        let mut rows = Vec::with_capacity(policies.len());
        for policy in policies {
            let judged = match sessions.of(judging, policy) {
                Ok(session) => {
                    clock.tell(ears, &format!("{} is decoded", policy.id));
                    progress::waiting("judging", || {
                        Ticket::submit(engine, session, content, judging.chunking, Session::submit).wait()
                    })
                }
                Err(error) => Judged { result: Err(error), pieces: None },
            };
            clock.tell(ears, "the text is judged");
            let row = judging.provenance(engine, policy)?.row(&judged, judging.reasoning);
            if !self.json {
                tell(policy, &row, ears)?;
            }
            rows.push(row);
        }
        if self.json {
            ears.data(&format!("{}\n", serde_json::to_string(&Printed::new(&rows))?))?;
        }
        Ok(rows)
    }
}

/// Policies that are decoded, those that were used last.
pub struct Sessions<'engine> {
    pub engine: &'engine Engine,
    open: Vec<(String, SessionOptions, Session<'engine>)>,
    most: usize,
}

impl<'engine> Sessions<'engine> {
    /// None yet, and at most so many: one that is closed makes room for the next.
    pub fn new(engine: &'engine Engine, most: usize) -> Self {
        Self { engine, open: Vec::new(), most }
    }

    fn of(&mut self, judging: &Judging, policy: &Policy) -> Result<&Session<'engine>, EngineError> {
        let (digest, options) = (policy.digest(), &judging.options);
        let place = self.open.iter().position(|(of, with, _)| *of == digest && with == options);
        let used = match place {
            Some(place) => self.open.remove(place),
            None => {
                self.open.truncate(self.most - 1);
                (digest, options.clone(), judging.session(self.engine, policy)?)
            }
        };
        self.open.insert(0, used);
        Ok(&self.open[0].2)
    }
}

/// Tells on stderr how long each step took, if it is wanted.
pub struct Clock {
    wanted: bool,
    since: Instant,
}

impl Clock {
    pub fn new(wanted: bool) -> Self {
        Self { wanted, since: Instant::now() }
    }

    fn tell(&mut self, ears: &mut Ears, step: &str) {
        if self.wanted {
            ears.say(&format!("{step}: {:.3} s", self.since.elapsed().as_secs_f64()));
        }
        self.since = Instant::now();
    }
}

/// A verdict goes to stdout. An error is talk, and leaves the others' verdicts alone there.
fn tell(policy: &Policy, row: &Row, ears: &mut Ears) -> Result<(), anyhow::Error> {
    match (row.status, &row.error) {
        (Status::Error, Some(error)) => ears.say(&format!("error: {}: {}", policy.id, error.message)),
        _ => ears.print(&text::of_row(policy, row))?,
    }
    Ok(())
}
