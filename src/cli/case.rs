//! The judging of one text by each policy, and the output of the verdicts.

use std::time::Instant;

use magistrate::content::Content;
use magistrate::engine::{Engine, EngineError, Session, SessionOptions};
use magistrate::label::config::RunConfig;
use magistrate::label::judge::{Judged, Submission};
use magistrate::label::row::{Printed, Row, Status};
use magistrate::policy::Policy;

use super::terminal::output::Output;
use super::terminal::progress;
use super::terminal::row::{of_error as error_text, of_row as row_text};
use super::{fitting, loading};

/// Policies, the settings to judge by them, and the form of the output.
pub struct Case {
    pub policies: Vec<Policy>,
    pub config: RunConfig,
    pub json: bool,
    /// Rows of JSON are by policy, also that of a single policy.
    pub by_policy: bool,
    pub verbose: bool,
}

impl Case {
    /// Returns how many texts are judged at once. One text gets all threads, unless it comes in pieces.
    pub fn parallel(&self) -> usize {
        self.config.chunking.map_or(fitting::ONE, |_| fitting::SEVERAL)
    }

    /// Judges a text by each policy, and prints each verdict.
    pub fn judge(
        &self,
        content: &Content,
        sessions: &mut Sessions<'_>,
        clock: &mut Clock,
        output: &mut Output,
    ) -> Result<Vec<Row>, anyhow::Error> {
        let Self { policies, config, .. } = self;
        let engine = sessions.engine;
        let mut rows = Vec::with_capacity(policies.len());
        for policy in policies {
            let judged = match sessions.open(config, policy) {
                Ok(session) => {
                    clock.report(output, &format!("{} is decoded", policy.id));
                    progress::waiting("judging", || {
                        let submission = Submission { engine, session, content, chunking: config.chunking };
                        submission.submit(Session::submit).wait()
                    })
                }
                // The text is judged by the other policies all the same, so the error is a row.
                Err(error) => Judged::whole(Err(error)),
            };
            clock.report(output, "the text is judged");
            let row = config.provenance(engine, policy)?.row(&judged, config.reasoning);
            if self.json {
                print_error(policy, &row, output);
            } else {
                print(policy, &row, self.verbose, output)?;
            }
            rows.push(row);
        }
        if self.json {
            let printed = if self.by_policy { Printed::by_policy(&rows) } else { Printed::new(&rows) };
            output.data(&format!("{}\n", serde_json::to_string(&printed)?))?;
        }
        Ok(rows)
    }
}

/// Decoded policies, the last used first.
pub struct Sessions<'engine> {
    pub engine: &'engine Engine,
    open: Vec<(String, SessionOptions, Session<'engine>)>,
    most: usize,
}

impl<'engine> Sessions<'engine> {
    /// Returns no sessions yet. At most `most` stay open: the one that was used longest ago makes room.
    pub fn new(engine: &'engine Engine, most: usize) -> Self {
        Self { engine, open: Vec::new(), most }
    }

    fn open(&mut self, config: &RunConfig, policy: &Policy) -> Result<&Session<'engine>, EngineError> {
        let (digest, options) = (policy.digest(), &config.options);
        let place = self.open.iter().position(|(of, with, _)| *of == digest && with == options);
        let used = match place {
            Some(place) => self.open.remove(place),
            None => {
                self.open.truncate(self.most - 1);
                (digest, options.clone(), loading::session(config, self.engine, policy)?)
            }
        };
        self.open.insert(0, used);
        Ok(&self.open[0].2)
    }
}

/// Prints on stderr how long each step took, if that is wanted.
pub struct Clock {
    wanted: bool,
    since: Instant,
}

impl Clock {
    pub fn new(wanted: bool) -> Self {
        Self { wanted, since: Instant::now() }
    }

    /// Prints the time since the last step.
    pub fn report(&mut self, output: &mut Output, step: &str) {
        if self.wanted {
            output.message(&format!("{step}: {:.3} s", self.since.elapsed().as_secs_f64()));
        }
        self.since = Instant::now();
    }
}

/// Prints a verdict on stdout, or an error on stderr.
fn print(policy: &Policy, row: &Row, verbose: bool, output: &mut Output) -> Result<(), anyhow::Error> {
    if row.status == Status::Error {
        print_error(policy, row, output);
        return Ok(());
    }
    output.print(&row_text(policy, row, verbose))
}

/// Prints the error of a text that was not judged, on stderr. A row of JSON may lack it.
fn print_error(policy: &Policy, row: &Row, output: &mut Output) {
    if let Some(error) = row.error.as_ref().filter(|_| row.status == Status::Error) {
        output.message(&format!("error: {}: {}", policy.id, error_text(error)));
    }
}
