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
mod row_values;
mod row_writer;
mod settings;
mod split;
mod value_kinds;
mod view;
#[cfg(feature = "xlsx")]
mod xlsx;

use std::fs;
use std::path::{Path, PathBuf};

use super::journal::Ordered;
use super::report::Report;
use super::row::{self, RowVerdict};
use super::summary::Summary;
use flat_table::FlatTable;
use output::Output;

pub use error::ExportError;
pub use pack::Packing;
pub use settings::{Export, OutputFormat, Target};
pub use split::files;

/// An output that was made.
#[derive(Clone, Debug, Default)]
pub struct Exported {
    /// Its files.
    pub files: Vec<PathBuf>,
    /// The counts of rows that were decided anew. `None` if they were not.
    pub summary: Option<Summary>,
    /// The number of rows whose verdict, category or decision changed.
    pub changed: u64,
    /// The number of probabilities so close to the new threshold that an estimate may be on the wrong side.
    pub close: u64,
}

/// The digits of a probability that people read.
const DIGITS: usize = 4;

/// Makes an output of the journal at a path.
///
/// # Errors
///
/// An [`ExportError`].
pub fn export(journal: &Path, target: Target<'_>, export: &Export) -> Result<Exported, ExportError> {
    export_with(journal, target, export, None)
}

/// Makes an output as [`export`] does, and adds its rows to a report.
///
/// # Errors
///
/// An [`ExportError`].
pub fn export_with(
    journal: &Path,
    target: Target<'_>,
    export: &Export,
    mut report: Option<&mut Report>,
) -> Result<Exported, ExportError> {
    export.format.is_built()?;
    let table = match export.format {
        OutputFormat::Jsonl | OutputFormat::Batch => None,
        OutputFormat::Csv | OutputFormat::Tsv | OutputFormat::Xlsx => {
            Some(FlatTable::of(Ordered::open(journal)?, export, Some(DIGITS))?)
        }
        OutputFormat::Parquet => Some(FlatTable::of(Ordered::open(journal)?, export, None)?),
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
    let mut summary = export.anew.as_ref().map(|_| Summary::default());
    let (mut changed, mut close) = (0, 0);
    for entry in Ordered::open(journal)? {
        let mut entry = entry?;
        if let (Some(anew), Some(summary)) = (&export.anew, &mut summary) {
            let decided = anew.decide(&mut entry);
            changed += u64::from(decided.changed);
            close += decided.close;
            summary.add(&decided.rows, false);
            summary.written += 1;
        }
        if let Some(report) = &mut report {
            report.add(&entry, &row::rows(&entry.verdicts));
        }
        let file = if export.split { split::file_of(RowVerdict::of(&row::rows(&entry.verdicts))) } else { 0 };
        outputs[file].writer.put(&entry).map_err(failed)?;
    }
    let made = fs::metadata(journal).and_then(|about| about.modified()).map_err(failed)?;
    let finished = outputs.into_iter().map(|output| output.finish(made).map_err(failed));
    let files = finished.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    Ok(Exported { files, summary, changed, close })
}

/// Reports whether an output was changed after it was made from its journal.
#[must_use]
pub fn is_edited(output: &Path, journal: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    matches!((changed(output), changed(journal)), (Ok(output), Ok(journal)) if output > journal)
}
