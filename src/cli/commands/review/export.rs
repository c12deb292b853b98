//! `review export`: the decisions of reviewers as JSONL, with their texts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::files::{self, Files};
use magistrate::review::item::Reason;
use magistrate::review::reader::{self, Decided, Reader, Wanted};
use serde_json::json;

use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::units::grouped;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Export {
    /// Folder of the queue: that of `magistrate serve --review`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Export the decisions about this policy alone
    #[arg(short = 'p', long = "policy", value_name = "ID", help_heading = "Input")]
    of_policy: Option<String>,

    /// Export the texts alone that are in the queue for this reason: unresolved, review, near, sample, flip, disagreement
    #[arg(long, value_name = "REASON", value_parser = reason, help_heading = "Input")]
    reason: Option<Reason>,

    /// File for the decisions [default: stdout]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

fn reason(word: &str) -> Result<Reason, String> {
    let words = || Reason::ALL.map(Reason::word).join(", ");
    Reason::of(word).ok_or_else(|| format!("the reasons are {}", words()))
}

impl Export {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let Self { folder, of_policy, reason, output: file } = self;
        let name = folder.display();
        ensure_hint!(
            reader::is_folder(&folder),
            "{name} is not the folder of a review queue",
            "name the folder of magistrate serve --review"
        );
        let file = file.filter(|file| file.as_os_str() != "-");
        let mut used = Files::new();
        used.read("the review queue", &reader::items(&folder))?;
        used.read("the decisions", &reader::decisions(&folder))?;
        file.iter().try_for_each(|path| used.write("the decisions", "-o", path))?;
        let reader = Reader::open(&folder).with_context(|| format!("{name} cannot be read"))?;
        let wanted = Wanted { policy: of_policy.as_deref(), reason };
        let counts = reader.counts(wanted);
        let mut lines = String::new();
        for decided in reader.decided(wanted) {
            let line = line(&decided.with_context(|| format!("{name} cannot be read"))?);
            match &file {
                None => output::data(&line)?,
                Some(_) => lines.push_str(&line),
            }
        }
        if let Some(path) = &file {
            files::write(path, lines.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
            output::summary(&format!("{}: {} decisions", path.display(), grouped(counts.decided)));
        }
        if counts.disputed > 0 {
            let disputed = grouped(counts.disputed);
            output::note(&format!("{disputed} texts with different verdicts by their reviewers are left out"));
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Returns the line of a decision.
fn line(decided: &Decided) -> String {
    let Decided { item, decision, category } = decided;
    let reasons: Vec<&str> = item.reasons.iter().map(|reason| reason.word()).collect();
    let line = json!({
        "id": item.id,
        "text": item.text,
        "expected": decision.verdict.word(),
        "category": category,
        "policy": item.policy,
        "reviewer": decision.reviewer,
        "reason": reasons.join(","),
        "time": decision.time,
        "note": decision.note,
    });
    format!("{line}\n")
}
