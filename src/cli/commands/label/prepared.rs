//! A run that was checked as far as that is possible without the model.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use magistrate::calibration::terms::Terms;
use magistrate::files::Files;
use magistrate::label::config::{DECIDING, RATIONALE, RunConfig};
use magistrate::label::entry::OutputForm;
use magistrate::label::export;
use magistrate::label::finished::finished;
use magistrate::label::journal::{self, Existing, Journal, JournalError, Past};
use magistrate::label::row::RowVerdict;
use magistrate::label::run::Settings;
use magistrate::label::run_terms::run_terms;
use magistrate::label::source::Source;
use magistrate::policy::{Form, Policy};
use serde_json::Value;

use super::flags::{LabelFlags, MemoArgs};
use super::journal_place::JournalPlace;
use crate::cli::args::input;
use crate::cli::args::target::{Target, names};
use crate::cli::loading::{self, Planned};
use crate::cli::terminal::error::hinted;
use crate::cli::terminal::stop::{self, Stop};
use crate::cli::terminal::summary::Timed;
use crate::cli::terminal::{output, progress};

/// A run without its model.
pub struct Prepared {
    pub policies: Vec<Policy>,
    pub config: RunConfig,
    pub source: Source,
    pub target: Target,
    pub settings: Settings,
    pub stop: Stop,
    pub only: Option<RowVerdict>,
    pub memo: MemoArgs,
    pub existing: Existing,
    pub dry_run: bool,
    /// The file of the summary.
    pub summary: Option<PathBuf>,
}

/// A journal that was opened, and its place.
pub type Kept = (JournalPlace, (Journal, Past));

impl Prepared {
    /// Reads the policies, the settings and the inputs' headers. Refuses a file that is used in two ways.
    pub fn read(flags: LabelFlags) -> Result<Self, anyhow::Error> {
        let policies = flags.policy.load()?;
        let mut config = flags.judging.resolve(&policies)?;
        config.composition = flags.input.composition();
        // The rationale is not printed then.
        config.options.no_rationale |= flags.only.is_some();
        let ids = policies.iter().map(|policy| policy.id.clone()).collect();
        let columns = flags.columns.as_deref().map(names);
        let form = OutputForm { policies: ids, fields: config.fields.clone(), columns: columns.clone() };
        let mut source = flags.input.open()?;
        if let Some(columns) = &columns {
            let own: Vec<String> = columns.iter().filter(|name| *name != "id").cloned().collect();
            input::warn(&source.require("--columns", &own)?);
        }
        if flags.only.is_some() {
            source
                .require_alike()
                .map_err(|what| hinted(anyhow::anyhow!("{what}"), "leave out --only, or name one input at a time"))?;
        }
        let target = flags.output.resolve(flags.input.is_batch(), source.table_form(), form)?;
        let existing = flags.existing.resolve();
        if existing == Existing::Resume && flags.only.is_none() {
            keep_rationales(&mut config, &policies, &target);
        }
        let mut files = Files::new();
        flags.policy.reads(&mut files)?;
        // A folder that cannot be used is refused before the model is loaded.
        flags.memo.folder()?;
        // Only the journal of a file outlives the run.
        let stop = stop::on_signal(flags.only.is_none() && !target.is_stream())?;
        let prepared = Self {
            settings: Settings::default()
                .with_chunking(config.chunking)
                .with_reasoning(config.reasoning)
                .with_own_names(false)
                .with_shard(flags.shard)
                .with_unordered(flags.unordered)
                .with_stop(Arc::clone(&stop.flag))
                .with_at_work(Arc::clone(&stop.at_work)),
            stop,
            policies,
            config,
            source,
            target,
            only: flags.only.map(RowVerdict::from),
            memo: flags.memo,
            existing,
            dry_run: flags.dry_run,
            summary: flags.summary.or_else(|| flags.json.then(|| PathBuf::from("-"))),
        };
        prepared.claim(files)?;
        Ok(prepared)
    }

