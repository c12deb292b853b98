//! Errors of remote engines, with the remedies that they propose.

use super::server::{Kind, Level};
use crate::certificates::CertificatesError;
use crate::hint::{Hint, Hints, Setting};

/// The reason why a server cannot be used, or cannot judge a content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address does not begin with `http://` or `https://`.
    #[error("`{url}` is not an address of the form http://HOST:PORT or https://HOST")]
    Address {
        /// The address.
        url: String,
    },
    /// The address contains a key.
    #[error("the address of the server contains a user or a key")]
    KeyInAddress,
    /// The certificates of certificate authorities cannot be read.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// No connection is possible.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// The address.
        url: String,
        /// The reason.
        why: String,
    },
    /// The server refuses a request.
    #[error("the server refuses: {status}{}", if why.is_empty() { String::new() } else { format!(" {why}") })]
    Status {
        /// The status of HTTP.
        status: u16,
        /// The server's own words.
        why: String,
    },
    /// The server does not reply in time, or breaks off.
    #[error("the server's reply broke off: {0}")]
    Broken(String),
    /// The reply is not that of such a server.
    #[error("the server's reply cannot be used: {0}")]
    Reply(String),
    /// The server has several models, and none is chosen.
    #[error("the server has {} models", models.len())]
    Models {
        /// Their names.
        models: Vec<String>,
    },
    /// The server has no model of this name.
    #[error("the server has no model `{name}`")]
    NoModel {
        /// The name.
        name: String,
        /// The names that it has.
        models: Vec<String>,
    },
    /// The server does not allow the level that was asked for.
    #[error("{kind} does not allow the level {level}")]
    Level {
        /// Its program.
        kind: Kind,
        /// The level.
        level: Level,
    },
    /// The vocabulary at hand is not that of the server's model.
    #[error("the model of the server has another vocabulary than {at_hand}")]
    Vocabulary {
        /// The vocabulary at hand.
        at_hand: String,
    },
    /// The log-probabilities are not those of the whole vocabulary.
    #[error("the log-probabilities of the server are not raw: other settings of a request change them")]
    NotRaw,
    /// A prompt that the server restores from its cache has other probabilities.
    #[error("the server computes other probabilities for a prompt that it restores from its cache")]
    WrongRestore,
    /// The chat template of the server leaves the policy out, or puts it behind the content.
    #[error("the chat template of the server {0}")]
    Template(&'static str),
    /// The server has another model by now.
    #[error("the server has another model than at the beginning")]
    Changed,
    /// A setting has no meaning at this level.
    #[error("{what} needs more than a server gives at the level {level}")]
    Unsupported {
        /// The setting.
        what: &'static str,
        /// The level.
        level: Level,
    },
}

impl Hints for RemoteError {
    fn hints(&self) -> Vec<Hint> {
        let names = |models: &[String]| format!("its models are {}", models.join(", "));
        match self {
            Self::KeyInAddress => vec![Hint::of(Setting::RemoteKey).text(" names a file with the key")],
            Self::Status { status: 401 | 403, .. } => {
                vec![Hint::of(Setting::RemoteKey).text(" names a file with the key for the server")]
            }
            Self::Models { models } => {
                vec![Hint::of(Setting::RemoteModel).text(format!(" chooses one: {}", names(models)))]
            }
            Self::NoModel { models, .. } => vec![Hint::new(names(models))],
            Self::Level { .. } => vec![Hint::new("leave out ").setting(Setting::RemoteLevel)],
            Self::Vocabulary { .. } => {
                let hint =
                    Hint::of(Setting::Model).text(" names the model's own tokenizer.json, or a GGUF file of it; ");
                vec![hint.setting(Setting::RemoteLevel).text(" chat needs no vocabulary")]
            }
            Self::Certificates(_) => vec![Hint::new(CertificatesError::REMEDY)],
            Self::NotRaw => vec![Hint::new("start vLLM with raw log-probabilities, its default")],
            Self::WrongRestore => vec![Hint::new("start llama-server with --cache-ram 0, or without --swa-full")],
            Self::Template(_) => vec![Hint::new("give the server the chat template of gpt-oss")],
            Self::Changed => vec![Hint::new("give the server the old model again, or begin another run")],
            _ => Vec::new(),
        }
    }
}
