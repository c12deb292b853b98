//! The flags that name a server that computes instead of this machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use magistrate::engine::remote::{Level, RemoteKey, RemoteOptions};

use super::engine::at_least_one;

/// The variable with a key for the server.
pub const KEY: &str = "MAGISTRATE_REMOTE_KEY";

#[derive(Debug, Args)]
#[command(next_help_heading = "Remote engine")]
pub struct RemoteArgs {
    /// Let the server at URL compute: vLLM, `SGLang`, llama-server, or another one with OpenAI's API. Texts are sent there
    #[arg(long, visible_alias = "engine", value_name = "URL")]
    remote: Option<String>,

    /// Model of the server, by its name there [default: the only one]
    #[arg(long, value_name = "NAME")]
    remote_model: Option<String>,

    /// File with the key for the server [default: the variable `MAGISTRATE_REMOTE_KEY`, which holds the key itself]
    #[arg(long, value_name = "FILE")]
    remote_key: Option<PathBuf>,

    /// Use of the server. exact: own tokens, answers are scored. logprobs, chat: messages, with and without
    /// probabilities [default: the best that it allows]
    #[arg(long, value_name = "LEVEL")]
    remote_level: Option<LevelArg>,

    /// Longest wait for one reply, in seconds [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one)]
    remote_timeout: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LevelArg {
    Exact,
    Logprobs,
    Chat,
}

impl RemoteArgs {
    /// Resolves the flags. `None` if this machine computes. `parallel` is the number of texts at once, if it is given.
    pub fn resolve(&self, parallel: Option<usize>) -> Result<Option<RemoteOptions>, anyhow::Error> {
        let Some(url) = self.remote.clone() else { return Ok(None) };
        let key = match &self.remote_key {
            Some(file) => {
                let key = std::fs::read_to_string(file);
                let key = key.with_context(|| format!("--remote-key: {} cannot be read", file.display()))?;
                anyhow::ensure!(!key.trim().is_empty(), "--remote-key: {} is empty", file.display());
                Some(RemoteKey::new(&key))
            }
            None => std::env::var(KEY).ok().filter(|key| !key.trim().is_empty()).map(|key| RemoteKey::new(&key)),
        };
        let patience = self.remote_timeout.map(|seconds| Duration::from_secs(seconds as u64));
        Ok(Some(RemoteOptions {
            model: self.remote_model.clone(),
            key,
            level: self.remote_level.map(|level| match level {
                LevelArg::Exact => Level::Exact,
                LevelArg::Logprobs => Level::Logprobs,
                LevelArg::Chat => Level::Chat,
            }),
            parallel,
            patience: patience.unwrap_or(RemoteOptions::PATIENCE),
            url,
        }))
    }
}
