//! `bench`: measures how fast this machine judges, and where the time goes.

mod busy;
mod compare;
mod flags;
mod measure;
mod process;
mod tune;

use std::process::ExitCode;

use clap::Args;

use self::flags::BenchFlags;
use crate::cli::devices;

#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Bench {
    #[command(flatten)]
    flags: BenchFlags,
}

impl Bench {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let flags = self.flags;
        if flags.compute {
            busy::compute();
        }
        if flags.engine.lists_devices() {
            return devices::list();
        }
        if let Some(count) = flags.busy {
            return busy::beside(count);
        }
        if let Some(others) = &flags.versus {
            return compare::run(&flags, others);
        }
        if flags.tune {
            return tune::run(&flags);
        }
        measure::run(&flags)
    }
}
