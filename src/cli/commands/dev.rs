//! `dev`: judges a golden set again after each change of a policy or of the set, and shows the difference.
//!
//! The model stays loaded. A text is judged once by each version of the policy, and a new change gives up the verdicts
//! that are under way.

mod screen;
mod version;
mod watch;
mod work;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use magistrate::engine::EngineError;

use self::screen::Screen;
use self::version::VersionArgs;
use self::watch::Watch;
use self::work::Work;
use crate::cli::args::golden::without_verdicts;
use crate::cli::args::judging::JudgingArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::{exit, output, stop};
use crate::cli::{devices, loading};

#[derive(Debug, Args)]
pub struct Dev {
    #[command(flatten)]
    version: VersionArgs,

    /// Judge once and end, for scripts
    #[arg(long, help_heading = "Output")]
    once: bool,

    /// Number of wrong verdicts to show, the surest first
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Output")]
    errors: usize,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl Dev {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.judging.lists_devices() {
            return devices::list();
        }
        let Self { version: args, once, errors, judging } = self;
        let done = Ok(ExitCode::from(exit::DONE));
        let mut watch = Watch::new(args.files(once)?);
        let screen = Screen::new(errors, once);
        let (mut legend, mut stop) = (Vec::new(), None);
        let first = loop {
            match args.read(&mut legend) {
                Ok(version) => break version,
                Err(error) if once => return Err(error),
                Err(error) => screen::broken(&error, None)?,
            }
            let stop = match &stop {
                Some(stop) => stop,
                None => stop.insert(stop::quietly()?),
            };
            if !await_change(&mut watch, &screen, stop)? {
                return done;
            }
        };
        let mut config = judging.resolve(std::slice::from_ref(&first.policy))?;
        config.composition = args.composition();
        // The rationale is not shown, and writing it takes about a third of the time.
        config.options = config.options.with_no_rationale(true);
        let engine = loading::load(&config, std::slice::from_ref(&first.policy), SEVERAL)?;
        // If the first version was faulty, signals are caught already. A second flag would miss one that came since.
        let stop = match stop {
            Some(stop) => stop,
            None => stop::quietly()?,
        };
        let mut work = Work::new(&engine, config);
        let mut version = Ok(first);
        let mut begun = Instant::now();
        loop {
            let judged = version.and_then(|version| {
                let mut goes_on = || !is_stopped(&stop) && (once || !watch.has_changed());
                work.judge(&version, begun, &mut goes_on, &screen)
            });
            match judged {
                Err(error) if once || ends(&error) => return Err(error),
                Err(error) => screen::broken(&error, work.last())?,
                Ok(()) => {}
            }
            if once {
                if is_stopped(&stop) {
                    return Ok(ExitCode::from(exit::STOPPED));
                }
                return match work.last().and_then(without_verdicts) {
                    None => done,
                    Some(why) => {
                        output::message(&format!("error: {why}"));
                        Ok(ExitCode::from(exit::UNDECIDED))
                    }
                };
            }
            if !await_change(&mut watch, &screen, &stop)? {
                return done;
            }
            begun = Instant::now();
            version = args.read(&mut legend);
        }
    }
}

/// Waits for a change of the files, and shows it. Returns false after a stop.
fn await_change(watch: &mut Watch, screen: &Screen, stop: &AtomicBool) -> Result<bool, anyhow::Error> {
    screen.watching(watch)?;
    let Some(changed) = watch.wait(&|| is_stopped(stop)) else { return Ok(false) };
    screen::changed(&changed)?;
    Ok(true)
}

/// Reports whether a signal came, or nobody reads stdout any more.
fn is_stopped(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed) || output::is_closed()
}

/// Reports whether an error ends the work, since no other version of the policy could do better.
fn ends(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(EngineError::Stopped))
}
