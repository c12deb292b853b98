//! A golden set that was read, with the policies and the settings to judge it by.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use magistrate::calibration::terms::Terms;
use magistrate::engine::Engine;
use magistrate::eval::golden::Golden;
use magistrate::eval::{Evaluation, Keep, evaluate, known};
use magistrate::label::about::{PolicyAbout, RunAbout};
use magistrate::label::config::{COLUMNS_TO_JUDGE, RunConfig};
use magistrate::label::memo::Archive;
use magistrate::label::run::Settings;
use magistrate::label::summary::Summary;
use magistrate::policy::Policy;

use super::keep::JournalArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::loading;
use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::output;
use crate::cli::terminal::progress::{self, Total};
use crate::cli::terminal::stop::{self, SAVED, Stop};
use crate::cli::terminal::units::{grouped, today};

/// A golden set that was read, and the policies and settings to judge it by. The model is not loaded yet.
pub struct Prepared {
    pub policies: Vec<Policy>,
    pub golden: Golden,
    pub(super) config: RunConfig,
    /// The set's name.
    pub(super) name: String,
    /// The settings by which its records are read.
    pub(super) reading: serde_json::Value,
    pub(super) keep: JournalArgs,
}

impl Prepared {
    /// Refuses a result that needs probabilities, where the model writes freely and gives none.
    pub fn gives_probabilities(&self, result: &str) -> Result<(), anyhow::Error> {
        let free = self.config.options.free;
        ensure_hint!(!free, "{result} needs probabilities, and --decode free gives none", "leave out --decode free");
        Ok(())
    }

    /// Refuses a set that cannot carry a result under each policy. It needs texts of both classes, and no text with two
    /// answers.
    pub fn holds(&self, result: &str) -> Result<(), anyhow::Error> {
        let name = &self.name;
        if let Some(class) = (0..self.policies.len()).find_map(|policy| self.golden.missing_class(policy)) {
            bail_hint!("{name} holds no {class}, and {result} needs both", "check the labels, or add such texts");
        }
        if let Some(first) = self.golden.contradictions.first() {
            bail_hint!("{first}, and {result} needs one answer for each", "leave the answer that is meant");
        }
        Ok(())
    }

    /// Refuses a baseline without texts of this set. If figures are held against it, it needs texts of both classes.
    pub fn shares(&self, before: &Evaluation, path: &Path, held: bool) -> Result<(), anyhow::Error> {
        let theirs: HashSet<_> = before.rows.iter().map(|row| row.hash).collect();
        let shared = self.golden.texts(0).filter(|(hash, _)| theirs.contains(hash));
        let (mut violations, mut others) = (0_u64, 0_u64);
        shared.for_each(|(_, is)| *if is { &mut violations } else { &mut others } += 1);
        let path = path.display();
        ensure_hint!(
            violations + others > 0,
            ("{path} has none of the texts of {}: it is the baseline of another set", self.name),
            "make one with eval --json on this set"
        );
        ensure_hint!(
            !held || (violations > 0 && others > 0),
            (
                "{path} and {} share {violations} violations and {others} other texts, and --max-drop needs both",
                self.name
            ),
            "make a baseline with eval --json on this set"
        );
        Ok(())
    }

    /// Judges the texts without a kept verdict by each policy. Returns `None` if it was stopped.
    pub fn evaluate(self) -> Result<Option<Vec<Evaluation>>, anyhow::Error> {
        let planned = loading::plan_for(&self.config, &self.policies, SEVERAL)?;
        let terms = planned.terms(&self.config, &self.policies);
        let mut archive = self.archive("eval", &terms);
        let all = self.golden.records.len() as u64;
        let conditions: Vec<Terms> =
            self.policies.iter().map(|policy| planned.conditions(&self.config, policy)).collect();
        let kept = archive.as_mut().and_then(|archive| known(&self.golden, archive, &self.name, &conditions));
        if let Some(evaluations) = kept {
            planned.note().iter().for_each(|note| output::message(note));
            resumed(all, all);
            return Ok(Some(described(evaluations, &self.policies)));
        }
        let stop = stop::on_signal(self.keep.keeps())?;
        let keeping = self.keep.open(&journal_terms(&terms, &self.reading, &conditions, &self.policies), archive)?;
        let engine = loading::load_planned(&self.config, planned)?;
        self.judge(&engine, &stop, keeping)
    }

