//! `eval`: how well a policy does on a golden set.

use std::collections::HashSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use magistrate::eval::compare::Comparison;
use magistrate::eval::gate::{Fall, Floor, Gate};
use magistrate::eval::golden::{Golden, Reading, lines};
use magistrate::eval::{All, Evaluation, Gathering, report};
use magistrate::files::{self, Files};
use magistrate::label::journal::Past;
use magistrate::label::memo::Memo;
use magistrate::label::records::{Fields, Format};
use magistrate::label::run::{Known, News, Settings, run};
use magistrate::label::source::Source;
use magistrate::policy::{Policy, PolicyLibrary};

use super::judging::{Judging, JudgingArgs};
use super::label::outcome;
use super::stream::{self, InputArgs, named};
use super::{PolicyArgs, exit, fit, output, progress, stop};

#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    golden: GoldenArgs,

    /// Print JSON, every row in it
    #[arg(long)]
    json: bool,

    /// Write a report: a page that needs nothing else (.html), Markdown for a pull request (.md), or JSON
    #[arg(long, value_name = "FILE", value_parser = Report::of_name)]
    report: Vec<Report>,

    /// Exit 1 if a figure is lower, undecided rows counted as wrong: f1=0.90,recall=0.85
    #[arg(long, value_name = "FIGURE=VALUE,...")]
    fail_under: Option<Floor>,

    /// An earlier evaluation's JSON: tell how each row compares
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Exit 1 if a figure is lower than the baseline's by more than this, on the texts that both have
    #[arg(long, value_name = "DROP", requires = "baseline", allow_negative_numbers = true)]
    max_drop: Option<Fall>,
}

/// What is evaluated, on what, and how.
#[derive(Debug, Args)]
pub struct GoldenArgs {
    #[command(flatten)]
    pub policy: PolicyArgs,

    #[command(flatten)]
    input: InputArgs,

    /// The column with the correct answers [default: expected, label, violation and so on, as far as there is one]
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,

    /// Labels that are violations, all others being safe [default: a label means what the policy says]
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',')]
    positive: Vec<String>,

    /// Labels that are safe: with --positive, any label in neither list is refused
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',')]
    negative: Vec<String>,

    /// Tell figures apart by the values of a column, too
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl Eval {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let mut files = Files::new();
        self.report.iter().try_for_each(|report| files.write("a report", "--report", &report.path))?;
        self.baseline.iter().try_for_each(|path| files.read("the baseline", path))?;
        let baseline = self.baseline.as_deref().map(|path| read(path).map(|before| (path, before))).transpose()?;
        let prepared = self.golden.prepare(&mut files)?;
        anyhow::ensure!(
            prepared.policies.len() == 1 || self.report.is_empty(),
            "a report is of one policy\nhint: give one -p with --report"
        );
        if self.fail_under.is_some() || self.max_drop.is_some() {
            prepared.holds("a gate")?;
        }
        if let Some((path, before)) = &baseline {
            prepared.shares(before, path, self.max_drop.is_some())?;
        }
        let Some(mut evaluations) = prepared.evaluate()? else { return Ok(ExitCode::from(exit::STOPPED)) };
        let (first, others) = evaluations.split_first_mut().context("there is no policy")?;
        if let Some((path, before)) = &baseline {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            first.comparison = Some(Comparison::of([&name, "now"], before, first));
        }
        let held = baseline.as_ref().map(|(_, before)| before).zip(self.max_drop);
        first.gate = Gate::hold(first, self.fail_under.as_ref(), held).map_err(anyhow::Error::msg)?;
        self.report.iter().try_for_each(|report| report.write(first))?;
        if self.json {
            let json =
                if others.is_empty() { serde_json::to_string(first)? } else { serde_json::to_string(&evaluations)? };
            output::data(&format!("{json}\n"))?;
        } else {
            let mut text: String = std::iter::once(&*first).chain(&*others).map(report::text).collect();
            for other in &*others {
                let names = [&*first, other].map(|evaluation| evaluation.about.policy[0].as_str());
                text.push_str(&report::comparison(&Comparison::of(names, first, other)));
            }
            if let Some(comparison) = &first.comparison {
                text.push_str(&report::comparison(comparison));
            }
            output::print(&text)?;
        }
        let gate = evaluations.first().and_then(|first| first.gate.as_ref());
        gate.into_iter().flat_map(report::gate).for_each(|line| output::say(&line));
        let empty: Vec<String> = evaluations.iter().filter_map(without_verdicts).collect();
        if !empty.is_empty() {
            for why in empty {
                output::say(&format!("error: {why}"));
            }
            return Ok(ExitCode::from(exit::UNDECIDED));
        }
        Ok(ExitCode::from(if gate.is_none_or(|gate| gate.passed) { exit::DONE } else { exit::FINDING }))
    }
}

