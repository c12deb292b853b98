//! Rows that were judged before: those of a finished run, or those in the JSON of an evaluation.

use std::path::Path;

use anyhow::Context;
use magistrate::eval::Evaluation;
use magistrate::eval::golden::{Golden, GoldenOptions};
use magistrate::eval::past_run::{Pairing, PastRun};
use magistrate::files::Files;
use magistrate::label::source::Placed;
use magistrate::policy::Policy;

use super::set::print_notes;
use crate::cli::args::journal::journal;
use crate::cli::terminal::error::{bail_hint, ensure_hint, in_file};
use crate::cli::terminal::output;
use crate::cli::terminal::units::{grouped, today};

/// The beginning of each journal.
const JOURNAL: &[u8] = b"{\"journal\":";

/// Rows that were judged before.
pub enum Past {
    Run(PastRun),
    Evaluations(Vec<Evaluation>),
}

/// The golden set of a run: another file, or `None` for the run's own columns.
pub struct Labels {
    pub set: Option<(String, Vec<Placed>)>,
    pub options: GoldenOptions,
}

impl Past {
    /// Reads a run, by its output or its journal, or the JSON of evaluations.
    pub fn open(path: &Path, files: &mut Files) -> Result<Self, anyhow::Error> {
        let name = path.display();
        let journal = journal(path);
        let bytes = std::fs::read(&journal).with_context(|| format!("{} cannot be read", journal.display()))?;
        if bytes.starts_with(JOURNAL) {
            files.read("the journal", &journal)?;
            return Ok(Self::Run(PastRun::open(&journal)?));
        }
        if !matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
            bail_hint!(
                "{name} is neither a magistrate run nor an eval result (there is no {name}.journal beside it)",
                "name the output of magistrate label, its journal, or a file of eval --json"
            );
        }
        files.read("the evaluation", path)?;
        Ok(Self::Evaluations(Evaluation::read_all(&bytes).map_err(|error| in_file(&name, error))?))
    }

    /// Evaluates the named policies, or all of the rows' own if none is named.
    pub fn evaluations(
        self,
        path: &Path,
        named: Vec<Policy>,
        labels: Labels,
    ) -> Result<Vec<Evaluation>, anyhow::Error> {
        let run = match self {
            Self::Evaluations(evaluations) => return of_policies(path, evaluations, &named),
            Self::Run(run) => run,
        };
        if !run.finished {
            let (name, rows) = (path.display(), grouped(run.rows()));
            output::message(&format!("note: the run {name} is not finished; {rows} rows are evaluated"));
        }
        let (places, policies): (Vec<usize>, Vec<Policy>) = run.policies(named)?.into_iter().unzip();
        let (pairing, name, records) = match labels.set {
            Some((name, records)) => (Pairing::Texts, name, records),
            None => (Pairing::Records, run.inputs(), own(&run)?),
        };
        let golden = Golden::read(records, &labels.options, &policies).map_err(|error| in_file(&name, error))?;
        print_notes(&golden, &name, &policies);
        let evaluations = run.evaluate(&golden, &name, &places, pairing)?;
        let set = golden.records.len();
        let fewest = evaluations.iter().map(|evaluation| evaluation.rows.len()).min().unwrap_or(0);
        if pairing == Pairing::Texts && fewest < set {
            let missing = grouped((set - fewest) as u64);
            output::message(&format!("note: {missing} texts of {name} are not in the run, and are left out"));
        }
        let date = Some(today());
        let described = evaluations.into_iter().zip(&policies);
        Ok(described.map(|(evaluation, policy)| evaluation.described(policy, date.clone())).collect())
    }
}

/// Returns the run's own records.
fn own(run: &PastRun) -> Result<Vec<Placed>, anyhow::Error> {
    let records = run.records()?;
    let without = run.rows() - records.len() as u64;
    if without > 0 {
        output::message(&format!("note: {} rows of the run have no text, and are left out", grouped(without)));
    }
    Ok(records)
}

/// Keeps the evaluations of the named policies, in their order. All if none is named.
fn of_policies(path: &Path, evaluations: Vec<Evaluation>, named: &[Policy]) -> Result<Vec<Evaluation>, anyhow::Error> {
    if named.is_empty() {
        return Ok(evaluations);
    }
    let mut kept = Vec::new();
    for policy in named {
        let digest = policy.digest();
        let found = evaluations.iter().find(|evaluation| evaluation.about.policy[1] == digest);
        let theirs: Vec<&str> = evaluations.iter().map(|evaluation| evaluation.about.policy[0].as_str()).collect();
        ensure_hint!(
            found.is_some(),
            ("{} is an evaluation of another policy ({})", path.display(), theirs.join(", ")),
            "leave out -p, or name the policy that it was made with"
        );
        kept.extend(found.cloned());
    }
    Ok(kept)
}
