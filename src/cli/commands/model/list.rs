//! `model list`: the gpt-oss models of this machine.

use std::process::ExitCode;

use clap::Args;
use magistrate::models::stores::Found;

use crate::cli::models::places;
use crate::cli::terminal::units::megabytes;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Default, Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let places = places();
        let found = places.find();
        if self.json {
            output::data(&format!("{}\n", serde_json::to_string(&found)?))?;
            return Ok(ExitCode::from(exit::DONE));
        }
        if found.is_empty() {
            let mut text = "no gpt-oss model was found in\n".to_owned();
            for (store, folder) in places.folders() {
                text.push_str(&format!("  {store:<12}  {}\n", folder.display()));
            }
            output::message(text.trim_end());
            output::hint(
                "`magistrate model pull 20b` fetches one (12 GB), or name a file with --model; MAGISTRATE_MODELS names a \
                 folder of your own",
            );
            return Ok(ExitCode::from(exit::DONE));
        }
        let width = found.iter().map(|model| model.name.len()).max().unwrap_or(0);
        let row = |Found { name, store, size, unusable, .. }: &Found| {
            let note = unusable.map_or(String::new(), |why| format!("  ({why})"));
            format!("{name:width$}  {:>10}  {store}{note}\n", megabytes(*size))
        };
        output::print(&found.iter().map(row).collect::<String>())?;
        Ok(ExitCode::from(exit::DONE))
    }
}