    /// Judges the texts on a loaded engine, and adds them to those that are kept.
    pub(super) fn judge(
        self,
        engine: &Engine,
        stop: &Stop,
        keeping: Keep,
    ) -> Result<Option<Vec<Evaluation>>, anyhow::Error> {
        let settings = self.settings(stop);
        let Self { policies, golden, config, name, keep, .. } = self;
        let all = golden.records.len() as u64;
        let judges = loading::judges(&config, engine, &policies)?;
        let setups = judges.iter().zip(&policies).map(|(judge, policy)| {
            // A model that was loaded with less than planned has other settings.
            judge.provenance.setup(&name, config.conditions(engine.model(), engine.config(), policy))
        });
        let setups = setups.collect();
        let mut bar = progress::Rows::new(Total::Rows(all), stop.clone(), false);
        let (mut done, mut earlier) = (0, 0);
        let mut show = |summary: &Summary| {
            (done, earlier) = (summary.rows(), summary.resumed + summary.reused);
            bar.show(summary);
        };
        let evaluations = evaluate(engine, &judges, setups, golden, settings, keeping, &mut show);
        bar.clear();
        let evaluations = evaluations.with_context(|| name.clone())?;
        resumed(earlier, all);
        if evaluations.is_none() {
            output::message(&format!("stopped after {} of {} rows", grouped(done), grouped(all)));
            if keep.keeps() {
                output::message(SAVED);
            }
        }
        Ok(evaluations.map(|evaluations| described(evaluations, &policies)))
    }

    /// Returns the same with other settings and other texts.
    pub(super) fn with(&self, config: RunConfig, golden: Golden) -> Self {
        Self {
            policies: self.policies.clone(),
            golden,
            config,
            name: self.name.clone(),
            reading: self.reading.clone(),
            keep: self.keep.clone(),
        }
    }

    pub(super) fn settings(&self, stop: &Stop) -> Settings {
        Settings::default()
            .with_chunking(self.config.chunking)
            .with_reasoning(self.config.reasoning)
            .with_stop(Arc::clone(&stop.flag))
            .with_at_work(Arc::clone(&stop.at_work))
    }

    /// Opens the archive of a verb, unless the rows go to a journal.
    fn archive(&self, verb: &str, terms: &Terms) -> Option<Archive> {
        self.keep.journal().is_none().then(|| self.keep.cache.archive(verb, terms)).flatten()
    }

    /// Returns a memo with the verdicts of earlier runs on this engine.
    pub(super) fn memo(&self, engine: &Engine, verb: &str) -> Result<Keep, anyhow::Error> {
        let terms = self.config.terms(engine.model(), engine.config(), &self.policies);
        self.keep.open(&terms, self.archive(verb, &terms))
    }
}

/// Reports the rows that need not be judged again.
fn resumed(rows: u64, all: u64) {
    if rows > 0 {
        let again = if rows == all { " (--no-cache judges them again)" } else { "" };
        let rows = format!("{} {}", grouped(rows), if rows == 1 { "row" } else { "rows" });
        output::summary(&format!("resumed {rows} already judged{again}"));
    }
}

/// Adds the titles of categories and the date.
fn described(evaluations: Vec<Evaluation>, policies: &[Policy]) -> Vec<Evaluation> {
    let date = today();
    let pairs = evaluations.into_iter().zip(policies);
    pairs.map(|(evaluation, policy)| evaluation.described(policy, Some(date.clone()))).collect()
}

/// Returns the terms of a journal, which are those of a run over the same records, with its facts.
fn journal_terms(terms: &Terms, reading: &serde_json::Value, conditions: &[Terms], policies: &[Policy]) -> Terms {
    let mut terms = terms.clone();
    terms.0.insert(COLUMNS_TO_JUDGE.to_owned(), reading.clone());
    let about = policies.iter().zip(conditions).map(|(policy, conditions)| {
        let about = PolicyAbout::new(policy, conditions.clone());
        (policy.id.clone(), about)
    });
    RunAbout { policies: about.collect(), ..RunAbout::default() }.put(&mut terms);
    terms
}
