//! The flags that name a golden set, and the set that was read.

mod keep;
mod past;
mod prepared;
mod yaml_set;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use magistrate::eval::Evaluation;
use magistrate::eval::golden::{Golden, GoldenOptions};
use magistrate::files::Files;
use magistrate::label::source::{Placed, Source};
use magistrate::policy::Policy;

use self::keep::JournalArgs;
use self::past::{Labels, Past};
use super::input::{self, InputArgs, named};
use super::judging::JudgingArgs;
use super::policy::PolicyArgs;
use crate::cli::loading;
use crate::cli::terminal::error::in_file;
use crate::cli::terminal::{output, summary};

pub use keep::KeepArgs;
pub use prepared::Prepared;

/// The golden set, the policies and the settings of an evaluation.
#[derive(Debug, Args)]
pub struct GoldenArgs {
    #[command(flatten)]
    pub policy: PolicyArgs,

    #[command(flatten)]
    input: InputArgs,

    /// Use the rows of a finished run instead of judging: the output of label or its journal, or JSON of an evaluation.
    /// The answers come from the run's own columns, or from the same texts in FILE
    #[arg(long, value_name = "RUN", help_heading = "Input")]
    from: Option<PathBuf>,

    /// Use the golden set of another policy: a shipped id, or a file
    #[arg(long, value_name = "POLICY", help_heading = "Input", conflicts_with_all = ["inputs", "from"])]
    golden_of: Option<String>,

    /// Column with the correct answers [default: expected, label, violation and so on, the first that exists]
    #[arg(long, value_name = "COLUMN", help_heading = "Input")]
    label_column: Option<String>,

    /// Labels that mean a violation; all others mean safe [default: the policy's own meaning of a label]
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',', help_heading = "Input")]
    positive: Vec<String>,

    /// Labels that mean safe. With --positive, a label in neither list is refused
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',', help_heading = "Input")]
    negative: Vec<String>,

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
    /// reads or writes to the files of the run.
    pub fn open(self, files: &mut Files) -> Result<Rows, anyhow::Error> {
        self.policy.reads(files)?;
        match self.from.clone() {
            Some(from) => Ok(Rows::Judged(self.past(&from, files)?)),
            None => Ok(Rows::ToJudge(Box::new(self.prepare(files)?))),
        }
    }

    fn past(self, from: &Path, files: &mut Files) -> Result<Vec<Evaluation>, anyhow::Error> {
        let named = self.policy.named()?;
        let past = Past::open(from, files)?;
        let set = if self.input.is_empty() { None } else { Some(Set::of(self.input.open()?, files)?) };
        let (set, table) = set.map_or((None, None), |Set { name, records, table, .. }| (Some((name, records)), table));
        let labels = Labels { set, options: self.options(table.as_deref()) };
        past.evaluations(from, named, labels, &print_notes)
    }

    fn prepare(self, files: &mut Files) -> Result<Prepared, anyhow::Error> {
        let policies = self.policy.load()?;
        let own = yaml_set::open(&self.input, self.golden_of.as_deref(), &policies, files)?;
        let is_own = own.is_some();
        let source = own.map_or_else(|| self.input.open(), Ok)?;
        let Set { name, records, table, reading } = Set::of(source, files)?;
        let options = self.options(table.as_deref());
        self.keep.claim(files)?;
        let mut config = self.judging.resolve(&policies)?;
        config.composition = self.input.composition();
        loading::claim(&config, files)?;
        let read = if is_own { Golden::by_codes } else { Golden::read };
        let golden = read(records, &options, &policies);
        let golden = golden.map_err(|error| in_file(&name, error))?;
        print_notes(&golden, &name, &policies);
        Ok(Prepared { policies, golden, config, name, reading, keep: self.keep })
    }

    /// Returns the instructions for reading a set. `table` has the names of a table's columns.
    fn options(&self, table: Option<&[String]>) -> GoldenOptions {
        GoldenOptions::default()
            .with_label(self.label_column.clone().map(|column| named(column, table)))
            .with_positive(self.positive.clone())
            .with_negative(self.negative.clone())
            .with_by(self.by.clone().map(|column| named(column, table)))
    }
}

/// The records of a golden set.
struct Set {
    name: String,
    records: Vec<Placed>,
    /// The names of a table's columns.
    table: Option<Vec<String>>,
    /// The settings by which its records were read.
    reading: serde_json::Value,
}

impl Set {
    /// Reads all records of a source.
    fn of(source: Source, files: &mut Files) -> Result<Self, anyhow::Error> {
        input::claim(source.inputs(), files)?;
        let table = source.names().map(<[String]>::to_vec);
        let name = source.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>().join(", ");
        let reading = source.reading();
        let records = source.collect::<Result<Vec<_>, _>>()?;
        anyhow::ensure!(!records.is_empty(), "{name} holds no texts");
        Ok(Self { name, records, table, reading })
    }
}

/// Prints how a set was understood, and which records were left out.
fn print_notes(golden: &Golden, name: &str, policies: &[Policy]) {
    /// The most damaged records, and the most contradictions, that are listed one by one.
    const SHOWN: usize = 5;
    let Golden { legend, repeated, contradictions, damaged, .. } = golden;
    for line in legend {
        output::summary(line);
    }
    for what in damaged.iter().take(SHOWN).chain(contradictions.iter().take(SHOWN)) {
        output::message(&format!("warning: {what}"));
    }
    let more = damaged.len().saturating_sub(SHOWN) + contradictions.len().saturating_sub(SHOWN);
    if more > 0 {
        output::message(&format!("warning: and {more} more"));
    }
    if *repeated > 0 {
        output::message(&format!("note: {repeated} records repeat an earlier text and its answer, and are left out"));
    }
    for (place, policy) in policies.iter().enumerate() {
        if let Some(class) = golden.missing_class(place) {
            output::message(&format!("warning: {name} holds no {class} under the policy {}", policy.id));
        }
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
