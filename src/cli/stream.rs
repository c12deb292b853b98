//! Streams of texts: where they come from and how they are written, and where their rows go.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use magistrate::files::{self, Files};
use magistrate::label::entry::Form;
use magistrate::label::export::{self, Export, Packing};
use magistrate::label::records::{Fields, Format, Template, Text};
use magistrate::label::source::{Input, Source};

use super::judging::AS_IT_STANDS;
use super::output;

#[derive(Debug, Args)]
pub struct InputArgs {
    /// Files of texts, or patterns such as 'posts/*.jsonl'; stdin without one, or for -
    #[arg(value_name = "FILE")]
    inputs: Vec<PathBuf>,

    /// How the input is written [default: by the file's ending; on stdin JSONL if it begins like that, else lines]
    #[arg(long, value_name = "FORMAT")]
    format: Option<InputFormat>,

    /// The column with the text, by its name, or in tables by its number from 1 [default: text]
    #[arg(long, visible_alias = "text", value_name = "COLUMN")]
    text_column: Option<String>,

    /// Several columns make the text: "{subject}: {body}"
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["text_column", "pair"])]
    text_template: Option<Template>,

    /// The columns of what somebody asked a model and what it answered, to be judged together
    #[arg(long, value_name = "PROMPT,ANSWER", conflicts_with = "text_column", value_parser = pair)]
    pair: Option<(String, String)>,

    /// The column that tells rows apart [default: id, if there is one]
    #[arg(long, visible_alias = "id", value_name = "COLUMN")]
    id_column: Option<String>,

    /// The first record of CSV is a record: its columns are called `column_1` and so on
    #[arg(long)]
    no_header: bool,

    /// Pass over so many records before the first, or before the header
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip_rows: usize,

    /// How CSV and TSV quote: none takes quotes as they stand, so that every line is a record
    #[arg(long, value_name = "HOW", default_value = "double")]
    quote: Quote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Quote {
    /// A field in quotes may hold separators and line ends, and doubles each quote (RFC 4180)
    Double,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InputFormat {
    Jsonl,
    Csv,
    Tsv,
    Lines,
    Parquet,
    /// Requests of the OpenAI Batch API
    Batch,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (prompt, answer) = text.split_once(',').ok_or("not of the form PROMPT,ANSWER: two columns")?;
    Ok((prompt.trim().to_owned(), answer.trim().to_owned()))
}

impl InputArgs {
    /// Opens the inputs. Of each the header is read, so that a wrong one is known before a large model is loaded.
    pub fn open(&self) -> Result<Source, anyhow::Error> {
        let mut inputs = Vec::new();
        for path in &self.inputs {
            inputs.extend(found(path)?);
        }
        if inputs.is_empty() {
            inputs.push(Input::stdin());
        }
        anyhow::ensure!(!Source::is_typed(&inputs), "there is no input\nhint: name a file, or pipe texts in");
        named_once(&inputs)?;
        let text = match (&self.text_column, &self.text_template, &self.pair) {
            (Some(name), ..) => Text::Column(name.clone()),
            (_, Some(template), _) => Text::Template(template.clone()),
            (.., Some((prompt, answer))) => Text::Pair { prompt: prompt.clone(), answer: answer.clone() },
            _ => Text::Unsaid,
        };
        let fields = Fields {
            text,
            id: self.id_column.clone(),
            no_header: self.no_header,
            skip: self.skip_rows,
            unquoted: self.quote == Quote::None,
        };
        let source = Source::new(inputs, self.format.map(Format::from), fields)?;
        for note in source.notes() {
            output::say(&format!("note: {note}"));
        }
        self.require_columns(&source)?;
        Ok(source)
    }

    /// Refuses a column that no record of JSON has: in tables it is the header that lacks it.
    fn require_columns(&self, source: &Source) -> Result<(), anyhow::Error> {
        let flag = match (&self.text_template, &self.pair, &self.text_column) {
            (Some(_), ..) => Some("--text-template"),
            (_, Some(_), _) => Some("--pair"),
            (.., Some(_)) => Some("--text-column"),
            _ => None,
        };
        let text = self.text_columns(None);
        let warnings = source.require_in_each(flag, &text).map_err(anyhow::Error::msg)?;
        // A single missing column is reported in each row.
        if text.len() > 1 {
            warn(&warnings);
        }
        let id: Vec<String> = self.id_column.iter().cloned().collect();
        warn(&source.require_in_each(Some("--id-column"), &id).map_err(anyhow::Error::msg)?);
        Ok(())
    }

    /// Reports whether no input is named.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Names the way in which a record's columns make its text. Certificates are compared by it.
    pub fn composition(&self) -> String {
        match (&self.text_template, &self.pair) {
            (Some(template), _) => format!("template {template}"),
            (None, Some(_)) => "prompt and answer".to_owned(),
            (None, None) if self.is_batch() => "conversation".to_owned(),
            (None, None) => AS_IT_STANDS.to_owned(),
        }
    }

    /// The columns that make the text, by name. `table` are the names of a table's columns, which numbers stand for.
    pub fn text_columns(&self, table: Option<&[String]>) -> Vec<String> {
        let columns = match (&self.text_column, &self.text_template, &self.pair) {
            (Some(name), ..) => vec![name.clone()],
            (_, Some(template), _) => template.columns().map(str::to_owned).collect(),
            (.., Some((prompt, answer))) => vec![prompt.clone(), answer.clone()],
            _ => match table {
                Some([only]) => vec![only.clone()],
                _ => vec!["text".to_owned()],
            },
        };
        columns.into_iter().map(|column| named(column, table)).collect()
    }

    /// Whether it is read as OpenAI Batch requests.
    pub fn is_batch(&self) -> bool {
        self.format == Some(InputFormat::Batch)
    }
}

/// Says warnings on stderr.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        output::say(&format!("warning: {warning}"));
    }
}

