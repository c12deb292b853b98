//! The flags that name a golden set, and the set that was read.

mod keep;
mod past;
mod prepared;
mod reasoning;
mod review_set;
mod set;
mod yaml_set;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use magistrate::eval::Evaluation;
use magistrate::eval::golden::Golden;
use magistrate::files::Files;

use self::keep::JournalArgs;
use self::past::{Labels, Past};
use self::set::{Set, print_notes};
use super::judging::JudgingArgs;
use super::policy::PolicyArgs;
use crate::cli::loading;
use crate::cli::terminal::error::{ensure_hint, in_file};
use crate::cli::terminal::summary;

pub use keep::KeepArgs;
pub use prepared::Prepared;
pub use review_set::Decisions;
pub use set::{SetArgs, print_legend, print_warnings};
pub use yaml_set::golden_text;

/// The golden set, the policies and the settings of an evaluation.
#[derive(Debug, Args)]
pub struct GoldenArgs {
    #[command(flatten)]
    pub policy: PolicyArgs,

    #[command(flatten)]
    set: SetArgs,

    /// Use the rows of a finished run instead of judging: the output of label or its journal, or JSON of an evaluation.
    /// The answers come from the run's own columns, or from the same texts in FILE
    #[arg(long, value_name = "RUN", help_heading = "Input", conflicts_with = "golden_of")]
    from: Option<PathBuf>,

    /// Column by whose values figures are reported separately, too
    #[arg(long, value_name = "COLUMN", help_heading = "Input")]
    by: Option<String>,

    #[command(flatten)]
    keep: JournalArgs,

    #[command(flatten)]
    judging: JudgingArgs,
}

/// The rows of an evaluation: to be judged, or judged before.
pub enum Rows {
    ToJudge(Box<Prepared>),
    Judged(Vec<Evaluation>),
}

impl GoldenArgs {
    /// Reports whether the devices are to be listed, and nothing to be judged.
    pub fn lists_devices(&self) -> bool {
        self.judging.lists_devices()
    }

    /// Reads the set, or rows that were judged before. Prints how the labels are understood. Adds each file that it
    /// reads or writes to the files of the run. Of a review queue, some decisions are used or all.
    pub fn open(self, used: Decisions, files: &mut Files) -> Result<Rows, anyhow::Error> {
        self.policy.reads(files)?;
        match self.from.clone() {
            Some(from) => Ok(Rows::Judged(self.past(&from, files)?)),
            None => Ok(Rows::ToJudge(Box::new(self.prepare(used, files)?))),
        }
    }

    /// Reads texts without their labels.
    pub fn texts(self, files: &mut Files) -> Result<Prepared, anyhow::Error> {
        ensure_hint!(self.from.is_none(), "--stop judges texts, and --from names rows", "give the texts themselves");
        self.policy.reads(files)?;
        let policies = self.policy.load()?;
        let set = self.set.records(&policies, Decisions::All, files)?;
        self.keep.claim(files)?;
        let mut config = self.judging.resolve(&policies)?;
        config.composition = self.set.composition();
        loading::claim(&config, files)?;
        let Set { name, reading, records, .. } = set;
        let golden = Golden::without_answers(records);
        Ok(Prepared { policies, golden, config, name, reading, keep: self.keep })
    }

    fn past(self, from: &Path, files: &mut Files) -> Result<Vec<Evaluation>, anyhow::Error> {
        let named = self.policy.named()?;
        let past = Past::open(from, files)?;
        let set = self.set.named(files)?;
        let options = self.set.options(set.as_ref(), self.by);
        let labels = Labels { set: set.map(|Set { name, records, .. }| (name, records)), options };
        past.evaluations(from, named, labels)
    }

    fn prepare(self, used: Decisions, files: &mut Files) -> Result<Prepared, anyhow::Error> {
        let policies = self.policy.load()?;
        let set = self.set.records(&policies, used, files)?;
        self.keep.claim(files)?;
        let mut config = self.judging.resolve(&policies)?;
        config.composition = self.set.composition();
        loading::claim(&config, files)?;
        let (name, reading) = (set.name.clone(), set.reading.clone());
        let golden = self.set.golden(set, self.by, &policies)?;
        print_notes(&golden, &name, &policies);
        Ok(Prepared { policies, golden, config, name, reading, keep: self.keep })
    }
}

/// Reads the evaluations in a file.
pub fn read(path: &Path) -> Result<Vec<Evaluation>, anyhow::Error> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Evaluation::read_all(&bytes).map_err(|error| in_file(path.display(), error))
}

/// Explains why none of an evaluation's texts has a verdict. Returns `None` if one has.
pub fn without_verdicts(evaluation: &Evaluation) -> Option<String> {
    let Evaluation { about, rows, undecided, .. } = evaluation;
    if rows.is_empty() || rows.iter().any(|row| row.verdict.is_some()) {
        return None;
    }
    Some(format!("{}: no text has a verdict: {}", about.policy[0], summary::reasons(undecided)))
}
