//! The flags of `serve`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::serve::keys::Keys;
use magistrate::serve::listen::Address;

use super::review::ReviewArgs;
use crate::cli::args::engine::at_least_one;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ServeArgs {
    /// Address to listen on: ADDRESS:PORT, a port of this machine, or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787", value_parser = Address::read)]
    pub listen: Address,

    /// File of keys, a line for each: NAME DIGEST and limits. The variable `MAGISTRATE_API_KEY` sets one more
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,

    /// Print a new key and its line for --keys, and serve nothing
    #[arg(long, value_name = "NAME")]
    pub new_key: Option<String>,

    /// Ask the server at --listen if it takes texts, exit 0 or 1, and serve nothing
    #[arg(long, conflicts_with = "new_key")]
    pub health: bool,

    /// Serve other machines without a key
    #[arg(long)]
    pub insecure: bool,

    /// Name of this machine in the header Host, beside localhost
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,

    /// Site whose pages may call the server, such as `https://desk.example`
    #[arg(long, value_name = "ORIGIN")]
    pub cors: Vec<String>,

    /// Policies of `/v1/moderations` [default: every policy known to the model]
    #[arg(long, value_name = "POLICY,...", value_delimiter = ',')]
    pub moderation: Vec<String>,

    /// Webhooks of other systems: names of shipped hooks, or files
    #[arg(long, value_name = "NAME|FILE,...", value_delimiter = ',')]
    pub hooks: Vec<String>,

    /// File of an audit line for each verdict, without the text; - for stderr
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,

    /// Folder of files and batches, which contain texts. Without it `/v1/files` and `/v1/batches` are off
    #[arg(long, value_name = "FOLDER")]
    pub batches: Option<PathBuf>,

    /// Folder that the page writes to: policies with golden sets and history, and labeled files. Without it the page
    /// saves nothing
    #[arg(long, value_name = "FOLDER")]
    pub workspace: Option<PathBuf>,
    #[command(flatten)]
    pub review: ReviewArgs,
    /// Most bytes of a file to label
    #[arg(long, value_name = "BYTES", default_value = "2000000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_upload: u64,

    /// Most texts waiting or being judged. Further requests are refused with a time to wait
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one)]
    pub queue: usize,

    /// Most texts of one request
    #[arg(long, value_name = "N", default_value = "1024", value_parser = at_least_one)]
    pub max_texts: usize,

    /// Most bytes of a body
    #[arg(long, value_name = "BYTES", default_value = "2000000", value_parser = at_least_one)]
    pub max_body: usize,

    /// Most connections at once
    #[arg(long, value_name = "N", default_value = "4096", value_parser = at_least_one)]
    pub max_connections: usize,

    /// Most seconds for the verdicts of a request
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub request_timeout: u64,

    /// Most seconds for requests to end after a signal
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub drain: u64,

    /// Seconds after a signal in which requests are still taken, and /ready says no
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub drain_delay: u64,
}

impl ServeArgs {
    /// Returns the address as it is given.
    pub fn listen_shown(&self) -> String {
        match &self.listen {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

/// Prints a new key, and its line for a keys file.
pub fn new_key(name: &str) -> anyhow::Result<ExitCode> {
    ensure_hint!(Keys::is_name(name), "this cannot be the name of a key", "use letters, digits, and -_.@, 64 at most");
    let mut bytes = [0; 24];
    let mut random = std::fs::File::open("/dev/urandom").context("there is no source of random numbers")?;
    random.read_exact(&mut bytes).context("there is no source of random numbers")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("mag_{digits}");
    output::data(&format!("{}\n", Keys::line(name, &key)))?;
    output::message(&format!("the key of {name}, which is not stored: {key}"));
    Ok(ExitCode::from(exit::DONE))
}
