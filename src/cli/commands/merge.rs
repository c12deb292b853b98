//! `merge`: joins the journals of a run on several machines, and writes their output. From one journal it writes
//! another output, or decides the run anew.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use magistrate::calibration::terms::Terms;
use magistrate::files::Files;
use magistrate::label::about::RunAbout;
use magistrate::label::anew::Anew;
use magistrate::label::config::policy_ids;
use magistrate::label::entry::OutputForm;
use magistrate::label::export::{Exported, Target as To, export_with};
use magistrate::label::journal::{self, JournalError, beside};
use magistrate::label::merge::{check, has_columns, merge};
use magistrate::label::row::RowFields;
use magistrate::label::summary::Summary;

use crate::cli::args::journal::journal;
use crate::cli::args::judging::{certificate, share};
use crate::cli::args::target::{OutputArgs, Target, names};
use crate::cli::terminal::error::{bail_hint, in_file};
use crate::cli::terminal::{exit, output, progress, summary};

#[derive(Debug, Args)]
pub struct Merge {
    /// Journals, or the outputs beside them
    #[arg(value_name = "JOURNAL", required = true)]
    journals: Vec<PathBuf>,

    /// Decide anew with this lowest P(violation) of a violation, 0 to 1, from the probabilities of the run
    #[arg(long, value_name = "P", value_parser = share, help_heading = "Judging")]
    threshold: Option<f64>,

    /// Decide anew with a certificate of `magistrate calibrate` that holds for the run
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    certificate: Option<PathBuf>,

    /// Fields of a row to write, such as verdict,probability, or all [default: all in JSONL, in tables the main ones]
    #[arg(long, value_name = "FIELD,...", value_parser = RowFields::parse, help_heading = "Output")]
    fields: Option<RowFields>,

    /// Input columns to keep in the output [default: all; --columns "" keeps no column]
    #[arg(long, value_name = "COLUMN,...", help_heading = "Output")]
    columns: Option<String>,

    /// Merge although records are missing
    #[arg(long)]
    partial: bool,

    /// Print the counts as JSON on stdout
    #[arg(long, requires = "output")]
    json: bool,

    #[command(flatten)]
    output: OutputArgs,
}

impl Merge {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let journals: Vec<PathBuf> = self.journals.iter().map(|path| journal(path)).collect();
        let terms = terms(&journals[0])?;
        let anew = decided_anew(&terms, self.threshold, self.certificate.as_deref())?;
        let columns = self.columns.as_deref().map(names);
        let form = OutputForm { policies: policy_ids(&terms), fields: self.fields.map(Arc::new), columns };
        for path in &journals {
            has_columns(path, &form).map_err(|error| in_file(path.display(), error))?;
        }
        let mut target = self.output.resolve(false, RunAbout::of(&terms).table, form)?;
        target.export.anew = anew;
        let mut files = Files::new();
        journals.iter().try_for_each(|path| files.read("a journal that is merged", path))?;
        if let Some(certificate) = &self.certificate {
            files.read("the certificate", certificate)?;
        }
        // Without a journal, an existing output is refused if something is in it.
        target.claim(&mut files, None)?;
        match journals.as_slice() {
            [one] => written(one, &target, self.partial, self.json),
            several => joined(several, &target, &mut files, self.partial, self.json),
        }
    }
}

/// Returns the terms of a run. Refuses a path of another file.
fn terms(path: &Path) -> Result<Terms, anyhow::Error> {
    match journal::terms(path) {
        Err(JournalError::Foreign(path)) => {
            let beside = beside(&path);
            let (path, beside) = (path.display(), beside.display());
            bail_hint!(
                "{path} is not a magistrate run (there is no {beside} beside it)",
                "name the output of a run of `magistrate label -o`, or its journal"
            );
        }
        read => Ok(read?),
    }
}

