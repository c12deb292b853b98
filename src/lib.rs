//! magistrate classifies text against a written policy, on your own machine. It runs OpenAI's gpt-oss-safeguard models
//! as quantized GGUF files through llama.cpp.
//!
//! An [`Engine`] decodes a policy once and keeps it in the KV cache; each text costs its own tokens only. The model
//! reasons within a token budget. Then every answer that the policy allows is scored, so each text gets a verdict and a
//! probability, or a reason why no verdict was reached.
//!
//! # Judging one text
//!
#![cfg_attr(feature = "llama", doc = "```")]
#![cfg_attr(not(feature = "llama"), doc = "```ignore")]
//! use magistrate::{Content, Effort, Engine, EngineConfig, Outcome, PolicyLibrary};
//!
//! # fn main() -> Result<(), magistrate::Error> {
//! let engine = Engine::load(&EngineConfig::new("models/magistrate-nano.gguf"))?;
//! let session = engine.session(PolicyLibrary::shipped().get("spam")?, Effort::Low)?;
//! let completion = session.classify(&Content::new("WINNER!! Reply YES to claim your prize"))?;
//! match completion.outcome {
//!     Outcome::Verdict(judgement) => println!("{} {:?}", judgement.verdict, judgement.category),
//!     Outcome::Unresolved(reason) => println!("no verdict: {reason}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! - A [`Policy`] is a set of rules with a closed list of answers. [`PolicyLibrary`] holds the shipped ones.
//! - A [`Content`] is one untrusted text. It has no `Display`, so it cannot be printed by accident.
//! - An [`Effort`] sets how much the model reasons before it answers.
//! - A [`Session`] is a policy in the KV cache of an engine. It is cheap to use for many texts, from many threads.
//! - A [`Completion`] has the [`Outcome`], the reasoning and the token counts. A [`Judgement`] has the [`Verdict`], the
//!   category, P(violation) and the mass, the probability of all allowed answers together.
//! - [`Unresolved`] is the reason why a text has no verdict. It never means that the text is safe.
//! - An [`Error`] has a kind and hints. A [`Hint`] names a [`Setting`] of this library; a program shows it under its own
//!   name.
//!
//! # Labelling many texts
//!
//! [`label`] reads records, judges them and writes a row for each, in order. A journal makes a run resumable. This is
//! `examples/label_file.rs`:
//!
#![cfg_attr(feature = "llama", doc = "```")]
#![cfg_attr(not(feature = "llama"), doc = "```ignore")]
#![doc = include_str!("../examples/label_file.rs")]
//! ```
//!
//! # Evaluating a policy
//!
//! [`eval`] measures a policy on texts whose label is known, and [`calibration`] finds thresholds that may be acted on.
//! This is `examples/evaluate.rs`:
//!
#![cfg_attr(feature = "llama", doc = "```")]
#![cfg_attr(not(feature = "llama"), doc = "```ignore")]
#![doc = include_str!("../examples/evaluate.rs")]
//! ```
//!
//! # A backend of your own
//!
//! The engine runs on the trait [`engine::backend::Backend`]. [`engine::scripted`] is one without a model, for tests.
//! This is `examples/custom_backend.rs`, which counts tokens:
//!
//! ```
#![doc = include_str!("../examples/custom_backend.rs")]
//! ```
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `llama` | llama.cpp (needs a C++ compiler, cmake and libclang) | with `cli` |
//! | `cli` | the command `magistrate` | yes |
//! | `nano` | the built-in demonstration model, 6 MB | yes |
//! | `hub` | downloads of models | yes |
//! | `parquet`, `xlsx`, `zstd` | these input and output formats | yes |
//! | `cuda`, `vulkan`, `metal`, `rocm` | a GPU backend of llama.cpp | no |
//! | `dynamic-backends` | backends as libraries beside the program | no |
//!
//! # Stability
//!
//! The items that these pages show follow semantic versioning. Modules that they do not show are public for the command
//! and its tests, and may change in any version.

pub mod calibration;
pub mod engine;
pub mod eval;
pub mod label;
pub mod models;
pub mod policy;
pub mod verdict;

// Public for the command and its tests alone: see "Stability" above.
#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod cache;
#[doc(hidden)]
pub mod canary;
#[doc(hidden)]
pub mod certificates;
#[doc(hidden)]
pub mod content;
#[doc(hidden)]
pub mod digest;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod file_kind;
#[doc(hidden)]
pub mod files;
#[doc(hidden)]
pub mod gguf;
#[doc(hidden)]
pub mod harmony;
#[doc(hidden)]
pub mod hint;
#[cfg(any(feature = "hub", feature = "remote"))]
mod http;
#[doc(hidden)]
pub mod machine;
#[doc(hidden)]
pub mod prompt;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod review;
#[cfg(feature = "serve")]
#[doc(hidden)]
pub mod serve;
mod setters;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod tokenizer;
#[cfg(feature = "xlsx")]
#[doc(hidden)]
pub mod workbook;

#[doc(inline)]
pub use content::Content;
#[doc(inline)]
pub use engine::{Completion, Engine, EngineConfig, Session, SessionOptions};
#[doc(inline)]
pub use error::{Error, ErrorKind};
#[doc(inline)]
pub use hint::{Hint, Setting};
#[doc(inline)]
pub use policy::{Effort, Policy, PolicyLibrary, Verdict};
#[doc(inline)]
pub use verdict::{Judgement, Outcome, Unresolved};
