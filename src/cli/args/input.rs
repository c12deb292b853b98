//! The flags that name the inputs, and how their records are read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use magistrate::files::Files;
use magistrate::label::config::ONE_COLUMN;
use magistrate::label::records::{Encoding, InputFormat, Notice, Quote, RecordFields, Template, Text};
use magistrate::label::source::{Input, Source};
use magistrate::review::reader;

use crate::cli::terminal::error::{ensure_hint, with_hints};
use crate::cli::terminal::output;

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Files of texts, or patterns such as 'posts/*.jsonl' [default: stdin, also for -]
    #[arg(value_name = "FILE")]
    inputs: Vec<PathBuf>,

    /// Input format [default: by the file's extension; else JSONL, CSV or lines by its beginning]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    /// Column with the text, by name, or in tables by number from 1 [default: text]
    #[arg(long, visible_alias = "text", value_name = "COLUMN")]
    text_column: Option<String>,

    /// Template that makes the text from several columns: "{subject}: {body}"
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["text_column", "pair"])]
    text_template: Option<Template>,

    /// Columns with a prompt to a model and the model's answer, which are judged together
    #[arg(long, value_name = "PROMPT,ANSWER", conflicts_with = "text_column", value_parser = pair)]
    pair: Option<(String, String)>,

    /// Column with the id of each record [default: id, if it exists]
    #[arg(long, visible_alias = "id", value_name = "COLUMN")]
    id_column: Option<String>,

    /// Treat the first CSV record as data. Its columns are named `column_1` and so on
    #[arg(long)]
    no_header: bool,

    /// Number of records to skip before the first one, or before the header
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip_rows: usize,

    /// Sheet of a workbook, by name or by number from 1 [default: the first that is not hidden]
    #[arg(long, value_name = "SHEET")]
    sheet: Option<String>,

    /// Separator of CSV fields: a character, or tab [default: found from the first lines, else a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,

    /// Quote of CSV fields that contain separators or line ends: a character, double, or none for ordinary quotes
    #[arg(long, value_name = "CHARACTER", default_value = "double", value_parser = quote)]
    quote: Quote,

    /// Text encoding, such as windows-1252 or utf-16 [default: guessed, usually UTF-8]
    #[arg(long, value_name = "NAME")]
    encoding: Option<Encoding>,

    /// Read only the first N records. A later run with a higher limit, or without one, continues
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FormatArg {
    Jsonl,
    /// One array of objects
    Json,
    Csv,
    Tsv,
    Lines,
    Parquet,
    /// A workbook of Excel
    Xlsx,
    /// Requests of the OpenAI Batch API
    Batch,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (prompt, answer) = text.split_once(',').ok_or("not of the form PROMPT,ANSWER: two columns")?;
    Ok((prompt.trim().to_owned(), answer.trim().to_owned()))
}

/// Reads the separator of fields.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => one_ascii(text)
            .filter(|byte| !matches!(byte, b'"' | b'\n' | b'\r'))
            .ok_or_else(|| "not one ASCII character; write ';' or '|' in quotes, and \\t or tab for a tab".to_owned()),
    }
}

/// Reads the quote of fields.
fn quote(text: &str) -> Result<Quote, String> {
    match text {
        "double" | "\"" => Ok(Quote::Double),
        "none" | "" => Ok(Quote::None),
        _ => one_ascii(text)
            .filter(|byte| !matches!(byte, b'\n' | b'\r'))
            .map(Quote::Other)
            .ok_or_else(|| "not double, none or one ASCII character".to_owned()),
    }
}

fn one_ascii(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    }
}

impl InputArgs {
    /// Opens the inputs and reads their headers, so that a wrong one is refused before a large model is loaded.
    pub fn open(&self) -> Result<Source, anyhow::Error> {
        let mut inputs = Vec::new();
        for path in &self.inputs {
            inputs.extend(found(path)?);
        }
        if inputs.is_empty() {
            inputs.push(Input::stdin());
        }
        ensure_hint!(!Source::is_typed(&inputs), "there is no input", "name a file, or pipe texts in");
        named_once(&inputs)?;
        let fields = RecordFields {
            text: self.text(),
            id: self.id_column.clone(),
            no_header: self.no_header,
            skip: self.skip_rows,
            quote: self.quote,
            separator: self.delimiter,
            encoding: self.encoding,
            sheet: self.sheet.clone(),
        };
        let source = Source::new(inputs, self.format.map(InputFormat::from), fields)?.with_limit(self.limit);
        print_notes(&source);
        self.require_columns(&source)?;
        Ok(source)
    }

