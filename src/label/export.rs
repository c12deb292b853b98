//! From a journal to the file that was asked for.
//!
//! The one idea: it is written beside its place and put there whole, so whoever sees it sees all of it. Rows are in the
//! order of the inputs, whatever order they were done in.

mod batch;
mod csv;
mod pack;
#[cfg(feature = "parquet")]
mod parquet;
mod table;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::entry::{Entry, Form};
use super::journal::{JournalError, Ordered};
use super::records;
use super::row::{self, RowVerdict};
use crate::files::{self, Draft};
use table::Table;

pub use pack::Packing;

/// How an output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// Fields between commas, by RFC 4180. A header names them; what is nested in JSON is named by its path, with dots.
    Csv,
    /// The same between tabs.
    Tsv,
    /// A Parquet file, of the same columns.
    Parquet,
    /// Results as the OpenAI Batch API gives them.
    Batch,
}

/// What is made of a journal.
#[derive(Clone, Debug)]
pub struct Export {
    /// How it is written.
    pub format: Format,
    /// Whether it is packed, and how.
    pub packing: Option<Packing>,
    /// What of a row goes out.
    pub form: Form,
    /// Several files, by how records stand.
    pub split: bool,
}

/// Why an output could not be made. The journal is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The output cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The output.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A table cannot have so many columns.
    #[error(
        "the rows have more than {0} different columns, too many for a table\nhint: choose some with --columns, or write JSONL"
    )]
    Columns(usize),
    /// This build lacks the format.
    #[error("this build does not write Parquet\nhint: build with the feature `parquet`")]
    NoParquet,
}

impl ExportError {
    /// Reports whether the output's reader has gone, as with `| head`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Write { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Format {
    /// The format that a file's name tells, packed or not.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match records::Format::of_path(path)? {
            records::Format::Jsonl => Some(Self::Jsonl),
            records::Format::Csv => Some(Self::Csv),
            records::Format::Tsv => Some(Self::Tsv),
            records::Format::Parquet => Some(Self::Parquet),
            // No name tells these apart from what they hold.
            records::Format::Lines | records::Format::Batch => None,
        }
    }
}

/// Writes rows in one format.
trait Writer {
    fn put(&mut self, entry: &Entry) -> io::Result<()>;

    /// Writes what is still to be written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'path> {
    /// A file, or several whose names begin as this one's.
    File(&'path Path),
    /// stdout.
    Stdout,
}

/// Makes an output of the journal at a path. The files that it is.
///
/// # Errors
///
/// An [`ExportError`].
pub fn export(journal: &Path, target: Target<'_>, export: &Export) -> Result<Vec<PathBuf>, ExportError> {
    let table = match export.format {
        Format::Jsonl | Format::Batch => None,
        Format::Csv | Format::Tsv | Format::Parquet => Some(Table::of(Ordered::open(journal)?, &export.form)?),
    };
    let name = match target {
        Target::File(path) => path,
        Target::Stdout => Path::new("stdout"),
    };
    let failed = |error| ExportError::Write { path: name.to_owned(), error };
    let mut outputs = Vec::new();
    for part in if export.split { PARTS.as_slice() } else { &[None] } {
        outputs.push(Output::new(target, *part, export, table.as_ref()).map_err(failed)?);
    }
    let rows = Ordered::open(journal)?;
    for entry in rows {
        let entry = entry?;
        let part = if export.split { part(RowVerdict::of(&row::rows(&entry.verdicts))) } else { 0 };
        outputs[part].writer.put(&entry).map_err(failed)?;
    }
    let made = fs::metadata(journal).and_then(|about| about.modified()).map_err(failed)?;
    outputs
        .into_iter()
        .map(|output| output.finish(made).map_err(failed))
        .collect::<Result<Vec<_>, _>>()
        .map(|paths| paths.into_iter().flatten().collect())
}

/// The files of an output that is split.
const PARTS: [Option<&str>; 3] = [Some("safe"), Some("violation"), Some("undecided")];

/// The file that a record goes to: whatever a person must look at is undecided.
fn part(standing: RowVerdict) -> usize {
    match standing {
        RowVerdict::Safe => 0,
        RowVerdict::Violation => 1,
        RowVerdict::Review | RowVerdict::Undecided => 2,
    }
}

/// An output on its way.
struct Output {
    writer: Box<dyn Writer>,
    /// The file, if there is one, and the name that was asked for.
    draft: Option<(Draft, PathBuf)>,
}

impl Output {
    fn new(target: Target<'_>, part: Option<&str>, export: &Export, table: Option<&Table>) -> io::Result<Self> {
        let (file, draft): (Box<dyn Write + Send>, _) = match target {
            Target::Stdout => (Box::new(io::stdout()), None),
            Target::File(path) => {
                let path = part.map_or(path.to_owned(), |part| beside(path, part));
                if files::is_stream(&path) {
                    (Box::new(files::stream(&path)?), None)
                } else {
                    files::sweep(&path);
                    let draft = Draft::beside(&path)?;
                    (Box::new(draft.file().try_clone()?), Some((draft, path)))
                }
            }
        };
        let file = pack::packed(BufWriter::with_capacity(1 << 16, file), export.packing)?;
        let form = export.form.clone();
        let writer: Box<dyn Writer> = match (export.format, table.cloned()) {
            (Format::Batch, _) => Box::new(batch::Results { file, form }),
            (Format::Csv, Some(table)) => Box::new(csv::Separated::new(file, b',', table)?),
            (Format::Tsv, Some(table)) => Box::new(csv::Separated::new(file, b'\t', table)?),
            #[cfg(feature = "parquet")]
            (Format::Parquet, Some(table)) => Box::new(parquet::Groups::new(file, table)?),
            _ => Box::new(Lines { file, form }),
        };
        Ok(Self { writer, draft })
    }

    /// Puts the output in its place. It gets the journal's time of change, so that a later change shows.
    fn finish(self, made: SystemTime) -> io::Result<Option<PathBuf>> {
        self.writer.finish()?;
        let Some((draft, path)) = self.draft else { return Ok(None) };
        draft.file().set_modified(made)?;
        draft.file().sync_all()?;
        draft.put()?;
        Ok(Some(path))
    }
}

/// `verdicts.csv.gz` and `safe` make `verdicts.safe.csv.gz`.
fn beside(path: &Path, part: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let at = stem.rfind('.').filter(|at| *at > 0).unwrap_or(stem.len());
    path.with_file_name(format!("{}.{part}{}", &name[..at], &name[at..]))
}

/// The files that an output will be.
#[must_use]
pub fn files(path: &Path, split: bool) -> Vec<PathBuf> {
    if split { PARTS.iter().flatten().map(|part| beside(path, part)).collect() } else { vec![path.to_owned()] }
}

/// Reports whether an output was changed after it was made from its journal.
#[must_use]
pub fn is_edited(output: &Path, journal: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    matches!((changed(output), changed(journal)), (Ok(output), Ok(journal)) if output > journal)
}

struct Lines {
    file: Box<dyn pack::Finish>,
    form: Form,
}

impl Writer for Lines {
    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        self.file.write_all(entry.line(&self.form).as_bytes())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_before_the_ending() {
        for (path, expect) in [
            ("a/verdicts.csv", "a/verdicts.safe.csv"),
            ("v.b.jsonl.gz", "v.b.safe.jsonl.gz"),
            ("v", "v.safe"),
            (".v", ".v.safe"),
            ("a.b/v.zst", "a.b/v.safe.zst"),
        ] {
            assert_eq!(beside(Path::new(path), "safe"), Path::new(expect));
        }
    }
}
