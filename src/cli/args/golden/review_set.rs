//! Review queues as golden sets: texts with the decisions of reviewers.

use std::io::Cursor;
use std::path::Path;

use anyhow::Context;
use magistrate::files::Files;
use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::source::Source;
use magistrate::policy::{Policy, Verdict};
use magistrate::review::item::{Reason, Ruling};
use magistrate::review::reader::{self, Counts, Decided, Reader, Wanted};
use serde_json::{Value, json};

use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::output;
use crate::cli::terminal::units::grouped;

/// The decisions of a review queue that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decisions {
    /// All.
    All,
    /// The decisions about texts that were chosen at random. Only they tell how often a verdict is right.
    Sampled,
}

/// Opens the decisions in a folder as a golden set of one policy.
pub fn open(folder: &Path, policies: &[Policy], used: Decisions, files: &mut Files) -> Result<Source, anyhow::Error> {
    let name = folder.display().to_string();
    let [policy] = policies else {
        bail_hint!("{name} is a review queue, whose decisions are read for one policy", "name one policy with -p");
    };
    files.read("the review queue", &reader::items(folder))?;
    files.read("the decisions", &reader::decisions(folder))?;
    let reader = Reader::open(folder).with_context(|| format!("{name} cannot be read"))?;
    let all = Wanted { policy: Some(&policy.id), reason: None };
    let wanted = Wanted { reason: (used == Decisions::Sampled).then_some(Reason::Sample), ..all };
    let counts = reader.counts(wanted);
    if used == Decisions::Sampled {
        of_sample(&name, &policy.id, reader.counts(all), counts)?;
    }
    let about = &policy.id;
    ensure_hint!(
        counts.decided > 0,
        "the review queue {name} has no decision about the policy {about} that can be used",
        "reviewers decide on the page of magistrate serve --review"
    );
    if counts.disputed > 0 {
        let disputed = texts(counts.disputed);
        output::message(&format!("note: {disputed}, about which reviewers have different verdicts, are left out"));
    }
    let mut unknown = 0;
    let mut lines = String::new();
    for decided in reader.decided(wanted) {
        let decided = decided.with_context(|| format!("{name} cannot be read"))?;
        lines.push_str(&format!("{}\n", line(&decided, policy, &mut unknown)));
    }
    if unknown > 0 {
        let decisions = grouped(unknown);
        output::message(&format!(
            "note: {decisions} decisions name a category that is not in the policy {about} any more"
        ));
    }
    let name = format!("the decisions in {name}");
    Ok(Source::of_stream(&name, Cursor::new(lines), InputFormat::Jsonl, RecordFields::default())?)
}

/// Reports how many decisions are about texts that were not chosen at random. Refuses a queue without others.
fn of_sample(name: &str, policy: &str, all: Counts, sampled: Counts) -> Result<(), anyhow::Error> {
    ensure_hint!(
        sampled.decided > 0 || all.decided == 0,
        "the decisions in {name} about {policy} are on doubtful texts, and a certificate needs texts chosen at random",
        "serve with --sample 1%, and decide about those texts: ?reason=sample"
    );
    let others = all.decided - sampled.decided;
    let (used, others) = (texts(sampled.decided), texts(others));
    output::message(&format!(
        "note: {used} were chosen at random, and are used; {others} with a decision are left out"
    ));
    if sampled.open > 0 {
        let open = texts(sampled.open);
        output::message(&format!(
            "note: {open} of the random share are not decided; a certificate should have them, too"
        ));
    }
    Ok(())
}

/// Returns the line of a decided item, in the form of a policy's own set. The category is the code, if the policy has it.
fn line(decided: &Decided, policy: &Policy, unknown: &mut u64) -> Value {
    let Decided { item, decision, category } = decided;
    let is_code = |code: &&String| {
        policy.categories().iter().any(|category| category.code == **code && category.verdict == Verdict::Violation)
    };
    let answer = match decision.verdict {
        Ruling::Safe => None,
        Ruling::Violation => {
            let code = category.as_ref().filter(is_code);
            let has = |code: &String| policy.categories().iter().any(|category| category.code == *code);
            *unknown += u64::from(category.as_ref().is_some_and(|code| !has(code)));
            Some(code.map_or_else(|| decision.verdict.word().to_owned(), Clone::clone))
        }
    };
    let reasons: Vec<&str> = item.reasons.iter().map(|reason| reason.word()).collect();
    json!({
        "id": item.id,
        "text": item.text,
        "category": answer,
        "reviewer": decision.reviewer,
        "reason": reasons.join(","),
    })
}

fn texts(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "text" } else { "texts" })
}
