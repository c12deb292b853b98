//! magistrate classifies text against a written policy, on your own machine, with gpt-oss-safeguard models that llama.cpp
//! runs from quantized GGUF files.
//!
//! A policy is decoded once, into a pinned sequence; each content forks it. The model reasons within a budget, then every
//! answer that the policy allows is scored where the answer must stand, so there is always a verdict to read and a
//! probability to set a threshold on.
//!
//! ```no_run
//! use magistrate::content::Content;
//! use magistrate::engine::{Engine, EngineConfig};
//! use magistrate::policy::{Effort, PolicyLibrary};
//! use magistrate::verdict::Outcome;
//!
//! let engine = Engine::load(&EngineConfig::new("gpt-oss-safeguard-20b-MXFP4.gguf"))?;
//! let session = engine.session(PolicyLibrary::shipped().get("spam")?, Effort::Low)?;
//! match session.classify(&Content::new("WINNER!! Reply YES to claim your prize"))?.outcome {
//!     Outcome::Verdict(judgement) => println!("{} {:?}", judgement.verdict, judgement.category),
//!     Outcome::Unresolved(why) => eprintln!("no verdict: {why}"),
//! }
//! # Ok::<(), magistrate::engine::EngineError>(())
//! ```
//!
//! The way through: [`policy`] and [`content`] make a [`prompt`] of [`harmony`] segments, the [`tokenizer`] of the [`gguf`]
//! file makes tokens of it, the [`engine`] makes logits of those, and [`verdict`] makes a verdict of the logits. [`label`] does
//! so for a stream, and says each verdict in a [`label::row`].

pub mod bench;
pub mod cache;
pub mod calibration;
pub mod canary;
pub mod content;
pub mod digest;
pub mod engine;
pub mod error;
pub mod eval;
pub mod files;
pub mod gguf;
pub mod harmony;
pub mod hint;
pub mod label;
pub mod machine;
pub mod models;
pub mod policy;
pub mod prompt;
pub mod random;
mod text;
pub mod tokenizer;
pub mod verdict;
