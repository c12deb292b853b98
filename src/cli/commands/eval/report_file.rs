//! A report's kind and file.

use std::path::PathBuf;

use anyhow::Context;
use magistrate::eval::{Evaluation, report};
use magistrate::files;

/// A report's kind and file.
#[derive(Clone, Debug)]
pub struct ReportFile {
    kind: Kind,
    pub path: PathBuf,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Page,
    Markdown,
    Json,
}

impl ReportFile {
    /// Returns the report of a file's name, whose ending is its kind.
    pub fn of_name(name: &str) -> Result<Self, String> {
        let path = PathBuf::from(name);
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let kind = match ending.as_deref() {
            Some("html" | "htm") => Kind::Page,
            Some("md") => Kind::Markdown,
            Some("json") => Kind::Json,
            _ => return Err("report files end in .html, .md or .json; --json prints to stdout".to_owned()),
        };
        Ok(Self { kind, path })
    }

    /// Writes the report.
    pub fn write(&self, evaluations: &[Evaluation]) -> Result<(), anyhow::Error> {
        let text = match self.kind {
            Kind::Page => report::html(evaluations)?,
            Kind::Markdown => report::markdown(evaluations),
            Kind::Json => json_of(evaluations)?,
        };
        files::write(&self.path, text.as_bytes()).with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

/// Returns the JSON of one evaluation, or of a list of several.
pub fn json_of(evaluations: &[Evaluation]) -> Result<String, serde_json::Error> {
    match evaluations {
        [only] => serde_json::to_string(only),
        several => serde_json::to_string(several),
    }
}
