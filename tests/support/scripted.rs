//! An engine without llama.cpp, for tests of the code around it.

use std::io::{BufRead, Read};

use magistrate::engine::backend::{Layout, Limits};
use magistrate::engine::scripted::Scripted;
use magistrate::engine::{Engine, EngineConfig, SessionOptions};
use magistrate::label::entry::OutputForm;
use magistrate::label::journal::Past;
use magistrate::label::judge::Judge;
use magistrate::label::memo::Memo;
use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::row::Provenance;
use magistrate::label::run::{EarlierVerdicts, Run, RunError, Settings, run};
use magistrate::label::sink::{Rows, Sink};
use magistrate::label::source::Source;
use magistrate::label::summary::Summary;
use magistrate::policy::{Effort, Policy};
use magistrate::prompt::Templates;
use magistrate::tokenizer::{Token, Tokenizer};

/// Returns an engine on a scripted model, which finds a violation in a text with the token of `!`.
pub fn engine(context: usize) -> Engine {
    on(context, |_| |_| false)
}

/// Returns an engine whose logits are not numbers the first times that it reads a text of this one word.
pub fn failing(word: &'static str, mut times: usize) -> Engine {
    on(2048, move |tokenizer| {
        let word = tokenizer.encode(word)[0];
        move |history| {
            let fails = times > 0 && history.contains(&word);
            times -= usize::from(fails);
            fails
        }
    })
}

/// Returns an engine. `fails` gets the tokenizer, and returns a function that reports whether the logits after some tokens
/// are not numbers.
fn on<F: FnMut(&[Token]) -> bool + Send + 'static>(context: usize, fails: impl FnOnce(&Tokenizer) -> F) -> Engine {
    let config = EngineConfig::new(super::demonstration()).with_context(context);
    let tokenizer = magistrate::gguf::inspect(&config.model).unwrap().tokenizer().unwrap();
    let mut fails = fails(&tokenizer);
    let token = |text: &str| tokenizer.encode(text)[0];
    let (bad, no, yes) = (token("!"), token("0"), token("1"));
    let limits =
        Limits { layout: Layout::Unified, cells: context, batch: 256, outputs: 64, sequences: config.sequences };
    let (vocabulary, model) = (tokenizer.len(), move |history: &[Token], logits: &mut [f32]| {
        if fails(history) {
            logits.fill(f32::NAN);
        }
        logits[if history.contains(&bad) { yes } else { no }.0 as usize] = 20.0;
    });
    Engine::on(move || Scripted::new(limits, vocabulary, model), &config, Templates::shipped()).unwrap()
}

pub fn policy(id: &str) -> Policy {
    super::plain(id, "Judge.", "0=safe,1=violation")
}

pub fn judge<'engine>(engine: &'engine Engine, policy: &Policy, options: &SessionOptions) -> Judge<'engine> {
    let provenance = Provenance::new(policy, engine.model(), engine.templates(), Effort::None, options.rule());
    Judge { session: engine.session(policy, options.clone()).unwrap(), provenance }
}

/// Returns options that accept any mass. The scripted model gives the end of an answer no more than any other token.
pub fn options() -> SessionOptions {
    super::noisy(Effort::None)
}

/// Returns the state of a run without a journal and a memo.
pub fn nothing() -> EarlierVerdicts {
    EarlierVerdicts { past: Past::none(), memo: Memo::in_memory() }
}

/// Judges all records of a source with the default settings. No verdict is known before.
pub fn judge_all(
    engine: &Engine,
    judges: &[Judge<'_>],
    source: Source,
    sink: &mut dyn Sink,
) -> Result<Summary, RunError> {
    run(Run { engine, judges, settings: &Settings::default(), earlier: nothing() }, source, sink, &mut |_| ())
}

/// Returns a sink that writes rows to a writer.
pub fn rows<W: std::io::Write>(output: W, policies: &[&str]) -> Rows<W> {
    let policies = policies.iter().map(ToString::to_string).collect();
    Rows { output, form: OutputForm { policies, ..OutputForm::default() } }
}

/// Returns the records of a stream.
pub fn source(stream: impl BufRead + Send + 'static, format: InputFormat) -> Source {
    Source::of_stream("input", stream, format, RecordFields::default()).unwrap()
}

/// A stream of rows that exist in memory only while they are read.
pub struct Endless {
    pub rows: u64,
    pub buffer: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.buffer.is_empty() && self.rows > 0 {
            self.rows -= 1;
            let filler = "word ".repeat(usize::try_from(self.rows % 17).unwrap());
            self.buffer = format!("{{\"id\": {0}, \"text\": \"Text {0} {filler}\"}}\n", self.rows).into_bytes();
        }
        let count = into.len().min(self.buffer.len());
        into[..count].copy_from_slice(&self.buffer[..count]);
        self.buffer.drain(..count);
        Ok(count)
    }
}
