//! The canary set, judged and compared with the record in the cache folder, else with the shipped one.

use std::path::PathBuf;
use std::slice;

use anyhow::Context;
use magistrate::cache;
use magistrate::canary::{self, Answer, Drift, Record};
use magistrate::content::Content;
use magistrate::engine::Completion;
use magistrate::label::config::RunConfig;

use super::finding::Finding;
use crate::cli::fitting::SEVERAL;
use crate::cli::loading;
use crate::cli::terminal::progress;

/// Loads the model and judges. Makes a record if that is wanted, or if there is nothing to compare with.
pub fn look(config: &RunConfig, record: bool) -> Result<Finding, anyhow::Error> {
    let Judged { name, digest, completions } = judge(config)?;
    let now = Record::new(&digest, &completions);
    let file = place(&digest)?;
    let recorded = || std::fs::read(&file).ok().and_then(|json| Record::read(&json, &digest));
    // A record of this machine comes before the shipped one: a user made it on purpose.
    match recorded().or_else(|| Record::shipped(&digest)).filter(|_| !record) {
        Some(known) => Ok(compared(&known.drift(&now))),
        None => {
            cache::make(file.parent().unwrap_or(&file))
                .and_then(|()| cache::put(&file, &serde_json::to_vec(&now)?))
                .with_context(|| format!("{} cannot be written", file.display()))?;
            let why = if record { "" } else { ", for the first time with this model" };
            let found = format!("{COUNT} verdicts of {name} are recorded{why}, in {}", file.display());
            Ok(Finding::ok("canary", found))
        }
    }
}

/// Judges on a server and on this machine, and compares the two.
#[cfg(feature = "remote")]
pub fn beside(remote: &RunConfig, here: &RunConfig) -> Result<Finding, anyhow::Error> {
    let (there, here) = (judge(remote)?, judge(here)?);
    let record = |judged: &Judged| Record::new(&here.digest, &judged.completions);
    let drift = record(&here).drift(&record(&there));
    let flipped = drift.iter().filter(|drift| drift.flipped()).count();
    let mut found = format!("{} of {COUNT} verdicts as {} on this machine", COUNT - flipped, here.name);
    for Drift { text, before, now } in &drift {
        let [here, there] = [*before, *now].map(answer);
        found.push_str(&format!("\n\"{}\" is {here} here, and {there} there", canary::TEXTS[*text]));
    }
    Ok(match (drift.is_empty(), flipped) {
        (true, _) => Finding::ok("beside", found),
        (false, 0) => Finding::note("beside", found, OTHER),
        (false, _) => Finding::problem("beside", found, OTHER),
    })
}

#[cfg(feature = "remote")]
const OTHER: &str = "check that both have the same model in the same precision";

/// The canary set, judged.
struct Judged {
    name: String,
    digest: String,
    completions: Vec<Completion>,
}

fn judge(config: &RunConfig) -> Result<Judged, anyhow::Error> {
    let policy = canary::policy();
    let engine = loading::load(config, slice::from_ref(policy), SEVERAL)?;
    let session = loading::session(config, &engine, policy)?;
    let contents = canary::TEXTS.map(Content::new);
    let completions =
        progress::waiting("judging the canary set", || session.classify_all(&contents).collect::<Result<Vec<_>, _>>())?;
    Ok(Judged { name: engine.model().name.clone(), digest: engine.model().digest.clone(), completions })
}

const COUNT: usize = canary::TEXTS.len();

/// Returns the file with the record of a model.
fn place(digest: &str) -> Result<PathBuf, anyhow::Error> {
    Ok(cache::folder()?.join("canary").join(format!("{}.json", digest.replace(':', "-"))))
}

fn compared(drift: &[Drift]) -> Finding {
    let flipped = drift.iter().filter(|drift| drift.flipped()).count();
    let mut found = format!("{} of {COUNT} verdicts as recorded", COUNT - flipped);
    for Drift { text, before, now } in drift {
        found.push_str(&format!("\n\"{}\" was {}, and is {}", canary::TEXTS[*text], answer(*before), answer(*now)));
    }
    match (drift.is_empty(), flipped) {
        (true, _) => Finding::ok("canary", found),
        (false, 0) => Finding::note("canary", found, REMEDY),
        (false, _) => Finding::problem("canary", found, REMEDY),
    }
}

const REMEDY: &str = "find the change: try --device cpu, a newer driver, and `magistrate model verify`; if it is as it should be, \
    --record takes it for the truth";

fn answer(answer: Answer) -> String {
    let verdict = answer.verdict.map_or_else(|| "no verdict".to_owned(), |verdict| verdict.to_string());
    answer.probability.map_or_else(|| verdict.clone(), |probability| format!("{verdict} {probability:.3}"))
}