/// Refuses an input that is named twice, however it is spelled. Refuses two inputs that would have the same name in
/// rows.
fn named_once(inputs: &[Input]) -> Result<(), anyhow::Error> {
    let mut names = HashSet::new();
    let mut files = HashSet::new();
    for input in inputs {
        let file = input.path().and_then(|path| path.canonicalize().ok()).filter(|path| path.is_file());
        let new = names.insert(Arc::clone(&input.name)) && file.is_none_or(|file| files.insert(file));
        anyhow::ensure!(new, "{} is named twice", input.name);
    }
    Ok(())
}

/// A column by its name, where it was given by its number in a table.
pub fn named(column: String, table: Option<&[String]>) -> String {
    let names = table.unwrap_or_default();
    let number = column.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(1)?));
    match number {
        Some(name) if !names.contains(&column) => name.clone(),
        _ => column,
    }
}

/// The inputs that a path names: itself, or if there is no such file what it is a pattern for.
fn found(path: &Path) -> Result<Vec<Input>, anyhow::Error> {
    if path.as_os_str() == "-" {
        return Ok(vec![Input::stdin()]);
    }
    let pattern = path.to_str().filter(|pattern| !path.exists() && pattern.contains(['*', '?', '[']));
    let Some(pattern) = pattern else { return Ok(vec![Input::file(path.to_owned())]) };
    let paths = glob::glob(pattern).map_err(|error| anyhow::anyhow!("{pattern}: {error}"))?;
    let inputs: Vec<Input> = paths.filter_map(Result::ok).filter(|path| path.is_file()).map(Input::file).collect();
    anyhow::ensure!(!inputs.is_empty(), "{pattern} matches no file");
    Ok(inputs)
}

