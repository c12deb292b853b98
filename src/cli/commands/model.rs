//! `model`: lists, inspects, verifies, fetches and converts models.

mod convert;
mod fit;
mod inspect;
mod list;
mod path;
#[cfg(feature = "hub")]
mod pull;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::convert::Convert;
use self::fit::Fit;
use self::inspect::Inspect;
use self::list::List;
use self::path::PathOf;
#[cfg(feature = "hub")]
use self::pull::Pull;
use self::verify::Verify;

#[derive(Debug, Args)]
pub struct ModelVerb {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the gpt-oss models on this machine, from all stores
    List(List),
    /// Print the path of a model's file
    Path(PathOf),
    /// Print the properties of a model file, or its faults; only its header is read
    Inspect(Inspect),
    /// Report whether a model fits on this machine, and how it will be loaded; exit 1 if it does not
    Fit(Fit),
    /// Read the whole file and print its sha256; exit 1 if the store has another
    Verify(Verify),
    /// Fetch a model: 20b, 120b, hf:ORG/REPO:FILE, docker:ai/NAME:TAG, ollama:NAME:TAG or https://...
    #[cfg(feature = "hub")]
    Pull(Pull),
    /// Make a plain GGUF from a file that was made for Ollama's own engine
    Convert(Convert),
}

impl ModelVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        match self.verb.unwrap_or(Verb::List(List::default())) {
            Verb::List(list) => list.run(),
            Verb::Path(path) => path.run(),
            Verb::Inspect(inspect) => inspect.run(),
            Verb::Fit(fit) => fit.run(),
            Verb::Verify(verify) => verify.run(),
            #[cfg(feature = "hub")]
            Verb::Pull(pull) => pull.run(),
            Verb::Convert(convert) => convert.run(),
        }
    }
}
