//! `label`: judges a stream of texts, one row each, or prints the texts with a wanted verdict, as grep does.

mod dry_run;
mod journal_place;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use magistrate::cache;
use magistrate::calibration::terms::{COLUMNS, SHARD, Terms};
use magistrate::engine::Engine;
use magistrate::files::{self, Files};
use magistrate::label::columns::{Clashes, Columns};
use magistrate::label::config::COLUMNS_TO_JUDGE;
use magistrate::label::entry::Form;
use magistrate::label::export::{self, export};
use magistrate::label::journal::{self, Existing, Journal, Past};
use magistrate::label::memo::{Archive, Memo};
use magistrate::label::row::RowVerdict;
use magistrate::label::row::{self, Printed};
use magistrate::label::run::{Judge, Known, News, Settings, run};
use magistrate::label::shard::Shard;
use magistrate::label::sink::{Only, Rows, Sink};
use magistrate::label::source::Source;
use magistrate::label::summary::Ended;
use magistrate::policy::Policy;
use serde_json::value::RawValue;

use self::journal_place::JournalPlace;
use crate::cli::args::input::{self, InputArgs};
use crate::cli::args::judging::JudgingArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::args::target::OutputArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::error::hinted;
use crate::cli::terminal::summary::{Timed, finish};
use crate::cli::terminal::{output, progress, stop};
use crate::cli::{devices, loading};

#[derive(Debug, Args)]
pub struct Label {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    output: OutputArgs,

    /// Input columns to keep in the output [default: all; --columns "" keeps no column]
    #[arg(long, value_name = "COLUMN,...")]
    columns: Option<String>,

    /// Print only the input lines with this verdict, unchanged, like grep
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["output_format", "split_by", "columns", "shard"])]
    only: Option<OnlyArg>,

    /// Judge only this share of the rows, such as 3/8, for as many machines. `magistrate merge` joins the shares
    #[arg(long, value_name = "I/N", requires = "output")]
    shard: Option<Shard>,

    /// Count rows and tokens, measure a few, and estimate time and memory
    #[arg(long, conflicts_with = "only")]
    dry_run: bool,

    /// Print rows as they are done. A file is put in order at the end all the same
    #[arg(long)]
    unordered: bool,

    #[command(flatten)]
    memo: MemoArgs,

    #[command(flatten)]
    existing: ExistingArgs,

    /// Write the summary as JSON, too; - is stdout
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,

    /// Print the JSON Schema of a row, and judge nothing
    #[arg(long, exclusive = true)]
    schema: bool,

    #[command(flatten)]
    judging: JudgingArgs,
}

/// The treatment of equal texts.
#[derive(Debug, Args)]
struct MemoArgs {
    /// Reuse verdicts on equal texts across runs, from a folder [default: one in the cache folder]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "how clap has a value that may be left out")]
    cache: Option<Option<PathBuf>>,

    /// Judge equal texts again each time
    #[arg(long, conflicts_with = "cache")]
    no_dedupe: bool,
}

impl MemoArgs {
    /// Returns the folder of earlier verdicts, and makes it if needed.
    fn folder(&self) -> Result<Option<PathBuf>, anyhow::Error> {
        let Some(named) = &self.cache else { return Ok(None) };
        let folder = named.clone().map_or_else(|| cache::folder().map(|cache| cache.join("verdicts")), Ok)?;
        cache::make(&folder).with_context(|| format!("{} cannot be used", folder.display()))?;
        Ok(Some(folder))
    }

    /// Applies the flags to a memo, under these terms.
    fn resolve(&self, memo: Memo, terms: &Terms) -> Result<Memo, anyhow::Error> {
        if self.no_dedupe {
            return Ok(Memo::off());
        }
        let Some(folder) = self.folder()? else { return Ok(memo) };
        let archive = Archive::open(&folder, &serde_json::to_string(terms)?);
        let archive = archive.with_context(|| format!("{} cannot be used", folder.display()))?;
        if archive.damaged() > 0 {
            let (lines, folder) = (archive.damaged(), folder.display());
            output::message(&format!(
                "note: {lines} damaged lines in {folder} are not used: their texts are judged again"
            ));
        }
        Ok(memo.with_archive(archive))
    }
}

/// The treatment of an earlier run's journal.
#[derive(Debug, Args)]
struct ExistingArgs {
    /// Set the journal of an earlier run aside, and start over
    #[arg(long, requires = "output")]
    restart: bool,

