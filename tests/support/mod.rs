//! Model files, rules and command lines that integration tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod hostile;
#[cfg(feature = "remote")]
pub mod remote;
pub mod scripted;
pub mod synth;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use magistrate::engine::SessionOptions;
use magistrate::policy::{Contract, Effort, Policy};
use magistrate::tokenizer::Tokenizer;
use magistrate::verdict::DecisionRule;
use synth::Shape;

/// Returns a folder that is removed with the test, and a model of this shape in it.
pub fn model(shape: &Shape) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let files = synth::write(&folder.path().join("model.gguf"), shape).unwrap();
    (folder, files[0].clone())
}

/// Returns the tokenizer of a model of this shape.
pub fn tokenizer(shape: &Shape) -> Tokenizer {
    let (_folder, path) = model(shape);
    magistrate::gguf::inspect(&path).unwrap().tokenizer().unwrap()
}

/// Keeps tests that measure time apart: at most one of them runs at a time in a process.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed has poisoned the lock, which does the next one no harm.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the path of the repository's model with random weights.
pub fn demonstration() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/random.gguf")
}

/// Returns the tokenizer of that model.
pub fn demonstration_tokenizer() -> Arc<Tokenizer> {
    static TOKENIZER: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    let load = || Arc::new(magistrate::gguf::inspect(&demonstration()).unwrap().tokenizer().unwrap());
    Arc::clone(TOKENIZER.get_or_init(load))
}

/// Returns a policy of a plain text with these labels, such as `0=safe,1=violation`.
pub fn plain(id: &str, text: &str, labels: &str) -> Policy {
    Policy::from_plain(id, text, Some(Contract::parse_labels(labels).unwrap())).unwrap()
}

/// Returns a rule that accepts any mass. A model of noise gives allowed answers almost no mass.
pub fn any_mass() -> DecisionRule {
    DecisionRule::default().with_min_mass(0.0)
}

/// Returns options of this effort for a model of noise, with a rule that accepts any mass.
pub fn noisy(effort: Effort) -> SessionOptions {
    SessionOptions::from(effort).with_rule(any_mass())
}

/// The flag of [`of_noise`] in a usage line of clap.
pub const SHOWN_OF_NOISE: &str = " --min-mass <M>";

/// Returns a command line for a model of noise: a verb that judges accepts any mass, unless the line sets it.
pub fn of_noise<'line>(line: &[&'line str]) -> Vec<&'line str> {
    const JUDGING: [&str; 5] = ["check", "label", "eval", "calibrate", "verify"];
    // `--decode free` refuses a least mass, and `--schema` judges nothing.
    const SETTING_IT: [&str; 3] = ["--min-mass", "--decode", "--schema"];
    let verb = if line.starts_with(&["daemon", "--"]) { 2 } else { 0 };
    let judges = line.get(verb).is_some_and(|word| JUDGING.contains(word));
    if !judges || line.iter().any(|word| SETTING_IT.iter().any(|flag| word.starts_with(flag))) {
        return line.to_vec();
    }
    [&line[..=verb], &["--min-mass", "0"], &line[verb + 1..]].concat()
}

/// Writes a plain file as Ollama would have made it.
pub fn ollama(from: &Path, to: &Path) {
    const ADDED: [&[u8]; 2] = [b"gpt-oss.expert_feed_forward_length", b"gpt-oss.rope.scaling.type"];
    let replaced = |bytes: &[u8], pairs: &[(&str, &str)]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        pairs.iter().fold(text, |text, (from, to)| text.replace(from, to)).into_bytes()
    };
    magistrate::gguf::rewrite::rewrite(from, to, |header| {
        header.set_text("general.architecture", "gptoss");
        header.keys.retain(|(key, _)| !ADDED.contains(&key.as_slice()));
        for (key, _) in &mut header.keys {
            *key = replaced(key, &[("gpt-oss.", "gptoss.")]);
        }
        header.set_text("tokenizer.ggml.pre", "default");
        let names = [
            (".attn_output.", ".attn_out."),
            (".post_attention_norm.", ".ffn_norm."),
            (".attn_sinks.weight", ".attn_sinks"),
        ];
        for tensor in &mut header.tensors {
            tensor.name = replaced(&tensor.name, &names);
        }
        Ok(())
    })
    .unwrap();
}
