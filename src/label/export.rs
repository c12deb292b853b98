//! Exports: from a journal to the requested output.
//!
//! An output is written to a draft beside its path and moved there when it is complete. Rows are in the order of the
//! inputs, in whichever order they were judged.

mod batch;
mod csv;
mod error;
mod flat_table;
mod output;
mod pack;
#[cfg(feature = "parquet")]
mod parquet;
mod row_writer;
mod settings;
mod split;

use std::fs;
use std::path::{Path, PathBuf};

use super::journal::Ordered;
use super::row::{self, RowVerdict};
use flat_table::FlatTable;
use output::Output;

pub use error::ExportError;
pub use pack::Packing;
pub use settings::{Export, OutputFormat, Target};
pub use split::files;

/// Makes an output of the journal at a path. Returns its files.
///
/// # Errors
///
/// An [`ExportError`].
pub fn export(journal: &Path, target: Target<'_>, export: &Export) -> Result<Vec<PathBuf>, ExportError> {
    let table = match export.format {
        OutputFormat::Jsonl | OutputFormat::Batch => None,
        OutputFormat::Csv | OutputFormat::Tsv | OutputFormat::Parquet => {
            Some(FlatTable::of(Ordered::open(journal)?, &export.form)?)
        }
    };
    let path = match target {
        Target::File(path) => path,
        Target::Stdout => Path::new("stdout"),
    };
    let failed = |error| ExportError::Write { path: path.to_owned(), error };
    let mut outputs = Vec::new();
    for name in if export.split { split::NAMES.as_slice() } else { &[None] } {
        outputs.push(Output::new(target, *name, export, table.as_ref()).map_err(failed)?);
    }
    let rows = Ordered::open(journal)?;
    for entry in rows {
        let entry = entry?;
        let file = if export.split { split::file_of(RowVerdict::of(&row::rows(&entry.verdicts))) } else { 0 };
        outputs[file].writer.put(&entry).map_err(failed)?;
    }
    let made = fs::metadata(journal).and_then(|about| about.modified()).map_err(failed)?;
    outputs
        .into_iter()
        .map(|output| output.finish(made).map_err(failed))
        .collect::<Result<Vec<_>, _>>()
        .map(|paths| paths.into_iter().flatten().collect())
}

/// Reports whether an output was changed after it was made from its journal.
#[must_use]
pub fn is_edited(output: &Path, journal: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    matches!((changed(output), changed(journal)), (Ok(output), Ok(journal)) if output > journal)
}
