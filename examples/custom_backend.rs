//! Judges texts on a backend of its own, without llama.cpp: `cargo run --release --example custom_backend [MODEL]`.
//!
//! The backend counts the tokens that it decodes, and leaves the work to a scripted model. Only the header of the model
//! file is read, for the vocabulary.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use magistrate::engine::backend::{Backend, Batch, Fault, Layout, Limits, LogitsRow, SeqId};
use magistrate::engine::scripted::Scripted;
use magistrate::gguf;
use magistrate::policy::Contract;
use magistrate::prompt::Templates;
use magistrate::tokenizer::Token;
use magistrate::verdict::DecisionRule;
use magistrate::{Content, Effort, Engine, EngineConfig, Error, Outcome, Policy, SessionOptions};

/// A backend that counts the tokens of another backend.
struct Counting<B> {
    inner: B,
    tokens: Arc<AtomicUsize>,
}

impl<B: Backend> Backend for Counting<B> {
    fn decode(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.tokens.fetch_add(batch.entries().len(), Ordering::Relaxed);
        self.inner.decode(batch)
    }

    // Everything else is the inner backend's. A backend for real hardware implements these against its KV cache.
    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn logits(&self, row: LogitsRow) -> &[f32] {
        self.inner.logits(row)
    }

    fn fork(&mut self, from: SeqId, to: SeqId) {
        self.inner.fork(from, to);
    }

    fn clear(&mut self, seq: SeqId) {
        self.inner.clear(seq);
    }

    fn compact(&mut self, seq: SeqId) -> Result<(), Fault> {
        self.inner.compact(seq)
    }

    fn save(&mut self, seq: SeqId) -> Result<Vec<u8>, Fault> {
        self.inner.save(seq)
    }

    fn restore(&mut self, saved: &[u8], seq: SeqId) -> Result<(), Fault> {
        self.inner.restore(saved, seq)
    }

    fn span(&self, seq: SeqId) -> Option<(usize, usize)> {
        self.inner.span(seq)
    }
}

fn main() -> Result<(), Error> {
    let path = std::env::args().nth(1).map_or_else(|| PathBuf::from("models/random.gguf"), PathBuf::from);
    let tokenizer = gguf::tokenizer(&path)?;
    let config = EngineConfig::new(path);

    // The scripted model answers `1` if it has read an exclamation mark, and `0` otherwise.
    let token = |text: &str| tokenizer.encode(text)[0];
    let (mark, no, yes) = (token("!"), token("0"), token("1"));
    let model = move |history: &[Token], logits: &mut [f32]| {
        let answer = if history.contains(&mark) { yes } else { no };
        logits[answer.0 as usize] = 20.0;
    };

    // The engine makes the backend on its own thread, so the count is shared.
    let limits = Limits { layout: Layout::Unified, cells: 4096, batch: 256, outputs: 64, sequences: config.sequences };
    let (vocabulary, tokens) = (tokenizer.len(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&tokens);
    let backend = move || Counting { inner: Scripted::new(limits, vocabulary, model), tokens: count };
    let engine = Engine::on(backend, &config, Templates::shipped())?;

    let labels = Contract::parse_labels("0=safe,1=violation")?;
    let policy = Policy::from_plain("shouting", "Shouting is a violation.", Some(labels))?;
    // The scripted model gives the end of an answer no more than any other token, so any mass is accepted.
    let rule = DecisionRule::default().with_min_mass(0.0);
    let session = engine.session(&policy, SessionOptions::from(Effort::None).with_rule(rule))?;
    for text in ["Good morning.", "GOOD MORNING!"] {
        match session.classify(&Content::new(text))?.outcome {
            Outcome::Verdict(judgement) => println!("{}: {text}", judgement.verdict),
            Outcome::Unresolved(reason) => println!("no verdict ({reason}): {text}"),
        }
    }
    println!("{} tokens decoded", tokens.load(Ordering::Relaxed));
    Ok(())
}
