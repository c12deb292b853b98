//! The settings of an export.

use std::path::Path;

use super::pack::Packing;
use crate::label::anew::Anew;
use crate::label::entry::OutputForm;
use crate::label::records::InputFormat;

/// The format of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A JSON object on each line.
    #[default]
    Jsonl,
    /// Fields between commas, by RFC 4180. The header names them; a nested value is named by its path, with dots.
    Csv,
    /// Fields between tabs.
    Tsv,
    /// A Parquet file with the same columns.
    Parquet,
    /// Results in the format of the OpenAI Batch API.
    Batch,
}

/// The output to make of a journal.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// The format.
    pub format: OutputFormat,
    /// The packing, if any.
    pub packing: Option<Packing>,
    /// The parts of a row that are written.
    pub form: OutputForm,
    /// Writes a file for each verdict.
    pub split: bool,
    /// Begins CSV and TSV with a byte order mark, by which a spreadsheet knows that they are UTF-8.
    pub bom: bool,
    /// Decides the rows anew.
    pub anew: Option<Anew>,
}

impl OutputFormat {
    /// Returns the format that a file's name implies, packed or not.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match InputFormat::of_path(path)? {
            InputFormat::Jsonl => Some(Self::Jsonl),
            InputFormat::Csv => Some(Self::Csv),
            InputFormat::Tsv => Some(Self::Tsv),
            InputFormat::Parquet => Some(Self::Parquet),
            // Only the contents distinguish these.
            InputFormat::Lines | InputFormat::Batch => None,
        }
    }
}

/// The destination of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'path> {
    /// A file, or for a split output several files with names derived from it.
    File(&'path Path),
    /// Stdout.
    Stdout,
}
