//! `merge`: joins the journals of a run on several machines, and writes their output. From one journal it writes
//! another output.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use magistrate::files::Files;
use magistrate::label::entry::OutputForm;
use magistrate::label::export::{Target, export};
use magistrate::label::journal::{JournalError, Ordered, beside};
use magistrate::label::merge::{check, merge};
use magistrate::label::row::RowFields;

use crate::cli::args::journal::journal;
use crate::cli::args::target::OutputArgs;
use crate::cli::terminal::error::bail_hint;
use crate::cli::terminal::{exit, output, progress, summary};

#[derive(Debug, Args)]
pub struct Merge {
    /// Journals, or the outputs beside them
    #[arg(value_name = "JOURNAL", required = true)]
    journals: Vec<PathBuf>,

    /// Fields of a row to print, such as verdict,probability
    #[arg(long, value_name = "FIELD,...", value_parser = RowFields::parse)]
    fields: Option<RowFields>,

    /// Merge although records are missing
    #[arg(long)]
    partial: bool,

    #[command(flatten)]
    output: OutputArgs,
}

impl Merge {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let journals: Vec<PathBuf> = self.journals.iter().map(|path| journal(path)).collect();
        let terms = match Ordered::open(&journals[0]) {
            Err(JournalError::Foreign(path)) => {
                let beside = beside(&path);
                let (path, beside) = (path.display(), beside.display());
                bail_hint!(
                    "{path} is not a journal of magistrate, and there is no {beside}",
                    "name the output of a run of `magistrate label -o`, or its journal"
                );
            }
            opened => opened?.terms,
        };
        let policies =
            terms.strings("policies").iter().filter_map(|policy| policy.split(' ').next().map(str::to_owned)).collect();
        let form = OutputForm { policies, fields: self.fields.map(Arc::new) };
        let target = self.output.resolve(false, form)?;
        let mut files = Files::new();
        journals.iter().try_for_each(|path| files.read("a journal that is merged", path))?;
        // Without a journal, an existing output is refused if something is in it.
        target.claim(&mut files, None)?;
        let [one] = journals.as_slice() else {
            let Some(file) = target.file.as_ref().filter(|_| !target.is_stream()) else {
                bail_hint!("several journals become one beside the output", "name a file with -o");
            };
            let into = beside(file);
            files.write("the journal", "-o", &into)?;
            let merged = progress::waiting("merging", || merge(&journals, &into, self.partial))?;
            progress::waiting("writing the output", || export(&into, Target::File(file), &target.export))?;
            output::summary(&summary::table(&merged));
            output::summary(&format!("{} rows of {} journals", merged.rows(), journals.len()));
            return Ok(ExitCode::from(exit::DONE));
        };
        let merged = progress::waiting("reading the journal", || check(one, self.partial))?;
        let file = target.file.as_deref().map_or(Target::Stdout, Target::File);
        match progress::waiting("writing the output", || export(one, file, &target.export)) {
            // The reader has closed the pipe.
            Err(error) if error.is_closed() => {}
            written => {
                for path in written? {
                    output::summary(&format!("{} is written, of {} rows", path.display(), merged.rows()));
                }
            }
        }
        Ok(ExitCode::from(exit::DONE))
    }
}
