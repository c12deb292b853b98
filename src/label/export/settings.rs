//! The settings of an export.

use std::path::Path;

use super::error::ExportError;
use super::pack::Packing;
use crate::label::about::TableForm;
use crate::label::anew::Anew;
use crate::label::entry::OutputForm;
use crate::label::records::InputFormat;

/// The format of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A JSON object on each line.
    #[default]
    Jsonl,
    /// Fields between commas, or between the separator of the input, by RFC 4180. The header names them; a nested value is named by its path, with dots.
    Csv,
    /// Fields between tabs.
    Tsv,
    /// A Parquet file with the same columns.
    Parquet,
    /// A workbook of Excel with the same columns.
    Xlsx,
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
    /// The form of CSV, and the byte order mark of TSV.
    pub table: TableForm,
    /// Decides the rows anew.
    pub anew: Option<Anew>,
}

impl OutputFormat {
    /// Checks that this build writes the format.
    ///
    /// # Errors
    ///
    /// [`ExportError::NotBuilt`].
    pub fn is_built(self) -> Result<(), ExportError> {
        match self {
            Self::Parquet if !cfg!(feature = "parquet") => {
                Err(ExportError::NotBuilt { name: "Parquet", feature: "parquet" })
            }
            Self::Xlsx if !cfg!(feature = "xlsx") => {
                Err(ExportError::NotBuilt { name: "workbooks (.xlsx)", feature: "xlsx" })
            }
            _ => Ok(()),
        }
    }

    /// Returns the format that a file's name implies, packed or not.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match InputFormat::of_path(path)? {
            // A workbook with macros is another kind of file.
            InputFormat::Xlsx => {
                let name = path.to_string_lossy().to_ascii_lowercase();
                let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
                name.ends_with("xlsx").then_some(Self::Xlsx)
            }
            InputFormat::Jsonl => Some(Self::Jsonl),
            InputFormat::Csv => Some(Self::Csv),
            InputFormat::Tsv => Some(Self::Tsv),
            InputFormat::Parquet => Some(Self::Parquet),
            // Only the contents distinguish these.
            InputFormat::Lines | InputFormat::Batch | InputFormat::Json => None,
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
