//! `completions`: a script that completes the command in a shell.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Completions {
    /// Shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

impl Completions {
    pub fn run(self, mut command: Command) -> Result<ExitCode, anyhow::Error> {
        let mut script = Vec::new();
        generate(self.shell, &mut command, "magistrate", &mut script);
        output::data(&String::from_utf8(script)?)?;
        Ok(ExitCode::from(exit::DONE))
    }
}
