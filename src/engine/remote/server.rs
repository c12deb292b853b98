//! A server that computes: the way to it, and its program, model and level.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteOptions {
    /// Address, such as `http://127.0.0.1:8000`. A path `/v1` at its end may be left out.
    pub url: String,
    /// Name of the model on the server. Default: `None`, for the only one.
    pub model: Option<String>,
    /// Key for the server.
    pub key: Option<RemoteKey>,
    /// Level of use. Default: `None`, for the best that the server allows.
    pub level: Option<Level>,
    /// Contents in flight at once. Default: `None`, for a number that suits the server.
    pub parallel: Option<usize>,
    /// Longest wait for one reply.
    pub patience: Duration,
}

impl RemoteOptions {
    /// Longest wait for one reply, by default. Long reasoning on a CPU takes minutes.
    pub const PATIENCE: Duration = Duration::from_mins(10);

    /// Returns the options for an address, with the defaults.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let (model, key, level, parallel) = (None, None, None, None);
        Self { url: url.into(), model, key, level, parallel, patience: Self::PATIENCE }
    }
}

/// A key for a server. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteKey(String);

impl RemoteKey {
    /// Takes a key, without the space around it.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.trim().to_owned())
    }

    /// Returns the key for a request.
    #[cfg(feature = "remote")]
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RemoteKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RemoteKey")
    }
}

/// How much a server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Messages in, a text out. Verdicts have no probability.
    Chat,
    /// Messages in, a text with log-probabilities out. Probabilities are approximate.
    Logprobs,
    /// Our own tokens in, and the log-probability of every answer out.
    Exact,
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Chat => "chat",
            Self::Logprobs => "logprobs",
            Self::Exact => "exact",
        })
    }
}

/// The program behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// vLLM.
    Vllm,
    /// `SGLang`.
    Sglang,
    /// The server of llama.cpp.
    LlamaServer,
    /// Any other program with the API of `OpenAI`.
    Openai,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::LlamaServer => "llama-server",
            Self::Openai => "openai",
        })
    }
}

/// The difference of two preferences up to which it counts as rounding, in thousandths of the natural logarithm.
///
/// Servers in BF16 differ from themselves by up to 60.
pub const ROUNDING: u64 = 300;

/// A server whose program, model and level are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteServer {
    /// Its program.
    pub kind: Kind,
    /// Version of the program. Empty if unknown.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// The level of use.
    pub level: Level,
    /// Preferences of the model between pairs of tokens behind short texts: differences of log-probabilities, in
    /// thousandths. A model that was swapped has others. Empty below [`Level::Exact`].
    pub canary: Vec<i64>,
    /// Longest context in tokens.
    pub context: usize,
    /// Contents in flight at once.
    pub parallel: usize,
}

impl RemoteServer {
    /// Returns the name under which rows and journals list the model.
    #[must_use]
    pub fn name(&self) -> String {
        let version = if self.version.is_empty() { String::new() } else { format!("@{}", self.version) };
        format!("remote:{}:{}{version}", self.kind, self.model)
    }
}
