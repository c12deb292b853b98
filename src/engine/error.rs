//! The error of the engine, with the remedies that it proposes.

use super::backend::Fault;
use super::remote::RemoteError;
use crate::gguf::ModelError;
use crate::hint::{Hint, Hints, Setting};
use crate::policy::PolicyError;
use crate::prompt::TemplateError;

/// The reason why an engine cannot be loaded, a session cannot be opened or a content cannot be judged.
///
/// A content without a verdict is no error: see [`crate::verdict::Unresolved`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A template fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// llama.cpp cannot be started.
    #[error("llama.cpp cannot be started: {0}")]
    Start(String),
    /// The folder of llama.cpp's backends has no backend for this CPU.
    #[error("llama.cpp cannot be started: {folder}: there is no backend for this CPU")]
    NoBackend {
        /// The folder.
        folder: String,
        /// The environment variable that names another folder.
        variable: &'static str,
    },
    /// llama.cpp cannot load the model.
    #[error("the model cannot be loaded: {0}")]
    Load(String),
    /// The CPU lacks an instruction set that this build needs.
    #[error("this build needs {0}, which this CPU does not have")]
    Cpu(String),
    /// The crate's own kernels cannot be used.
    #[error("magistrate's own kernels do not compute the sums of llama.cpp here, for {0}")]
    Kernels(&'static str),
    /// A device does not exist.
    #[error("there is no device `{name}`")]
    Device {
        /// The name that was asked for.
        name: String,
        /// The names of all devices.
        known: Vec<String>,
    },
    /// A setting is out of range.
    #[error("{name} must be from {least} to {most}, not {value}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The smallest allowed value.
        least: usize,
        /// The largest allowed value.
        most: usize,
    },
    /// The content or the policy does not fit into the context.
    #[error("{what} is too long: {tokens} tokens, room for {room}")]
    TooLong {
        /// The part that does not fit: `the content` or `the policy`.
        what: &'static str,
        /// Its tokens.
        tokens: usize,
        /// The tokens that there is room for.
        room: usize,
        /// The context that would suffice, in tokens.
        needed: usize,
        /// The largest context of the model, in tokens.
        most: usize,
    },
    /// The content is longer than the session's options allow.
    #[error("the content is too long: {tokens} tokens, at most {most} are allowed")]
    OverLimit {
        /// Its tokens, its framing in the prompt included.
        tokens: usize,
        /// The limit in tokens.
        most: usize,
    },
    /// The engine's queue is full.
    #[error("the engine is overloaded: {queue} contents wait already")]
    Overloaded {
        /// The number of contents that may wait.
        queue: usize,
    },
    /// The backend failed.
    #[error("decoding failed: {0}")]
    Fault(#[from] Fault),
    /// A remote engine cannot be used, or cannot judge a content.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The engine's thread has ended.
    #[error("the engine has stopped: it failed earlier, or llama.cpp did")]
    Stopped,
}

/// Length in tokens that a hint assumes for a content, as no content is known when a session opens.
const TYPICAL_CONTENT: usize = 1024;

impl EngineError {
    /// Returns the refusal of a policy. `least` are the cells that the shortest content takes beside it, and `most` is the
    /// largest context of the model.
    pub(super) fn policy_too_long(tokens: usize, room: usize, least: usize, most: usize) -> Self {
        // The hint includes room for a content. A context for the policy alone would lead to the next refusal.
        let needed = least.saturating_add(tokens).saturating_add(TYPICAL_CONTENT).min(most.max(least + tokens));
        Self::TooLong { what: "the policy", tokens, room, needed, most }
    }

    /// Returns the refusal of a content that needs more cells than there are. `most` is the largest context of the model.
    pub(super) fn content_too_long(tokens: usize, needed: usize, cells: usize, most: usize) -> Self {
        // Policy, reasoning and answers need their share of the room, too.
        Self::TooLong { what: "the content", tokens, room: cells.saturating_sub(needed - tokens), needed, most }
    }
}

impl Hints for EngineError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Model(error) => error.hints(),
            Self::Template(error) => error.hints(),
            Self::Policy(error) => error.hints(),
            Self::Remote(error) => error.hints(),
            Self::NoBackend { variable, .. } => {
                let hint = format!("put the folder `backends` beside the program, or name it in {variable}");
                vec![Hint::new(hint)]
            }
            Self::Cpu(_) => {
                vec![Hint::new("build magistrate on this machine, for its own instruction set: scripts/run")]
            }
            Self::Kernels(_) => vec![Hint::of_value(Setting::Kernels, "llama").text(" uses those of llama.cpp")],
            Self::Device { known, .. } => vec![Hint::new(format!("the devices are {}", known.join(", ")))],
            Self::TooLong { what, needed, most, .. } => {
                let hint = if needed <= most {
                    Hint::of_value(Setting::Context, needed).text(" makes room")
                } else {
                    Hint::new(format!(
                        "the context would be {needed} tokens, and this model takes {most}: shorten it, or lower "
                    ))
                    .setting(Setting::Budget)
                };
                // A policy cannot be judged in pieces.
                let pieces = *what == "the content";
                vec![if pieces { hint.text("; ").setting(Setting::Chunk).text(" judges it in pieces") } else { hint }]
            }
            _ => Vec::new(),
        }
    }
}
