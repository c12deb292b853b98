//! A golden set: the flags that name it and say how its labels are read, and its records.

use std::path::{Path, PathBuf};

use clap::Args;
use magistrate::eval::golden::{Golden, GoldenOptions};
use magistrate::files::Files;
use magistrate::label::source::{Placed, Source};
use magistrate::policy::{Policy, PolicySource};
use magistrate::review::reader;

use super::review_set::{self, Decisions};
use super::yaml_set;
use crate::cli::args::input::{self, InputArgs, named};
use crate::cli::terminal::error::in_file;
use crate::cli::terminal::output;

#[derive(Debug, Args)]
pub struct SetArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Use the golden set of another policy: a shipped id, or a file
    #[arg(long, value_name = "POLICY", help_heading = "Input", conflicts_with = "inputs")]
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
}

/// The records of a golden set.
pub struct Set {
    pub name: String,
    pub records: Vec<Placed>,
    /// The settings by which its records were read.
    pub reading: serde_json::Value,
    /// The names of a table's columns.
    table: Option<Vec<String>>,
    /// True if the answers are codes of the policy, as in YAML.
    by_codes: bool,
}

impl Set {
    /// Reads all records of a source.
    fn of(source: Source, by_codes: bool, files: &mut Files) -> Result<Self, anyhow::Error> {
        input::claim(source.inputs(), files)?;
        let table = source.names().map(<[String]>::to_vec);
        let name = source.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>().join(", ");
        let reading = source.reading();
        let records = source.collect::<Result<Vec<_>, _>>()?;
        anyhow::ensure!(!records.is_empty(), "{name} holds no texts");
        Ok(Self { name, records, reading, table, by_codes })
    }
}

impl SetArgs {
    /// Returns the files and patterns that are named, and the file of another policy whose set is used.
    pub fn files(&self) -> Vec<PathBuf> {
        let other = self.golden_of.as_deref().and_then(PolicySource::path).map(Path::to_path_buf);
        let inputs = match self.input.review() {
            Some(folder) => vec![reader::decisions(folder)],
            None => self.input.files().to_vec(),
        };
        inputs.into_iter().chain(other).collect()
    }

    /// Names the composition of a text from a record's columns.
    pub fn composition(&self) -> String {
        self.input.composition()
    }

    /// Reads all records of the named files or review queue, or of the policy's own set. Adds the files to those of the
    /// run.
    pub fn records(&self, policies: &[Policy], used: Decisions, files: &mut Files) -> Result<Set, anyhow::Error> {
        let own = match self.input.review() {
            Some(folder) => Some(review_set::open(folder, policies, used, files)?),
            None => yaml_set::open(&self.input, self.golden_of.as_deref(), policies, files)?,
        };
        let by_codes = own.is_some();
        Set::of(own.map_or_else(|| self.input.open(), Ok)?, by_codes, files)
    }

    /// Reads all records of the named files. Returns `None` if no file is named.
    pub fn named(&self, files: &mut Files) -> Result<Option<Set>, anyhow::Error> {
        if self.input.is_empty() { Ok(None) } else { Set::of(self.input.open()?, false, files).map(Some) }
    }

    /// Returns the instructions for reading the labels. `by` is the column by which figures are reported separately.
    pub fn options(&self, set: Option<&Set>, by: Option<String>) -> GoldenOptions {
        let table = set.and_then(|set| set.table.as_deref());
        GoldenOptions::default()
            .with_label(self.label_column.clone().map(|column| named(column, table)))
            .with_positive(self.positive.clone())
            .with_negative(self.negative.clone())
            .with_by(by.map(|column| named(column, table)))
    }

    /// Reads the labels of a set.
    pub fn golden(&self, set: Set, by: Option<String>, policies: &[Policy]) -> Result<Golden, anyhow::Error> {
        let options = self.options(Some(&set), by);
        let Set { name, records, by_codes, .. } = set;
        let read = if by_codes { Golden::by_codes } else { Golden::read };
        read(records, &options, policies).map_err(|error| in_file(&name, error))
    }
}

/// Prints how a set was understood, and which records were left out.
pub fn print_notes(golden: &Golden, name: &str, policies: &[Policy]) {
    print_legend(golden);
    print_warnings(golden, name, policies);
}

/// Prints how the labels of a set were understood.
pub fn print_legend(golden: &Golden) {
    for line in &golden.legend {
        output::summary(line);
    }
}

/// Prints the defects of a set: records that were left out, contradictions, and a class that is missing.
pub fn print_warnings(golden: &Golden, name: &str, policies: &[Policy]) {
    /// The most damaged records, and the most contradictions, that are listed one by one.
    const SHOWN: usize = 5;
    let Golden { repeated, contradictions, damaged, .. } = golden;
    for defect in damaged.iter().take(SHOWN).chain(contradictions.iter().take(SHOWN)) {
        output::message(&format!("warning: {defect}"));
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
