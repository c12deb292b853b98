//! `check`: judges one text by one or more policies.

use std::process::ExitCode;

use clap::Args;
use magistrate::label::row::Printed;

use crate::cli::args::check::CheckArgs;
use crate::cli::case::{Clock, Sessions};
#[cfg(unix)]
use crate::cli::daemon::client;
use crate::cli::terminal::output::Output;
use crate::cli::terminal::{exit, output};
use crate::cli::{devices, loading};

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    args: CheckArgs,
}

impl Check {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let args = self.args;
        if args.schema {
            output::data(&format!("{:#}\n", Printed::schema("magistrate check --json").to_value()))?;
            return Ok(ExitCode::SUCCESS);
        }
        if args.lists_devices() {
            return devices::list();
        }
        let text = args.text.clone();
        #[cfg(unix)]
        let daemon = args.daemon;
        let case = args.prepare()?;
        let mut clock = Clock::new(case.verbose);
        let content = text.read()?;
        #[cfg(unix)]
        // A server has its model in memory already.
        if let Some(idle) = daemon.filter(|_| case.config.remote.is_none())
            && let Some(code) = client::ask(&case, &content, idle)?
        {
            return Ok(code);
        }
        let engine = loading::load(&case.config, &case.policies, case.parallel())?;
        clock.report(&mut Output::Own, "the model is loaded");
        let mut sessions = Sessions::new(&engine, 1);
        let rows = case.judge(&content, &mut sessions, &mut clock, &mut Output::Own)?;
        Ok(ExitCode::from(exit::of_rows(&rows)))
    }
}
