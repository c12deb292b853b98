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
//! The way through: [`policy`] and [`content`] make a [`prompt`] of [`harmony`] segments, the [`tokenizer`] of the [`model`]
//! file makes tokens of it, the [`engine`] makes logits of those, and [`verdict`] makes a verdict of the logits. [`label`] does
//! so for a stream, and says each verdict in a [`label::row`].

pub mod bench;
pub mod cache;
pub mod canary;
pub mod content;
pub mod engine;
pub mod eval;
pub mod files;
pub mod harmony;
pub mod label;
pub mod machine;
pub mod model;
pub mod policy;
pub mod prompt;
pub mod tokenizer;
pub mod verdict;

/// Bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A text out of a file that nobody vouches for, as it may stand in a message: not long, in one line, and without what
/// would steer a terminal.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let plain = |char: char| {
        let quote = matches!(char, '"' | '\'' | '\\');
        if quote { char.to_string() } else { char.escape_debug().to_string() }
    };
    let mut shown: String = text.chars().take(LONGEST).map(plain).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// A path with something behind its name.
fn with_ending(path: &std::path::Path, ending: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
