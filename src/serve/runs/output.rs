//! Outputs of a run: files made of its journal, and its report.

use std::fs::File;

use axum::http::StatusCode;

use super::file_name::disposition;
use super::record::RunState;
use super::{Runs, unreadable};
use crate::calibration::terms::Terms;
use crate::label::about::RunAbout;
use crate::label::config::policy_ids;
use crate::label::entry::OutputForm;
use crate::label::export::{Export, OutputFormat, Target, export};
use crate::label::journal;
use crate::label::report::{Report, today};
use crate::serve::api_error::ApiError;

/// An output that was made.
#[derive(Debug)]
pub struct RunOutput {
    /// The file, at its beginning.
    pub file: File,
    /// The media type.
    pub kind: &'static str,
    /// The header that names the file.
    pub disposition: String,
}

/// The formats: their words, which are the endings, and their media types.
const FORMATS: [(&str, OutputFormat, &str); 5] = [
    ("csv", OutputFormat::Csv, "text/csv; charset=utf-8"),
    ("tsv", OutputFormat::Tsv, "text/tab-separated-values; charset=utf-8"),
    ("jsonl", OutputFormat::Jsonl, "application/x-ndjson"),
    ("parquet", OutputFormat::Parquet, "application/vnd.apache.parquet"),
    ("xlsx", OutputFormat::Xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

impl Runs {
    /// Makes an output of the rows that are done.
    ///
    /// # Errors
    ///
    /// Status 400 for another format, 404 for another run, 409 if nothing was judged, 500 if it cannot be made.
    pub fn output(&self, id: &str, format: &str) -> Result<RunOutput, ApiError> {
        let record = self.get(id)?.record;
        let known = FORMATS.into_iter().find(|(word, ..)| *word == format);
        let (word, format, kind) = known.ok_or_else(|| {
            let words = FORMATS.map(|(word, ..)| word).join(", ");
            ApiError::invalid("invalid_value", format!("the formats are {words}")).of("format")
        })?;
        let (journal, terms) = (self.folder.journal(id), self.terms(id)?);
        let about = RunAbout::of(&terms);
        let form = OutputForm { policies: policy_ids(&terms), ..OutputForm::default() };
        let settings = Export { format, form, table: about.table, ..Export::default() };
        // The output of a run that is done stays the same.
        let is_done = record.state == RunState::Done;
        let path = self.folder.path(id, &format!("{}.{word}", if is_done { "output" } else { "part" }));
        if !(is_done && path.exists()) {
            export(&journal, Target::File(&path), &settings).map_err(|error| unreadable(&error))?;
        }
        let file = File::open(&path).map_err(|error| unreadable(&error))?;
        Ok(RunOutput { file, kind, disposition: disposition(&record.name.output(word)) })
    }

    /// Returns the report of the rows that are done, as a page.
    ///
    /// # Errors
    ///
    /// The errors of [`Runs::output`].
    pub fn report(&self, id: &str) -> Result<String, ApiError> {
        self.get(id)?;
        self.terms(id)?;
        let report = Report::of_journal(&self.folder.journal(id)).map_err(|error| unreadable(&error))?;
        report.html(&today()).map_err(|error| unreadable(&error))
    }

    /// Returns the terms of a run's journal.
    fn terms(&self, id: &str) -> Result<Terms, ApiError> {
        journal::terms(&self.folder.journal(id)).map_err(|_| {
            let message = "nothing was judged yet; POST /v1/runs/{run}/start begins the run";
            ApiError::new(StatusCode::CONFLICT, "conflict", message)
        })
    }
}
