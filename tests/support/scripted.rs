//! An engine without llama.cpp, for tests of what is around it.

use std::io::Read;

use magistrate::engine::backend::{Layout, Limits};
use magistrate::engine::scripted::Scripted;
use magistrate::engine::{Engine, EngineConfig, SessionOptions};
use magistrate::label::row::Provenance;
use magistrate::label::run::Judge;
use magistrate::policy::{Contract, Effort, Policy};
use magistrate::prompt::Templates;
use magistrate::tokenizer::Token;
use magistrate::verdict::Rule;

/// An engine on a scripted model, which finds a violation in a text with the token of `!` in it.
pub fn engine(context: usize) -> Engine {
    let config = EngineConfig { context, ..EngineConfig::new(super::demonstration()) };
    let tokenizer = magistrate::model::inspect(&config.model).unwrap().tokenizer().unwrap();
    let token = |text: &str| tokenizer.encode(text)[0];
    let (bad, no, yes) = (token("!"), token("0"), token("1"));
    let limits = Limits { layout: Layout::Unified, cells: context, batch: 256, sequences: config.sequences };
    let (vocabulary, model) = (tokenizer.len(), move |history: &[Token], logits: &mut [f32]| {
        logits[if history.contains(&bad) { yes } else { no }.0 as usize] = 20.0;
    });
    Engine::on(move || Scripted::new(limits, vocabulary, model), &config, Templates::shipped()).unwrap()
}

pub fn policy(id: &str) -> Policy {
    Policy::from_plain(id, "Judge.", Some(Contract::parse_labels("0=safe,1=violation").unwrap())).unwrap()
}

pub fn judge<'engine>(engine: &'engine Engine, policy: &Policy, options: &SessionOptions) -> Judge<'engine> {
    let provenance = Provenance::new(policy, engine.model(), engine.templates(), Effort::None, Rule::default());
    Judge { session: engine.session(policy, options.clone()).unwrap(), provenance }
}

pub fn options() -> SessionOptions {
    SessionOptions { effort: Some(Effort::None), ..SessionOptions::default() }
}

/// Rows without an end in memory: what is read of it exists only while it is read.
pub struct Endless {
    pub rows: u64,
    pub buffer: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.buffer.is_empty() && self.rows > 0 {
            self.rows -= 1;
            let filler = "word ".repeat(usize::try_from(self.rows % 17).unwrap());
            self.buffer = format!("{{\"id\": {}, \"text\": \"Text {filler}\"}}\n", self.rows).into_bytes();
        }
        let count = into.len().min(self.buffer.len());
        into[..count].copy_from_slice(&self.buffer[..count]);
        self.buffer.drain(..count);
        Ok(count)
    }
}