#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Where rows go; stdout without one. Beside the file its journal is kept, from which the same command goes on
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How the output is written [default: by the file's ending, else JSONL, or batch for requests of it]
    #[arg(long, value_name = "FORMAT")]
    output_format: Option<OutputFormat>,

    /// Write a file each for safe, violation and undecided: OUT.safe.jsonl and so on
    #[arg(long, value_name = "WHAT", requires = "output")]
    split_by: Option<SplitBy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OutputFormat {
    Jsonl,
    Csv,
    Tsv,
    Parquet,
    /// Results as the OpenAI Batch API gives them
    Batch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SplitBy {
    Verdict,
}

/// Where rows go, and how.
pub struct Target {
    /// A file, with a journal beside it. stdout, or something like it, without.
    pub file: Option<PathBuf>,
    pub export: Export,
}

impl OutputArgs {
    /// What the flags come to. `batch` is whether requests of the Batch API are read.
    pub fn resolve(self, batch: bool, form: Form) -> Result<Target, anyhow::Error> {
        let path = self.output.filter(|path| path.as_os_str() != "-");
        let told = path.as_deref().and_then(export::Format::of_path);
        if let Some(path) = path.as_deref().filter(|_| self.output_format.is_none() && told.is_none()) {
            anyhow::ensure!(
                !has_ending(path) || files::is_stream(path),
                "{}: no format has this ending\nhint: end the name in .jsonl, .csv, .tsv or .parquet, or name the format \
                 with --output-format",
                path.display()
            );
        }
        let format = match (self.output_format, told) {
            (Some(said), _) => said.into(),
            (None, None | Some(export::Format::Jsonl)) if batch => export::Format::Batch,
            (None, told) => told.unwrap_or(export::Format::Jsonl),
        };
        let packing = path.as_deref().and_then(Packing::of_path);
        anyhow::ensure!(
            format != export::Format::Parquet || packing.is_none(),
            "Parquet packs its columns itself\nhint: leave out .gz or .zst"
        );
        Ok(Target { file: path, export: Export { format, packing, form, split: self.split_by.is_some() } })
    }
}

impl Target {
    /// Whether rows are what the user looks at.
    pub fn is_terminal(&self) -> bool {
        self.file.is_none() && std::io::stdout().is_terminal()
    }

    /// Reports whether the output can be written but not put in place: a pipe, a device.
    pub fn is_stream(&self) -> bool {
        self.file.as_deref().is_none_or(files::is_stream)
    }

    /// Adds the output and its journal to the files of a run. Refuses a file that somebody would miss, such as an
    /// input. An output that exists already must have been made from the journal that is continued.
    pub fn claim(&self, files: &mut Files, journal: Option<&Path>) -> Result<(), anyhow::Error> {
        let Some(path) = &self.file else { return Ok(files.write_stdout()?) };
        for file in export::files(path, self.export.split) {
            files.write("the output", "-o", &file)?;
            let name = file.display();
            let full = std::fs::metadata(&file).is_ok_and(|about| about.is_file() && about.len() > 0);
            if full && !files::is_stream(&file) {
                let Some(journal) = journal.filter(|journal| journal.exists()) else {
                    anyhow::bail!("{name} has something in it already\nhint: name another file with -o, or remove it");
                };
                anyhow::ensure!(
                    !export::is_edited(&file, journal),
                    "{name} was changed after it was made\nhint: name another file with -o, or remove it to have it made anew"
                );
            }
        }
        if let Some(journal) = journal {
            files.write("the journal", "-o", journal)?;
            let name = journal.display();
            anyhow::ensure!(
                !files::is_stream(journal),
                "{name} is a pipe or a device, and no journal\nhint: name another file with -o"
            );
        }
        Ok(())
    }
}

/// Reports whether a name has an ending besides that of a packed file.
fn has_ending(path: &Path) -> bool {
    match Packing::of_path(path) {
        Some(_) => path.file_stem().is_some_and(|stem| has_ending(Path::new(stem))),
        None => path.extension().is_some(),
    }
}

/// Adds inputs to the files of a run.
pub fn reads(inputs: &[Input], files: &mut Files) -> Result<(), anyhow::Error> {
    for input in inputs {
        match input.path() {
            Some(path) => files.read("the input", path)?,
            None => files.read_stdin()?,
        }
    }
    Ok(())
}

impl From<InputFormat> for Format {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Csv => Self::Csv,
            InputFormat::Tsv => Self::Tsv,
            InputFormat::Lines => Self::Lines,
            InputFormat::Parquet => Self::Parquet,
            InputFormat::Batch => Self::Batch,
        }
    }
}

impl From<OutputFormat> for export::Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Jsonl => Self::Jsonl,
            OutputFormat::Csv => Self::Csv,
            OutputFormat::Tsv => Self::Tsv,
            OutputFormat::Parquet => Self::Parquet,
            OutputFormat::Batch => Self::Batch,
        }
    }
}
