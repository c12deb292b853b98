//! `label`: a stream of texts, a row for each; or those texts of it that stand so, as grep would.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use magistrate::label::records::{Fields, Format, Records, RecordsError};
use magistrate::label::run::{Ended, Judge, News, Settings, Standing, Summary, run};
use magistrate::row::Printed;
use schemars::generate::SchemaSettings;

use super::judging::JudgingArgs;
use super::progress::Rows;
use super::{PolicyArgs, exit, output, stop};

#[derive(Debug, Args)]
pub struct Label {
    #[command(flatten)]
    policy: PolicyArgs,

    /// A file of texts; stdin without one, or for -
    #[arg(value_name = "FILE")]
    input: Option<PathBuf>,

    /// Where rows go; stdout without one. A file that has something in it is not overwritten
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How the input is written [default: by the file's ending; on stdin JSONL if it begins like that, else lines]
    #[arg(long, value_name = "FORMAT")]
    format: Option<InputFormat>,

    /// The column with the text, in JSONL and CSV [default: text]
    #[arg(long, value_name = "NAME")]
    text: Option<String>,

    /// The column that tells rows apart, in JSONL and CSV [default: id, if there is one]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,

    /// Print no rows but the input lines that stand so under the policies, unchanged
    #[arg(long, value_name = "WHICH")]
    only: Option<Only>,

    /// Print the JSON Schema of a row, and judge nothing
    #[arg(long, exclusive = true)]
    schema: bool,

    #[command(flatten)]
    judging: JudgingArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InputFormat {
    Jsonl,
    Csv,
    Tsv,
    Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// A violation of at least one policy
    Violation,
    /// Safe under all
    Safe,
    /// For review under at least one, and no worse under any
    Review,
    /// No violation, and without a verdict under at least one
    Undecided,
}

impl Label {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.schema {
            output::print(&format!("{:#}\n", schema()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let policies = self.policy.load()?;
        let judging = self.judging.resolve(&policies)?;
        let input = Input::open(self.input.as_deref(), self.format)?;
        let output = open_output(self.output.as_deref(), self.input.as_deref())?;
        let (size, name) = (input.size, input.name.clone());
        let records = input.records(Fields { text: self.text, id: self.id })?;
        let quiet = self.output.is_none() && std::io::stdout().is_terminal();

        let engine = judging.load()?;
        let judges = policies
            .iter()
            .map(|policy| {
                let session = judging.session(&engine, policy)?;
                Ok(Judge { session, provenance: judging.provenance(&engine, policy) })
            })
            .collect::<Result<Vec<_>, anyhow::Error>>()?;

        let only = self.only.map(Standing::from);
        let settings =
            Settings { only, chunking: judging.chunking, reasoning: judging.reasoning, stop: stop::on_signal()? };
        let mut teller = Teller { name: &name, bar: Rows::new(size, quiet), only: only.is_some(), defects: 0 };
        let begun = Instant::now();
        let summary =
            run(&engine, &judges, records, &settings, &mut BufWriter::new(output), &mut |news| teller.tell(&news))
                .with_context(|| name.clone());
        teller.bar.clear();
        let summary = summary?;
        sum_up(&summary, begun.elapsed().as_secs_f64());
        Ok(code(&summary, only))
    }
}

/// The exit code: as grep's where input lines are let through, else whether every row has a verdict.
fn code(summary: &Summary, only: Option<Standing>) -> ExitCode {
    let undecided = summary.of(Standing::Undecided) > 0;
    ExitCode::from(match (summary.ended, only) {
        (Some(Ended::Stopped), _) => exit::STOPPED,
        (None, None) if undecided => exit::UNDECIDED,
        (Some(Ended::Closed), _) | (None, None) => exit::DONE,
        (None, Some(_)) if summary.written > 0 => exit::FOUND,
        // That there is none is known only if all were judged.
        (None, Some(_)) if undecided => exit::ERROR,
        (None, Some(_)) => exit::NONE_FOUND,
    })
}

/// Says on stderr what came of it all.
fn sum_up(summary: &Summary, seconds: f64) {
    let rows = summary.rows();
    let stopped = match summary.ended {
        Some(Ended::Closed) => return,
        Some(Ended::Stopped) => "stopped after ",
        None => "",
    };
    let words = [
        (Standing::Violation, "violation"),
        (Standing::Review, "review"),
        (Standing::Safe, "safe"),
        (Standing::Undecided, "undecided"),
    ];
    let counts: Vec<String> = words
        .into_iter()
        .filter(|(standing, _)| summary.of(*standing) > 0)
        .map(|(standing, word)| format!("{} {word}", summary.of(standing)))
        .collect();
    let reasons: Vec<String> = summary.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let counts = if counts.is_empty() { String::new() } else { format!(": {}{reasons}", counts.join(", ")) };
    let noun = if rows == 1 { "row" } else { "rows" };
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = rows as f64 / seconds.max(1e-9);
    output::say(&format!("{stopped}{rows} {noun}{counts}; {seconds:.1} s, {rate:.1} rows/s"));
}

/// Says what happens on the way, without disturbing the bar.
struct Teller<'run> {
    name: &'run str,
    bar: Rows,
    only: bool,
    defects: u32,
}

impl Teller<'_> {
    fn tell(&mut self, news: &News<'_>) {
        const SHOWN: u32 = 5;
        match news {
            News::Done(summary) => self.bar.show(summary.rows(), summary.bytes),
            News::Renamed(renamed) => {
                let text = format!("note: the input's column `{}` is `{}` in the output", renamed.from, renamed.to);
                self.bar.aside(|| output::say(&text));
            }
            // Rows say it themselves; where there are none, somebody must.
            News::Defect(defect) if self.only => {
                self.defects += 1;
                let text = match self.defects {
                    0..=SHOWN => format!("warning: {}: {defect}", self.name),
                    _ if self.defects == SHOWN + 1 => "warning: and more; the count comes at the end".to_owned(),
                    _ => return,
                };
                self.bar.aside(|| output::say(&text));
            }
            News::Defect(_) => {}
        }
    }
}

/// What is read, and as what.
struct Input {
    stream: Box<dyn BufRead + Send>,
    format: Format,
    name: String,
    /// Bytes, where that is known.
    size: Option<u64>,
}

impl Input {
    fn open(path: Option<&Path>, format: Option<InputFormat>) -> Result<Self, anyhow::Error> {
        let said = format.map(Format::from);
        let (mut stream, name, size, told): (Box<dyn BufRead + Send>, _, _, _) = match path {
            Some(path) if path.as_os_str() != "-" => {
                let name = path.display().to_string();
                let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
                let about = file.metadata().with_context(|| format!("{name} cannot be read"))?;
                anyhow::ensure!(!about.is_dir(), "{name} is a folder\nhint: name a file in it");
                let size = about.is_file().then_some(about.len());
                (Box::new(BufReader::with_capacity(1 << 16, file)), name, size, Format::of_path(path))
            }
            _ => {
                let stdin = std::io::stdin();
                anyhow::ensure!(!stdin.is_terminal(), "there is no input\nhint: name a file, or pipe texts in");
                (Box::new(BufReader::with_capacity(1 << 16, stdin)), "stdin".to_owned(), None, None)
            }
        };
        let format = match said.or(told) {
            Some(format) => format,
            None => Format::sniff(stream.fill_buf().with_context(|| format!("{name} cannot be read"))?),
        };
        Ok(Self { stream, format, name, size })
    }

    fn records(self, fields: Fields) -> Result<Records<Box<dyn BufRead + Send>>, anyhow::Error> {
        let Self { stream, format, name, .. } = self;
        anyhow::ensure!(
            format != Format::Lines || (fields.text.is_none() && fields.id.is_none()),
            "{name} is read as plain lines, which have no columns for --text or --id\nhint: say how it is written, with --format"
        );
        Records::new(stream, format, fields).map_err(|error| match error {
            RecordsError::Read(error) => anyhow::Error::new(error).context(format!("{name} cannot be read")),
            error => anyhow::anyhow!("{name}: {error}"),
        })
    }
}

/// The output, which must not be what somebody would miss.
fn open_output(path: Option<&Path>, input: Option<&Path>) -> Result<Box<dyn Write>, anyhow::Error> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else { return Ok(Box::new(std::io::stdout())) };
    let name = path.display();
    let same = input
        .is_some_and(|input| matches!((input.canonicalize(), path.canonicalize()), (Ok(one), Ok(two)) if one == two));
    anyhow::ensure!(!same, "{name} is the input\nhint: name another file with -o");
    let full = std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() > 0);
    anyhow::ensure!(!full, "{name} has something in it already\nhint: name another file with -o, or remove it");
    let file = File::create(path).with_context(|| format!("{name} cannot be written"))?;
    Ok(Box::new(file))
}

/// The schema of a row: what `check --json` prints, and the input's own columns.
fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<Printed>();
    schema.insert("title".to_owned(), "magistrate label".into());
    let columns = "One line of the output. Columns of the input stand beside these; one that has the name of one of these \
        has `input_` before it.";
    schema.insert("description".to_owned(), columns.into());
    schema.to_value()
}

impl From<InputFormat> for Format {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Csv => Self::Csv,
            InputFormat::Tsv => Self::Tsv,
            InputFormat::Lines => Self::Lines,
        }
    }
}

impl From<Only> for Standing {
    fn from(only: Only) -> Self {
        match only {
            Only::Violation => Self::Violation,
            Only::Safe => Self::Safe,
            Only::Review => Self::Review,
            Only::Undecided => Self::Undecided,
        }
    }
}
