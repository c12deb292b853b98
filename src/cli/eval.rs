//! `eval`: how well a policy does on a golden set.

use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use magistrate::eval::compare::Comparison;
use magistrate::eval::gate::{Fallen, Floor, dropped};
use magistrate::eval::golden::{Key, lines};
use magistrate::eval::{All, Evaluation, Gathering, report};
use magistrate::files::{self, Files};
use magistrate::label::journal::Past;
use magistrate::label::memo::Memo;
use magistrate::label::records::{Fields, Format};
use magistrate::label::run::{Known, News, RunError, Settings, run};
use magistrate::label::source::Source;
use magistrate::policy::{Policy, PolicyLibrary};

use super::judging::JudgingArgs;
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

    /// Exit 1 if a figure is lower than the baseline's by more than this
    #[arg(long, value_name = "DROP", requires = "baseline")]
    max_drop: Option<f64>,
}

/// What is evaluated, on what, and how.
#[derive(Debug, Args)]
pub struct GoldenArgs {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    input: InputArgs,

    /// The column that says what should be said [default: category, expected, label, violation and so on, as far as there is one]
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,

    /// Labels that are violations, all others being safe [default: a label means what the policy says]
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',')]
    positive: Vec<String>,

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
        let baseline = self.baseline.as_deref().map(read).transpose()?;
        let Some(evaluations) = self.golden.evaluate(&mut files)? else { return Ok(ExitCode::from(exit::STOPPED)) };
        let (first, others) = evaluations.split_first().context("there is no policy")?;
        anyhow::ensure!(
            others.is_empty() || self.report.is_empty(),
            "a report is of one policy\nhint: give one -p with --report"
        );
        self.report.iter().try_for_each(|report| report.write(first))?;
        if self.json {
            let json =
                if others.is_empty() { serde_json::to_string(first)? } else { serde_json::to_string(&evaluations)? };
            output::data(&format!("{json}\n"))?;
        } else {
            let mut text: String = evaluations.iter().map(report::text).collect();
            for other in others {
                let names = [first, other].map(|evaluation| evaluation.about.policy[0].as_str());
                text.push_str(&report::comparison(names, &Comparison::of(first, other)));
            }
            if let Some(before) = &baseline {
                text.push_str(&report::comparison(["before", "now"], &Comparison::of(before, first)));
            }
            output::print(&text)?;
        }

        let mut fallen: Vec<Fallen> = self.fail_under.iter().flat_map(|floor| floor.fallen(first)).collect();
        if let (Some(before), Some(most)) = (&baseline, self.max_drop) {
            fallen.extend(dropped(before, first, most));
        }
        for Fallen { name, is, least } in &fallen {
            let is = is.map_or_else(|| "not defined".to_owned(), |is| format!("{is:.3}"));
            output::say(&format!("error: {name} is {is}, and must be at least {least:.3}"));
        }
        Ok(ExitCode::from(if fallen.is_empty() { exit::DONE } else { exit::FINDING }))
    }
}

/// Reads an evaluation.
pub fn read(path: &Path) -> Result<Evaluation, anyhow::Error> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no evaluation: `eval --json` writes one", path.display()))
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

impl GoldenArgs {
    /// Judges the set by each policy, and adds what is read for it to the files of the run. None if it was stopped.
    pub fn evaluate(self, files: &mut Files) -> Result<Option<Vec<Evaluation>>, anyhow::Error> {
        self.policy.reads(files)?;
        let policies = self.policy.load()?;
        let judging = self.judging.resolve(&policies)?;
        judging.reads(files)?;
        let source = if self.input.is_empty() { own(&policies)? } else { self.input.open()? };
        stream::reads(source.inputs(), files)?;
        let table = source.names().map(<[String]>::to_vec);
        let golden = source.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>().join(", ");
        let label = self.label_column.map(|column| named(column, table.as_deref()));
        let by = self.by.map(|column| named(column, table.as_deref()));
        let text = self.input.text_columns(table.as_deref());

        let size = source.size();
        let mut source = source.peekable();
        let columns = match source.peek() {
            Some(Ok(placed)) => placed.record.columns.clone(),
            Some(Err(error)) => anyhow::bail!("{error}"),
            None => anyhow::bail!("{golden} holds no texts"),
        };
        let key = Key::new(&columns, label.as_deref(), self.positive, text)
            .map_err(|unlike| anyhow::anyhow!("{golden}: {unlike}"))?;

        let engine = judging.load(&policies, fit::MANY)?;
        let judges = judging.judges(&engine, &policies)?;
        let settings = Settings {
            chunking: judging.chunking,
            reasoning: judging.reasoning,
            own_names: true,
            stop: stop::on_signal()?,
            ..Settings::default()
        };
        let gatherings =
            policies.iter().enumerate().map(|(place, policy)| Gathering::new(&key, policy, place, by.clone()));
        let mut all = All(gatherings.collect());
        let (known, begun) = (Known { past: Past::none(), memo: Memo::in_memory() }, Instant::now());
        let mut bar = progress::Rows::new(size, false);
        let done = run(&engine, &judges, source, &settings, known, &mut all, &mut |news| {
            if let News::Done(summary) = news {
                bar.show(summary);
            }
        });
        bar.clear();
        let summary = match done {
            // It is the label that is wrong, and not an output.
            Err(RunError::Write(_, error)) if error.kind() == ErrorKind::InvalidData => anyhow::bail!("{error}"),
            done => done.with_context(|| golden.clone())?,
        };
        if summary.ended.is_some() {
            return Ok(None);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let evaluations = all
            .0
            .into_iter()
            .zip(&judges)
            .map(|(gathered, judge)| Evaluation::new(judge.provenance.about(&golden), gathered, &summary, seconds));
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
