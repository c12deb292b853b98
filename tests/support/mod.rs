//! What integration tests share: model files of their own making.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod hostile;
pub mod scripted;
pub mod synth;

use std::path::{Path, PathBuf};

use magistrate::engine::SessionOptions;
use magistrate::policy::Effort;
use magistrate::tokenizer::Tokenizer;
use magistrate::verdict::Rule;
use synth::Shape;

/// A folder that goes with the test, and a model of this shape in it.
pub fn model(shape: &Shape) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let files = synth::write(&folder.path().join("model.gguf"), shape).unwrap();
    (folder, files[0].clone())
}

/// The tokenizer of a model of this shape.
pub fn tokenizer(shape: &Shape) -> Tokenizer {
    let (_folder, path) = model(shape);
    magistrate::gguf::inspect(&path).unwrap().tokenizer().unwrap()
}

/// The model of random weights in the repository.
pub fn demonstration() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/random.gguf")
}

/// A rule that takes any mass. Noise gives next to none to allowed answers.
pub fn any_mass() -> Rule {
    Rule { min_mass: 0.0, ..Rule::default() }
}

/// Options of this effort for a model of noise: it may answer with any mass.
pub fn noisy(effort: Effort) -> SessionOptions {
    SessionOptions { rule: any_mass(), ..effort.into() }
}

/// What a usage that clap shows says of the flag that [`of_noise`] puts there.
pub const SHOWN_OF_NOISE: &str = " --min-mass <M>";

/// A command line for a model of noise: a verb that judges takes any mass, unless the line says otherwise.
pub fn of_noise<'line>(line: &[&'line str]) -> Vec<&'line str> {
    const JUDGING: [&str; 5] = ["check", "label", "eval", "calibrate", "verify"];
    const SAYING_OTHERWISE: [&str; 3] = ["--min-mass", "--decode", "--schema"];
    let verb = if line.starts_with(&["daemon", "--"]) { 2 } else { 0 };
    let judges = line.get(verb).is_some_and(|word| JUDGING.contains(word));
    if !judges || line.iter().any(|word| SAYING_OTHERWISE.iter().any(|flag| word.starts_with(flag))) {
        return line.to_vec();
    }
    [&line[..=verb], &["--min-mass", "0"], &line[verb + 1..]].concat()
}

/// What Ollama would have made of a plain file.
pub fn ollama(from: &Path, to: &Path) {
    magistrate::gguf::rewrite::rewrite(from, to, |entries| {
        entries.set_text("general.architecture", "gptoss");
        entries
            .metadata
            .retain(|(key, _)| key != "gpt-oss.expert_feed_forward_length" && key != "gpt-oss.rope.scaling.type");
        for (key, _) in &mut entries.metadata {
            *key = key.replace("gpt-oss.", "gptoss.");
        }
        entries.set_text("tokenizer.ggml.pre", "default");
        for tensor in &mut entries.tensors {
            let name =
                tensor.name.replace(".attn_output.", ".attn_out.").replace(".post_attention_norm.", ".ffn_norm.");
            tensor.name = name.replace(".attn_sinks.weight", ".attn_sinks");
        }
        Ok(())
    })
    .unwrap();
}
