//! The flags that name the output, and its format.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use magistrate::files::{self, Files};
use magistrate::label::about::TableForm;
use magistrate::label::entry::OutputForm;
use magistrate::label::export::{self, Export, Packing};
use magistrate::label::report::Report;

use super::input::delimiter;
use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::units::today;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// File for the rows [default: stdout]. With the journal beside it, the same command resumes
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Output format [default: by the file's extension, else JSONL, or batch for batch requests]
    #[arg(long, value_name = "FORMAT")]
    output_format: Option<OutputFormat>,

    /// Begin CSV and TSV with a byte order mark, so that a spreadsheet reads UTF-8 [default: as the first input does]
    #[arg(long)]
    bom: bool,

    /// Separator of CSV fields in the output: a character, or tab [default: as in the first CSV input, else a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    output_delimiter: Option<u8>,

    /// Write one file each for safe, violation and undecided: OUT.safe.jsonl and so on
    #[arg(long, value_name = "WHAT", requires = "output")]
    split_by: Option<SplitBy>,

    /// Write a page about the rows, too: verdicts by category and over the input, probabilities, the closest decisions
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OutputFormat {
    Jsonl,
    Csv,
    Tsv,
    Parquet,
    /// A workbook of Excel
    Xlsx,
    /// Results of the OpenAI Batch API
    Batch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SplitBy {
    Verdict,
}

/// The destination and the format of rows.
pub struct Target {
    /// A file, with a journal beside it. `None` for stdout.
    pub file: Option<PathBuf>,
    pub export: Export,
    /// The file of the report.
    report: Option<PathBuf>,
}

impl OutputArgs {
    /// Resolves the flags. `batch` is set if requests of the Batch API are read. `table` is the form of tables in text
    /// without flags.
    pub fn resolve(self, batch: bool, table: TableForm, form: OutputForm) -> Result<Target, anyhow::Error> {
        let path = self.output.filter(|path| path.as_os_str() != "-");
        let by_name = path.as_deref().and_then(export::OutputFormat::of_path);
        if let Some(path) = path.as_deref().filter(|_| self.output_format.is_none() && by_name.is_none()) {
            // A pipe or a device has a name for other reasons than its format.
            ensure_hint!(
                !has_ending(path) || files::is_stream(path),
                ("{}: no format has this ending", path.display()),
                "end the name in .jsonl, .csv, .tsv, .xlsx or .parquet, or name the format with --output-format"
            );
        }
        let format = match (self.output_format, by_name) {
            (Some(named), _) => named.into(),
            // Results of the Batch API are lines of JSON, too, so they have the same ending.
            (None, None | Some(export::OutputFormat::Jsonl)) if batch => export::OutputFormat::Batch,
            (None, by_name) => by_name.unwrap_or(export::OutputFormat::Jsonl),
        };
        let packing = path.as_deref().and_then(Packing::of_path);
        ensure_hint!(
            format != export::OutputFormat::Parquet || packing.is_none(),
            "Parquet packs its columns itself",
            "leave out .gz or .zst"
        );
        ensure_hint!(
            format != export::OutputFormat::Xlsx || packing.is_none(),
            "a workbook is packed itself",
            "leave out .gz or .zst"
        );
        format.is_built()?;
        let is_text = matches!(format, export::OutputFormat::Csv | export::OutputFormat::Tsv);
        ensure_hint!(is_text || !self.bom, "--bom is for CSV and TSV", "leave it out, or write one of these");
        ensure_hint!(
            format == export::OutputFormat::Csv || self.output_delimiter.is_none(),
            "--output-delimiter is for CSV",
            "leave it out, or end the name of the output in .csv"
        );
        let separator = self.output_delimiter.unwrap_or(table.separator);
        let table = TableForm { bom: is_text && (self.bom || table.bom), separator };
        let split = self.split_by.is_some();
        let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html"));
        if let Some(report) = self.report.as_ref().filter(|path| !is_page(path)) {
            bail_hint!(("{}: report files end in .html", report.display()), "end the name in .html");
        }
        Ok(Target {
            report: self.report,
            file: path,
            export: Export { format, packing, form, split, table, anew: None },
        })
    }
}

impl Target {
    /// Reports whether the rows go to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.file.is_none() && std::io::stdout().is_terminal()
    }

    /// Reports whether the output can be written but not put in place: a pipe, a device.
    pub fn is_stream(&self) -> bool {
        self.file.as_deref().is_none_or(files::is_stream)
    }

    /// Returns an empty report, if one is wanted.
    pub fn report(&self) -> Option<Report> {
        self.report.as_ref().map(|_| Report::default())
    }

    /// Writes a report. Returns its path.
    pub fn write_report(&self, report: Option<&Report>) -> Result<Option<PathBuf>, anyhow::Error> {
        let Some((path, report)) = self.report.as_ref().zip(report) else { return Ok(None) };
        let page = report.html(&today())?;
        files::write(path, page.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Some(path.clone()))
    }

    /// Adds the output and its journal to the files of a run. Refuses to overwrite a file that was not made from this
    /// journal.
    pub fn claim(&self, files: &mut Files, journal: Option<&Path>) -> Result<(), anyhow::Error> {
        if let Some(report) = &self.report {
            files.write("the report", "--report", report)?;
        }
        let Some(path) = &self.file else { return Ok(files.write_stdout("-o")?) };
        for file in export::files(path, self.export.split) {
            files.write("the output", "-o", &file)?;
            let name = file.display();
            let full = std::fs::metadata(&file).is_ok_and(|about| about.is_file() && about.len() > 0);
            if full && !files::is_stream(&file) {
                let Some(journal) = journal.filter(|journal| journal.exists()) else {
                    bail_hint!("{name} has something in it already", "name another file with -o, or remove it");
                };
                ensure_hint!(
                    !export::is_edited(&file, journal),
                    "{name} was changed after it was made",
                    "name another file with -o, or remove it to have it made anew"
                );
            }
        }
        if let Some(journal) = journal {
            files.write("the journal", "-o", journal)?;
            let name = journal.display();
            ensure_hint!(
                !files::is_stream(journal),
                "{name} is a pipe or a device, and no journal",
                "name another file with -o"
            );
        }
        Ok(())
    }
}

/// Reports whether a name has an ending besides that of a packed file.
fn has_ending(path: &Path) -> bool {
    match Packing::of_path(path) {
        Some(_) => path.file_stem().is_some_and(|stem| has_ending(Path::new(stem))),
        None => path.extension().is_some(),
    }
}

/// Returns the names of a list. An empty text is an empty list.
pub fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl From<OutputFormat> for export::OutputFormat {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Jsonl => Self::Jsonl,
            OutputFormat::Csv => Self::Csv,
            OutputFormat::Tsv => Self::Tsv,
            OutputFormat::Parquet => Self::Parquet,
            OutputFormat::Xlsx => Self::Xlsx,
            OutputFormat::Batch => Self::Batch,
        }
    }
}
