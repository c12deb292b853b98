//! An output that is being written.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::flat_table::FlatTable;
use super::pack::{self, Finish};
#[cfg(feature = "parquet")]
use super::parquet;
use super::row_writer::RowWriter;
use super::settings::{Export, OutputFormat, Target};
#[cfg(feature = "xlsx")]
use super::xlsx;
use super::{batch, csv, split};
use crate::files::{self, Draft};
use crate::label::entry::{Entry, OutputForm};

/// An output that is being written.
pub(super) struct Output {
    pub writer: Box<dyn RowWriter>,
    /// The draft, and the path that it gets when it is complete. `None` for stdout and streams.
    draft: Option<(Draft, PathBuf)>,
}

impl Output {
    pub fn new(target: Target<'_>, name: Option<&str>, export: &Export, table: Option<&FlatTable>) -> io::Result<Self> {
        let (file, draft): (Box<dyn Write + Send>, _) = match target {
            Target::Stdout => (Box::new(io::stdout()), None),
            Target::File(path) => {
                let path = name.map_or(path.to_owned(), |name| split::split_path(path, name));
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
        let writer: Box<dyn RowWriter> = match (export.format, table.cloned()) {
            (OutputFormat::Batch, _) => Box::new(batch::Results { file, form }),
            (OutputFormat::Csv, Some(table)) => {
                Box::new(csv::Separated::new(file, export.table.separator, table, export.table.bom)?)
            }
            (OutputFormat::Tsv, Some(table)) => Box::new(csv::Separated::new(file, b'\t', table, export.table.bom)?),
            #[cfg(feature = "parquet")]
            (OutputFormat::Parquet, Some(table)) => Box::new(parquet::Groups::new(file, table)?),
            #[cfg(feature = "xlsx")]
            (OutputFormat::Xlsx, Some(table)) => Box::new(xlsx::Sheet::new(file, table)?),
            _ => Box::new(Lines { file, form }),
        };
        Ok(Self { writer, draft })
    }

    /// Moves the output to its path. It gets the journal's time of change, so that later edits can be recognized.
    pub fn finish(self, made: SystemTime) -> io::Result<Option<PathBuf>> {
        self.writer.finish()?;
        let Some((draft, path)) = self.draft else { return Ok(None) };
        draft.file().set_modified(made)?;
        draft.file().sync_all()?;
        draft.put()?;
        Ok(Some(path))
    }
}

/// Rows as JSON lines.
struct Lines {
    file: Box<dyn Finish>,
    form: OutputForm,
}

impl RowWriter for Lines {
    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        self.file.write_all(entry.line(&self.form).as_bytes())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.finish()
    }
}