    /// Continue a journal that was made with another model, policy or setting
    #[arg(long, requires = "output", conflicts_with = "restart")]
    mix: bool,
}

impl ExistingArgs {
    fn resolve(&self) -> Existing {
        match (self.restart, self.mix) {
            (true, _) => Existing::Restart,
            (_, true) => Existing::Mix,
            _ => Existing::Resume,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnlyArg {
    /// A violation of at least one policy
    Violation,
    /// Safe under all policies
    Safe,
    /// For review under at least one policy, and no worse under any
    Review,
    /// No violation, and no verdict under at least one policy
    Undecided,
}

impl Label {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.schema {
            output::data(&format!("{:#}\n", schema()))?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.judging.lists_devices() {
            return devices::list();
        }
        let policies = self.policy.load()?;
        let mut config = self.judging.resolve(&policies)?;
        config.composition = self.input.composition();
        // The rationale is not printed then.
        config.options.no_rationale |= self.only.is_some();
        let form =
            Form { policies: policies.iter().map(|policy| policy.id.clone()).collect(), fields: config.fields.clone() };
        let mut source = self.input.open()?;
        if let Some(columns) = self.columns.as_deref().map(names) {
            let own: Vec<String> = columns.into_iter().filter(|name| name != "id").collect();
            input::warn(&source.require("--columns", &own).map_err(anyhow::Error::msg)?);
        }
        if self.only.is_some() {
            source
                .require_alike()
                .map_err(|what| hinted(anyhow::anyhow!("{what}"), "leave out --only, or name one input at a time"))?;
        }
        let target = self.output.resolve(self.input.is_batch(), form)?;
        let only = self.only.map(RowVerdict::from);
        let mut files = Files::new();
        self.policy.reads(&mut files)?;
        loading::claim(&config, &mut files)?;
        input::claim(source.inputs(), &mut files)?;
        if !self.dry_run {
            let journal = target.file.as_deref().filter(|_| only.is_none() && !target.is_stream()).map(journal::beside);
            target.claim(&mut files, journal.as_deref())?;
        }
        if let Some(summary) = self.summary.as_deref().filter(|path| path.as_os_str() != "-") {
            files.write("the summary", "--summary", summary)?;
        }
        self.memo.folder()?;

        let settings = Settings {
            chunking: config.chunking,
            reasoning: config.reasoning,
            columns: self.columns.as_deref().map(names),
            own_names: false,
            shard: self.shard,
            unordered: self.unordered,
            stop: stop::on_signal()?,
        };
        let planned = loading::plan_for(&config, &policies, SEVERAL)?;
        let terms = planned.terms(&config, &policies);
        let file = target.file.as_deref();
        let direct_to = only.is_some() || (target.is_stream() && target.export.format == export::Format::Jsonl);
        // Other formats can be written only when all rows are known. Until then the rows are kept in a journal. It is
        // opened before the model is loaded, so that a journal of another run is refused at once.
        let kept = if direct_to || self.dry_run {
            None
        } else {
            let beside = file.filter(|_| !target.is_stream());
            let mut place = beside.map_or_else(JournalPlace::passing, |file| Ok(JournalPlace::beside(file)))?;
            let opened =
                Journal::open(&place.path, &run_terms(&terms, &source, &settings, &policies), self.existing.resolve())?;
            place.hide();
            Some((place, opened))
        };

        let engine = loading::load_planned(&config, planned)?;
        let judges = loading::judges(&config, &engine, &policies)?;
        if self.dry_run {
            return dry_run::run_sample(&engine, &judges, source, &settings, self.summary.as_deref());
        }
        let mut work =
            Work { engine: &engine, judges: &judges, settings: &settings, source, quiet: target.is_terminal() };
        let Some((place, (mut journal, past))) = kept else {
            let memo = self.memo.resolve(Memo::in_memory(), &terms)?;
            let output = direct(file)?;
            let summary = match only {
                Some(only) => {
                    let mut sink =
                        Only::new(output, only, work.source.header()).context("the output cannot be written")?;
                    work.run(Past::none(), memo, &mut sink, Defects::Printed)?
                }
                None => {
                    let mut sink = Rows { output, form: target.export.form };
                    work.run(Past::none(), memo, &mut sink, Defects::InRows)?
                }
            };
            return finish(&summary, only, None, self.summary.as_deref());
        };

        let failed = || format!("{} cannot be used", place.path.display());
        let memo = self.memo.resolve(Memo::in_journal(File::open(&place.path).with_context(failed)?), &terms)?;
        let done = work.run(past, memo, &mut journal, Defects::InRows).and_then(|mut timed| {
            if let Some(end) = timed.summary.end {
                journal.finish(end).with_context(failed)?;
                let to = file.map_or(export::Target::Stdout, export::Target::File);
                match progress::waiting("writing the output", || export(&place.path, to, &target.export)) {
                    Err(error) if error.is_closed() => timed.summary.ended = Some(Ended::Closed),
                    written => drop(written?),
                }
            }
            Ok(timed)
        });
        let summary = done.map_err(|error| place.hinted(error))?;
        finish(&summary, None, place.hint(), self.summary.as_deref())
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
    Clashes::new(row::names(policies.iter().map(|policy| policy.id.as_str()))).resolve(&mut columns);
    Some(columns.names().map(str::to_owned).collect())
}

/// Returns the names of a list. An empty text is an empty list.
fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Opens the destination of rows that are not kept.
fn direct(file: Option<&Path>) -> Result<Box<dyn Write>, anyhow::Error> {
    Ok(match file {
        None => Box::new(BufWriter::new(std::io::stdout())),
        Some(path) => {
            // A file that was put there meanwhile is not cut.
            let file = if files::is_stream(path) {
                files::stream(path)
            } else {
                File::options().append(true).create(true).open(path)
            };
            Box::new(BufWriter::new(file.with_context(|| format!("{} cannot be written", path.display()))?))
        }
    })
}

/// The work of a run: the records, their judges and the settings.
struct Work<'run> {
    engine: &'run Engine,
    judges: &'run [Judge<'run>],
    settings: &'run Settings,
    source: Source,
    /// The user looks at the rows: no bar between them.
    quiet: bool,
}

/// The way in which a record without a text to judge is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Defects {
    InRows,
    /// A warning is printed, because there are no rows.
    Printed,
}

impl Work<'_> {
    fn run(&mut self, past: Past, memo: Memo, sink: &mut dyn Sink, defects: Defects) -> Result<Timed, anyhow::Error> {
        let inputs = self.source.inputs();
        let name = match inputs {
            [one] => one.name.to_string(),
            several => format!("{} inputs", several.len()),
        };
        let mut reporter = Reporter { bar: progress::Rows::new(self.source.size(), self.quiet), defects, printed: 0 };
        let begun = Instant::now();
        let source = std::mem::replace(&mut self.source, Source::none());
        let known = Known { past, memo };
        let done =
            run(self.engine, self.judges, source, self.settings, known, sink, &mut |news| reporter.report(&news));
        reporter.bar.clear();
        let summary = done.with_context(|| name)?;
        Ok(Timed { summary, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// Prints events of a run, without disturbing the bar.
struct Reporter {
    bar: progress::Rows,
    defects: Defects,
    printed: u32,
}

impl Reporter {
    fn report(&mut self, news: &News<'_>) {
        const SHOWN: u32 = 5;
        match news {
            News::Done(summary) => self.bar.show(summary),
            News::Renamed(renamed) if self.defects == Defects::InRows => {
                let text = format!("note: the input's column `{}` is `{}` in the output", renamed.from, renamed.to);
                self.bar.aside(|| output::message(&text));
            }
            News::Defect(defect) if self.defects == Defects::Printed => {
                self.printed += 1;
                let text = match self.printed {
                    0..=SHOWN => format!("warning: {defect}"),
                    _ if self.printed == SHOWN + 1 => "warning: and more; the count comes at the end".to_owned(),
                    _ => return,
                };
                self.bar.aside(|| output::message(&text));
            }
            News::Defect(_) | News::Renamed(_) => {}
        }
    }
}

/// Returns the schema of a row: the output of `check --json`, and the input's own columns.
fn schema() -> serde_json::Value {
    let mut schema = Printed::schema("magistrate label");
    let columns = "One line of the output. Columns of the input stand beside these; one that has the name of one of these \
        has `input_` before it.";
    schema.insert("description".to_owned(), columns.into());
    schema.to_value()
}

impl From<OnlyArg> for RowVerdict {
    fn from(only: OnlyArg) -> Self {
        match only {
            OnlyArg::Violation => Self::Violation,
            OnlyArg::Safe => Self::Safe,
            OnlyArg::Review => Self::Review,
            OnlyArg::Undecided => Self::Undecided,
        }
    }
}
