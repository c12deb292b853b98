//! The flags of `label`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use magistrate::cache;
use magistrate::calibration::terms::Terms;
use magistrate::label::journal::Existing;
use magistrate::label::memo::{Archive, Memo};
use magistrate::label::row::RowVerdict;
use magistrate::label::shard::Shard;

use crate::cli::args::input::InputArgs;
use crate::cli::args::judging::JudgingArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::args::target::OutputArgs;
use crate::cli::terminal::output;

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "a flag without a value is a bool")]
pub struct LabelFlags {
    #[command(flatten)]
    pub policy: PolicyArgs,

    #[command(flatten)]
    pub input: InputArgs,

    /// Input columns to keep in the output [default: all; --columns "" keeps no column]
    #[arg(long, value_name = "COLUMN,...")]
    pub columns: Option<String>,

    /// Print only the input lines with this verdict, unchanged, like grep
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["output_format", "split_by", "columns", "shard"])]
    pub only: Option<OnlyArg>,

    /// Judge only this share of the rows, such as 3/8, for as many machines. `magistrate merge` joins the shares
    #[arg(long, value_name = "I/N", requires = "output")]
    pub shard: Option<Shard>,

    /// Count rows and tokens, measure a few, and estimate time and memory
    #[arg(long, conflicts_with = "only")]
    pub dry_run: bool,

    /// With --dry-run, print the estimate as JSON
    #[arg(long, requires = "dry_run", conflicts_with = "summary")]
    pub json: bool,

    /// Print rows as they are done. A file is put in order at the end all the same
    #[arg(long)]
    pub unordered: bool,

    #[command(flatten)]
    pub memo: MemoArgs,

    #[command(flatten)]
    pub existing: ExistingArgs,

    /// Write the summary as JSON, too; - is stdout
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,

    /// Print the JSON Schema of a row, and judge nothing
    #[arg(long)]
    pub schema: bool,

    #[command(flatten)]
    pub output: OutputArgs,

    #[command(flatten)]
    pub judging: JudgingArgs,
}

/// The treatment of equal texts.
#[derive(Debug, Args)]
pub struct MemoArgs {
    /// Reuse verdicts on equal texts across runs, from a folder [default: one in the cache folder]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "how clap has a value that may be left out")]
    cache: Option<Option<PathBuf>>,

    /// Judge equal texts again each time
    #[arg(long, conflicts_with = "cache")]
    no_dedupe: bool,
}

impl MemoArgs {
    /// Returns the folder of earlier verdicts, and makes it if needed.
    pub fn folder(&self) -> Result<Option<PathBuf>, anyhow::Error> {
        let Some(named) = &self.cache else { return Ok(None) };
        let folder = named.clone().map_or_else(|| cache::folder().map(|cache| cache.join("verdicts")), Ok)?;
        cache::make(&folder).with_context(|| format!("{} cannot be used", folder.display()))?;
        Ok(Some(folder))
    }

    /// Applies the flags to a memo, under these terms.
    pub fn resolve(&self, memo: Memo, terms: &Terms) -> Result<Memo, anyhow::Error> {
        if self.no_dedupe {
            return Ok(Memo::off());
        }
        let Some(folder) = self.folder()? else { return Ok(memo) };
        let archive = Archive::open(&folder, &serde_json::to_string(terms)?);
        let archive = archive.with_context(|| format!("{} cannot be used", folder.display()))?;
        if archive.damaged() > 0 {
            let (lines, folder) = (archive.damaged(), folder.display());
            output::message(&format!(
                "note: {lines} damaged lines in {folder} are not used: their texts are judged again"
            ));
        }
        Ok(memo.with_archive(archive))
    }
}

/// The treatment of an earlier run's journal.
#[derive(Debug, Args)]
pub struct ExistingArgs {
    /// Set the journal of an earlier run aside, and start over
    #[arg(long, requires = "output")]
    restart: bool,

    /// Continue a journal that was made with another model, policy or setting
    #[arg(long, requires = "output", conflicts_with = "restart")]
    mix: bool,
}

impl ExistingArgs {
    pub fn resolve(&self) -> Existing {
        match (self.restart, self.mix) {
            (true, _) => Existing::Restart,
            (_, true) => Existing::Mix,
            _ => Existing::Resume,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnlyArg {
    /// A violation of at least one policy
    Violation,
    /// Safe under all policies
    Safe,
    /// For review under at least one policy, and no worse under any
    Review,
    /// No violation, and no verdict under at least one policy
    Undecided,
}

impl From<OnlyArg> for RowVerdict {
    fn from(only: OnlyArg) -> Self {
        match only {
            OnlyArg::Violation => Self::Violation,
            OnlyArg::Safe => Self::Safe,
            OnlyArg::Review => Self::Review,
            OnlyArg::Undecided => Self::Undecided,
        }
    }
}