    /// Returns the columns that make the text, as the flags name them.
    fn text(&self) -> Text {
        match (&self.text_column, &self.text_template, &self.pair) {
            (Some(name), ..) => Text::Column(name.clone()),
            (_, Some(template), _) => Text::Template(template.clone()),
            (.., Some((prompt, answer))) => Text::Pair { prompt: prompt.clone(), answer: answer.clone() },
            _ => Text::Unsaid,
        }
    }

    /// Refuses a column that no JSON record has. For tables their header is checked.
    fn require_columns(&self, source: &Source) -> Result<(), anyhow::Error> {
        let flag = match (&self.text_template, &self.pair, &self.text_column) {
            (Some(_), ..) => Some("--text-template"),
            (_, Some(_), _) => Some("--pair"),
            (.., Some(_)) => Some("--text-column"),
            _ => None,
        };
        let text: Vec<String> = self.text().columns().into_iter().map(str::to_owned).collect();
        warn(&source.require_in_each(flag, &text)?);
        let id: Vec<String> = self.id_column.iter().cloned().collect();
        warn(&source.require_in_each(Some("--id-column"), &id)?);
        Ok(())
    }

    /// Returns the only input if it is a YAML file: a golden set.
    pub fn yaml(&self) -> Option<&Path> {
        let [path] = self.inputs.as_slice() else { return None };
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        ["yaml", "yml"].contains(&ending.as_str()).then_some(path.as_path())
    }

    /// Returns the only input if it is the folder of a review queue.
    pub fn review(&self) -> Option<&Path> {
        let [path] = self.inputs.as_slice() else { return None };
        reader::is_folder(path).then_some(path.as_path())
    }

    /// Returns the files and patterns that are named.
    pub fn files(&self) -> &[PathBuf] {
        &self.inputs
    }

    /// Reports whether no input is named.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Names the composition of a text from a record's columns. Certificates are compared by it.
    pub fn composition(&self) -> String {
        match (&self.text_template, &self.pair) {
            (Some(template), _) => format!("template {template}"),
            (None, Some(_)) => "prompt and answer".to_owned(),
            (None, None) if self.is_batch() => "conversation".to_owned(),
            (None, None) => ONE_COLUMN.to_owned(),
        }
    }

    /// Reports whether the inputs are OpenAI Batch requests.
    pub fn is_batch(&self) -> bool {
        self.format == Some(FormatArg::Batch)
    }
}

/// Prints how the inputs are read. Of many notes, the last are counted.
fn print_notes(source: &Source) {
    const SHOWN: usize = 6;
    let notes: Vec<Notice> = source.notes().collect();
    for note in notes.iter().take(SHOWN) {
        output::note(&with_hints(note));
    }
    if notes.len() > SHOWN {
        output::note(&format!("and {} more notes on how inputs are read", notes.len() - SHOWN));
    }
}

/// Prints warnings on stderr.
pub fn warn(warnings: &[Notice]) {
    for warning in warnings {
        output::warning(&with_hints(warning));
    }
}

/// Refuses an input that is named twice, in any spelling, and two inputs with the same name in rows.
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

/// Returns the name of a column that may be given by its number in a table.
pub fn named(column: String, table: Option<&[String]>) -> String {
    let names = table.unwrap_or_default();
    let number = column.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(1)?));
    match number {
        // A column may itself be called by a number. Its name comes first.
        Some(name) if !names.contains(&column) => name.clone(),
        _ => column,
    }
}

/// Returns the inputs of a path: the file itself, or if it does not exist the files that match it as a pattern.
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

/// Adds inputs to the files of a run.
pub fn claim(inputs: &[Input], files: &mut Files) -> Result<(), anyhow::Error> {
    for input in inputs {
        match input.path() {
            Some(path) => files.read("the input", path)?,
            None => files.read_stdin()?,
        }
    }
    Ok(())
}

impl From<FormatArg> for InputFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Json => Self::Json,
            FormatArg::Csv => Self::Csv,
            FormatArg::Tsv => Self::Tsv,
            FormatArg::Lines => Self::Lines,
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Xlsx => Self::Xlsx,
            FormatArg::Batch => Self::Batch,
        }
    }
}