    /// Adds the run's files to those of its policies.
    fn claim(&self, mut files: Files) -> Result<(), anyhow::Error> {
        loading::claim(&self.config, &mut files)?;
        input::claim(self.source.inputs(), &mut files)?;
        if !self.dry_run {
            let keeps = self.only.is_none() && !self.target.is_stream();
            let journal = self.target.file.as_deref().filter(|_| keeps).map(journal::beside);
            self.target.claim(&mut files, journal.as_deref())?;
        }
        if let Some(summary) = self.summary.as_deref().filter(|path| path.as_os_str() != "-") {
            files.write("the summary", "--summary", summary)?;
        }
        Ok(())
    }

    /// Opens the journal, unless rows are written directly. A journal of another run is refused.
    ///
    /// Most formats can be written only when all rows are known. Until then a journal keeps the rows.
    pub fn open_journal(&mut self, terms: &Terms, planned: &Planned) -> Result<Option<Kept>, anyhow::Error> {
        let is_stream = self.target.is_stream();
        let is_direct = self.only.is_some() || (is_stream && self.target.export.format == export::OutputFormat::Jsonl);
        if is_direct || self.dry_run {
            return Ok(None);
        }
        let beside = self.target.file.as_deref().filter(|_| !is_stream);
        let mut place = beside.map_or_else(JournalPlace::passing, |file| Ok(JournalPlace::beside(file)))?;
        let conditions = |policy: &Policy| planned.conditions(&self.config, policy);
        let terms = run_terms(terms, &self.source, self.settings.shard, &self.policies, conditions);
        let opened = Journal::open(&place.path, &terms, self.existing);
        let opened = opened.map_err(|error| self.decided_anew(error, &place.path, &terms))?;
        place.hide();
        let highest = opened.0.highest();
        if self.source.raise_limit(highest) {
            let file = place.path.display();
            output::message(&format!(
                "note: {file} has {highest} records already, more than --limit; all of them stay"
            ));
        }
        Ok(Some((place, opened)))
    }

    /// Adds a hint to the refusal of a journal that differs by its threshold or certificate alone: it can be decided
    /// anew.
    fn decided_anew(&self, error: JournalError, journal: &Path, terms: &Terms) -> anyhow::Error {
        let differs =
            |old: Terms| old.differences(terms).into_iter().all(|(name, ..)| DECIDING.contains(&name.as_str()));
        let is_other = matches!(error, JournalError::OtherTerms { .. }) && journal::terms(journal).is_ok_and(differs);
        let threshold = self.config.options.rule().and_then(|rule| rule.threshold);
        let threshold = threshold.map(|threshold| format!(" --threshold {threshold}"));
        let certificate = self.config.certificate.as_ref();
        let certificate = certificate.map(|(path, _)| format!(" --certificate {}", path.display()));
        match (&self.target.file, threshold.is_some() || certificate.is_some()) {
            (Some(output), true) if is_other => {
                let flags = threshold.unwrap_or_default() + &certificate.unwrap_or_default();
                let run = output.display();
                let hint =
                    format!("magistrate merge {run}{flags} -o NEW decides the finished rows anew, without judging");
                hinted(error.into(), hint)
            }
            _ => error.into(),
        }
    }

    /// Counts the rows of a finished run, which needs no model. `None` if something is left to judge.
    pub fn finished(&self, journal: &Path) -> Option<Timed> {
        let begun = Instant::now();
        let source = self.source.again().ok()??;
        let summary = progress::waiting("reading the journal", || finished(source, journal, self.settings.shard))?;
        Some(Timed { summary, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// Continues a journal with rationales if it has them, and without if it has none. So the fields of an output can change.
fn keep_rationales(config: &mut RunConfig, policies: &[Policy], target: &Target) {
    let Some(file) = target.file.as_deref().filter(|_| !target.is_stream()) else { return };
    let Ok(terms) = journal::terms(&journal::beside(file)) else { return };
    let Some(had) = terms.0.get(RATIONALE).and_then(Value::as_bool) else { return };
    let is_missed =
        !had && !config.options.no_rationale && policies.iter().any(|policy| policy.contract.form == Form::Rationale);
    if is_missed {
        let why = "the run was begun with --fields that left them out";
        output::note(&format!("the rows have no rationales, because {why}. --restart judges again"));
    }
    config.options.no_rationale = !had;
}
