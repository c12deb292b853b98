//! A run that was checked as far as that is possible without the model.

use std::path::PathBuf;

use magistrate::calibration::terms::{COLUMNS, SHARD, Terms};
use magistrate::files::Files;
use magistrate::label::columns::{ColumnRenamer, Columns};
use magistrate::label::config::{COLUMNS_TO_JUDGE, RunConfig};
use magistrate::label::entry::OutputForm;
use magistrate::label::export;
use magistrate::label::journal::{self, Existing, Journal, Past};
use magistrate::label::row::{self, RowVerdict};
use magistrate::label::run::Settings;
use magistrate::label::source::Source;
use magistrate::policy::Policy;
use serde_json::value::RawValue;

use super::flags::{LabelFlags, MemoArgs};
use super::journal_place::JournalPlace;
use crate::cli::args::input;
use crate::cli::args::target::Target;
use crate::cli::loading;
use crate::cli::terminal::error::hinted;
use crate::cli::terminal::{output, stop};

/// A run without its model.
pub struct Prepared {
    pub policies: Vec<Policy>,
    pub config: RunConfig,
    pub source: Source,
    pub target: Target,
    pub settings: Settings,
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
        let form = OutputForm { policies: ids, fields: config.fields.clone() };
        let columns = flags.columns.as_deref().map(names);
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
        let target = flags.output.resolve(flags.input.is_batch(), form)?;
        let mut files = Files::new();
        flags.policy.reads(&mut files)?;
        // A folder that cannot be used is refused before the model is loaded.
        flags.memo.folder()?;
        let prepared = Self {
            settings: Settings::default()
                .with_chunking(config.chunking)
                .with_reasoning(config.reasoning)
                .with_columns(columns)
                .with_own_names(false)
                .with_shard(flags.shard)
                .with_unordered(flags.unordered)
                .with_stop(stop::on_signal()?),
            policies,
            config,
            source,
            target,
            only: flags.only.map(RowVerdict::from),
            memo: flags.memo,
            existing: flags.existing.resolve(),
            dry_run: flags.dry_run,
            summary: flags.summary,
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
    pub fn open_journal(&mut self, terms: &Terms) -> Result<Option<Kept>, anyhow::Error> {
        let is_stream = self.target.is_stream();
        let is_direct = self.only.is_some() || (is_stream && self.target.export.format == export::OutputFormat::Jsonl);
        if is_direct || self.dry_run {
            return Ok(None);
        }
        let beside = self.target.file.as_deref().filter(|_| !is_stream);
        let mut place = beside.map_or_else(JournalPlace::passing, |file| Ok(JournalPlace::beside(file)))?;
        let terms = run_terms(terms, &self.source, &self.settings, &self.policies);
        let opened = Journal::open(&place.path, &terms, self.existing)?;
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
}

/// Returns the terms that all rows of a run have in common, beside the inputs.
fn run_terms(terms: &Terms, source: &Source, settings: &Settings, policies: &[Policy]) -> Terms {
    let mut terms = terms.clone();
    terms.0.insert(COLUMNS_TO_JUDGE.to_owned(), source.reading());
    if let Some(columns) = table_columns(source, settings, policies) {
        terms.0.insert(COLUMNS.to_owned(), columns.into());
    }
    if let Some(columns) = &settings.columns {
        terms.0.insert("columns to keep".to_owned(), columns.clone().into());
    }
    if let Some(shard) = settings.shard {
        terms.0.insert(SHARD.to_owned(), shard.to_string().into());
    }
    terms
}

/// Returns the columns of tables as rows name them, so that an output without rows has them, too.
fn table_columns(source: &Source, settings: &Settings, policies: &[Policy]) -> Option<Vec<String>> {
    let names = source.table_columns()?;
    let mut columns = Columns(names.into_iter().map(|name| (name.to_owned(), RawValue::NULL.to_owned())).collect());
    if let Some(wanted) = &settings.columns {
        columns.0.retain(|(name, _)| wanted.contains(name));
    }
    ColumnRenamer::new(row::names(policies.iter().map(|policy| policy.id.as_str()))).rename(&mut columns);
    Some(columns.names().map(str::to_owned).collect())
}

/// Returns the names of a list. An empty text is an empty list.
fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
