//! A stream of texts: where it comes from, how it is written, and where its rows go.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use magistrate::label::records::{Fields, Format, Records, RecordsError};

#[derive(Debug, Args)]
pub struct StreamArgs {
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InputFormat {
    Jsonl,
    Csv,
    Tsv,
    Lines,
}

/// A stream that can be read, and written to.
pub struct Stream {
    pub records: Records<Box<dyn BufRead + Send>>,
    pub output: Box<dyn Write>,
    /// What the input is called.
    pub name: String,
    /// Its bytes, where that is known.
    pub size: Option<u64>,
    /// Whether the output is what the user looks at.
    pub to_terminal: bool,
}

impl StreamArgs {
    /// Opens both ends. Of CSV the header is read, so that a wrong one is known before a large model is loaded.
    pub fn open(self) -> Result<Stream, anyhow::Error> {
        let input = Input::open(self.input.as_deref(), self.format)?;
        let output = open_output(self.output.as_deref(), self.input.as_deref())?;
        Ok(Stream {
            output,
            name: input.name.clone(),
            size: input.size,
            to_terminal: self.output.is_none() && std::io::stdout().is_terminal(),
            records: input.records(Fields { text: self.text, id: self.id })?,
        })
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