/// Returns the rules of a new decision, if one is wanted.
fn decided_anew(terms: &Terms, threshold: Option<f64>, file: Option<&Path>) -> Result<Option<Anew>, anyhow::Error> {
    if threshold.is_none() && file.is_none() {
        return Ok(None);
    }
    let read = file.map(|path| certificate(path.to_owned())).transpose()?;
    let certificate = read.map(|(_, certificate)| Arc::unwrap_or_clone(certificate));
    let anew = Anew::new(terms, threshold, certificate);
    let anew = anew.map_err(|error| in_file(file.unwrap_or(Path::new("--threshold")).display(), error))?;
    if anew.without_certificate {
        output::note("the run's certificate was issued for another threshold, and decides nothing here");
    }
    Ok(Some(anew))
}

/// Writes another output of one run.
fn written(journal: &Path, target: &Target, partial: bool, json: bool) -> Result<ExitCode, anyhow::Error> {
    let merged = progress::waiting("reading the journal", || check(journal, partial))?;
    let file = target.file.as_deref().map_or(To::Stdout, To::File);
    let mut report = target.report();
    match progress::waiting("writing the output", || export_with(journal, file, &target.export, report.as_mut())) {
        // The reader has closed the pipe.
        Err(error) if error.is_closed() => Ok(ExitCode::from(exit::DONE)),
        made => {
            let mut made = made?;
            made.files.extend(target.write_report(report.as_ref())?);
            if made.summary.is_none() {
                for path in &made.files {
                    output::summary(&format!("{} is written, of {} rows", path.display(), merged.rows()));
                }
            }
            print_counts(&made, &merged, json)?;
            Ok(decided(&made, &merged))
        }
    }
}

/// Prints the counts as JSON, if they are wanted.
fn print_counts(made: &Exported, merged: &Summary, wanted: bool) -> Result<(), anyhow::Error> {
    if !wanted {
        return Ok(());
    }
    let mut counts = serde_json::to_value(made.summary.as_ref().unwrap_or(merged))?;
    counts["rows"] = merged.rows().into();
    counts["changed"] = made.changed.into();
    counts["files"] = serde_json::to_value(&made.files)?;
    output::data(&format!("{counts}\n"))
}

/// Joins several journals, and writes their output.
fn joined(
    journals: &[PathBuf],
    target: &Target,
    files: &mut Files,
    partial: bool,
    json: bool,
) -> Result<ExitCode, anyhow::Error> {
    let Some(file) = target.file.as_ref().filter(|_| !target.is_stream()) else {
        bail_hint!("several journals become one beside the output", "name a file with -o");
    };
    let into = beside(file);
    files.write("the journal", "-o", &into)?;
    let merged = progress::waiting("merging", || merge(journals, &into, partial))?;
    let mut report = target.report();
    let write = || export_with(&into, To::File(file), &target.export, report.as_mut());
    let mut made = progress::waiting("writing the output", write)?;
    made.files.extend(target.write_report(report.as_ref())?);
    if made.summary.is_none() {
        output::summary(&summary::table(&merged, output::is_verbose()));
    }
    output::summary(&format!("{} rows of {} journals", merged.rows(), journals.len()));
    print_counts(&made, &merged, json)?;
    Ok(decided(&made, &merged))
}

/// Prints the counts of rows that were decided anew. Returns the exit code, which is that of a run then.
fn decided(made: &Exported, merged: &Summary) -> ExitCode {
    let Some(anew) = &made.summary else { return ExitCode::from(exit::DONE) };
    output::summary(&summary::table(anew, output::is_verbose()));
    if made.close > 0 {
        output::note(&format!(
            "{} probabilities are within {} of the threshold, which is about the error of an estimate. \
             `magistrate label` with the threshold scores every answer",
            made.close,
            Anew::CLOSE
        ));
    }
    let changed = made.changed;
    let counts = summary::counts(anew);
    output::summary(&format!("{counts}; {changed} decided otherwise than before{}", summary::written(&made.files)));
    debug_assert_eq!(anew.rows(), merged.rows());
    ExitCode::from(exit::of_run(anew, None))
}