/// Explains why none of an evaluation's texts has a verdict. Returns `None` if one has.
pub fn without_verdicts(evaluation: &Evaluation) -> Option<String> {
    let Evaluation { about, rows, undecided, .. } = evaluation;
    if rows.is_empty() || rows.iter().any(|row| row.verdict.is_some()) {
        return None;
    }
    Some(format!("{}: no text has a verdict: {}", about.policy[0], outcome::reasons(undecided)))
}

/// Reads an evaluation.
pub fn read(path: &Path) -> Result<Evaluation, anyhow::Error> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Evaluation::read(&bytes).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))
}

/// A report: what is written, and where.
#[derive(Clone, Debug)]
struct Report {
    kind: Kind,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Page,
    Markdown,
    Json,
}

impl Report {
    fn of_name(name: &str) -> Result<Self, String> {
        let path = PathBuf::from(name);
        let kind = match path.extension().and_then(|ending| ending.to_str()) {
            Some("html" | "htm") => Kind::Page,
            Some("md") => Kind::Markdown,
            Some("json") => Kind::Json,
            _ => return Err("report files end in .html, .md or .json; --json prints to stdout".to_owned()),
        };
        Ok(Self { kind, path })
    }

    fn write(&self, evaluation: &Evaluation) -> Result<(), anyhow::Error> {
        let text = match self.kind {
            Kind::Page => report::html(evaluation)?,
            Kind::Markdown => report::markdown(evaluation),
            Kind::Json => serde_json::to_string(evaluation)?,
        };
        files::write(&self.path, text.as_bytes()).with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

/// A set that was read, with the policies and settings to judge it by. The model is not loaded yet.
pub struct Prepared {
    pub policies: Vec<Policy>,
    pub golden: Golden,
    judging: Judging,
    /// The set's name.
    name: String,
    size: Option<u64>,
}

impl GoldenArgs {
    /// Reads the set, and says how its labels are understood. Adds each file that it reads to the files of the run.
    pub fn prepare(self, files: &mut Files) -> Result<Prepared, anyhow::Error> {
        self.policy.reads(files)?;
        let policies = self.policy.load()?;
        let mut judging = self.judging.resolve(&policies)?;
        judging.text = self.input.composition();
        judging.reads(files)?;
        let is_own = self.input.is_empty();
        let source = if is_own { own(&policies)? } else { self.input.open()? };
        stream::reads(source.inputs(), files)?;
        let table = source.names().map(<[String]>::to_vec);
        let name = source.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>().join(", ");
        let reading = Reading {
            label: self.label_column.map(|column| named(column, table.as_deref())),
            positive: self.positive,
            negative: self.negative,
            by: self.by.map(|column| named(column, table.as_deref())),
        };
        let size = source.size();
        let records = source.collect::<Result<Vec<_>, _>>()?;
        anyhow::ensure!(!records.is_empty(), "{name} holds no texts");
        let golden = match policies.as_slice() {
            [policy] if is_own => Golden::own(records, &reading, policy),
            policies => Golden::read(records, &reading, policies),
        };
        let golden = golden.map_err(|unlike| anyhow::anyhow!("{name}: {unlike}"))?;
        let prepared = Prepared { policies, golden, judging, name, size };
        prepared.tell();
        Ok(prepared)
    }
}

impl Prepared {
    /// Refuses a result that needs probabilities, where the model writes freely and gives none.
    pub fn gives_probabilities(&self, to: &str) -> Result<(), anyhow::Error> {
        let free = self.judging.options.free;
        anyhow::ensure!(!free, "{to} needs probabilities, and --decode free gives none\nhint: leave out --decode free");
        Ok(())
    }

    /// Says how the set was understood, and which records were left out.
    fn tell(&self) {
        /// The most damaged records, and the most contradictions, that are listed one by one.
        const SHOWN: usize = 5;
        let Golden { legend, repeated, contradictions, damaged, .. } = &self.golden;
        for line in legend {
            output::say(line);
        }
        for what in damaged.iter().take(SHOWN).chain(contradictions.iter().take(SHOWN)) {
            output::say(&format!("warning: {what}"));
        }
        let more = damaged.len().saturating_sub(SHOWN) + contradictions.len().saturating_sub(SHOWN);
        if more > 0 {
            output::say(&format!("warning: and {more} more"));
        }
        if *repeated > 0 {
            output::say(&format!("note: {repeated} records repeat an earlier text and its answer, and are left out"));
        }
        for (place, policy) in self.policies.iter().enumerate() {
            if let Some(what) = self.golden.lacks(place) {
                output::say(&format!("warning: {} holds no {what} under the policy {}", self.name, policy.id));
            }
        }
    }

    /// Refuses a set that cannot carry `what` under the first policy. It needs texts of both classes, and no text with
    /// two answers.
    pub fn holds(&self, what: &str) -> Result<(), anyhow::Error> {
        let name = &self.name;
        if let Some(lacks) = self.golden.lacks(0) {
            anyhow::bail!("{name} holds no {lacks}, and {what} needs both\nhint: check the labels, or add such texts");
        }
        if let Some(first) = self.golden.contradictions.first() {
            anyhow::bail!("{first}, and {what} needs one answer for each\nhint: leave the answer that is meant");
        }
        Ok(())
    }

    /// Refuses a baseline without texts of this set. If figures are held against it, it needs texts of both classes.
    fn shares(&self, before: &Evaluation, path: &Path, held: bool) -> Result<(), anyhow::Error> {
        let theirs: HashSet<_> = before.rows.iter().map(|row| row.hash).collect();
        let shared = self.golden.texts(0).filter(|(hash, _)| theirs.contains(hash));
        let (mut violations, mut others) = (0_u64, 0_u64);
        shared.for_each(|(_, is)| *if is { &mut violations } else { &mut others } += 1);
        let path = path.display();
        anyhow::ensure!(
            violations + others > 0,
            "{path} has none of the texts of {}: it is the baseline of another set\nhint: make one with eval --json on this set",
            self.name
        );
        anyhow::ensure!(
            !held || (violations > 0 && others > 0),
            "{path} and {} share {violations} violations and {others} other texts, and --max-drop needs both\nhint: make a baseline with eval --json on this set",
            self.name
        );
        Ok(())
    }

    /// Judges the set by each policy. Returns `None` if it was stopped.
    pub fn evaluate(mut self) -> Result<Option<Vec<Evaluation>>, anyhow::Error> {
        let Self { policies, judging, .. } = &self;
        let engine = judging.load(policies, fit::MANY)?;
        let judges = judging.judges(&engine, policies)?;
        let settings = Settings {
            chunking: judging.chunking,
            reasoning: judging.reasoning,
            own_names: true,
            stop: stop::on_signal()?,
            ..Settings::default()
        };
        let records = std::mem::take(&mut self.golden.records).into_iter().map(Ok);
        let Self { policies, judging, golden, name, size } = &self;
        let mut all = All((0..policies.len()).map(|place| Gathering::new(golden, place)).collect());
        let (known, begun) = (Known { past: Past::none(), memo: Memo::in_memory() }, Instant::now());
        let mut bar = progress::Rows::new(*size, false);
        let done = run(&engine, &judges, records, &settings, known, &mut all, &mut |news| {
            if let News::Done(summary) = news {
                bar.show(summary);
            }
        });
        bar.clear();
        let summary = done.with_context(|| name.clone())?;
        if summary.ended.is_some() {
            return Ok(None);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let evaluations = all.0.into_iter().zip(judges.iter().zip(policies)).map(|(gathered, (judge, policy))| {
            let conditions = judging.conditions(engine.model(), engine.config(), policy);
            Evaluation::new(judge.provenance.about(name, conditions), gathered, &summary, seconds)
        });
        Ok(Some(evaluations.collect()))
    }
}

/// The policy's own golden set: in its file, or the one that is shipped with it.
fn own(policies: &[Policy]) -> Result<Source, anyhow::Error> {
    let [policy] = policies else {
        anyhow::bail!("each policy has a golden set of its own\nhint: name a file that all are evaluated on");
    };
    let cases =
        if policy.golden.is_empty() { PolicyLibrary::shipped().golden(&policy.id) } else { policy.golden.as_slice() };
    anyhow::ensure!(
        !cases.is_empty(),
        "the policy {} has no golden set\nhint: name a file of texts whose answer is known, or add `golden:` to the policy",
        policy.id
    );
    let name = format!("the golden set of {}", policy.id);
    Ok(Source::of_stream(&name, Cursor::new(lines(cases)), Format::Jsonl, Fields::default())?)
}
