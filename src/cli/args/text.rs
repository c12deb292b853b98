//! The flags that name the text to judge: an argument, a file, or stdin without its last newline.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use magistrate::content::Content;

use crate::cli::terminal::error::{ensure_hint, in_file};

/// Far more than any context holds, and few enough for any memory. An endless file becomes an error.
const LARGEST: u64 = 64 << 20;

/// Endings of files that hold a text or a policy.
const ENDINGS: [&str; 6] = ["txt", "md", "markdown", "yaml", "yml", "csv"];

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct TextArgs {
    /// Text to judge, behind -- if it begins with a dash [default: read from stdin]
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    text: Option<String>,

    /// File with the text, byte for byte; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl TextArgs {
    /// Reads and checks the text. Errors never contain any of it.
    pub fn read(&self) -> Result<Content, anyhow::Error> {
        if let Some(text) = &self.text {
            // A shell's pattern, or a forgotten flag, would have the name of a file judged as a text.
            let ending = Path::new(text).extension().and_then(|ending| ending.to_str());
            let is_file = ending.is_some_and(|ending| ENDINGS.contains(&ending)) && Path::new(text).is_file();
            ensure_hint!(
                !is_file,
                "the text is the name of a file",
                "-f FILE reads the text in it, and -p FILE names a policy, each with a -p of its own"
            );
            return Ok(Content::of(text.as_str())?);
        }
        if let Some(path) = self.file.as_ref().filter(|path| path.as_os_str() != "-") {
            let bytes = std::fs::File::open(path)
                .and_then(read_bounded)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            return Content::from_bytes(&bytes).map_err(|why| in_file(path.display(), why));
        }
        let stdin = std::io::stdin();
        ensure_hint!(!stdin.is_terminal(), "there is no text", "pass it as an argument, with -f FILE, or on stdin");
        let bytes = read_bounded(stdin).context("stdin cannot be read")?;
        let text = bytes.strip_suffix(b"\n").map_or(&bytes[..], |line| line.strip_suffix(b"\r").unwrap_or(line));
        Content::from_bytes(text).map_err(|why| in_file("stdin", why))
    }
}

fn read_bounded(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more shows that the source is larger than the limit.
    source.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(std::io::Error::other("it is larger than 64 MiB, which no context holds"));
    }
    Ok(bytes)
}
