//! A stub of vLLM that answers at once: prints its address, and runs until it is killed. `scripts/bench-remote` uses it.
//!
//! Its model writes one of the named texts, and takes each nine times as often as the next. It takes as little time as
//! can be, because the program that is measured may share a core with it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::path::Path;

use magistrate::harmony::Control;
use magistrate::tokenizer::Tokenizer;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use support::remote::{Answer, listen};

/// The logit of the next token of the first text. Tokens of no text have 0.
const FIRST: f64 = 20.0;

/// A request for log-probabilities. The other settings in it do not change them.
#[derive(Deserialize)]
struct Asked<'body> {
    model: &'body str,
    prompt: Vec<u32>,
    max_tokens: usize,
    logprob_token_ids: Vec<u32>,
}

struct Model {
    tokenizer: Tokenizer,
    texts: Vec<Vec<u32>>,
    end: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: remote-stub MODEL.gguf TEXT...")?;
    let tokenizer = magistrate::gguf::tokenizer(Path::new(&path))?;
    let end = tokenizer.control(Control::Return);
    let encode = |text: String| tokenizer.encode(&text).into_iter().chain([end]).map(|token| token.0).collect();
    let texts = arguments.map(encode).collect();
    let model = Model { tokenizer, texts, end: end.0 };
    let url = listen(move |path, _, body| model.answer(path, body));
    println!("{url}");
    loop {
        std::thread::park();
    }
}

impl Model {
    fn answer(&self, path: &str, body: &[u8]) -> Answer {
        match path {
            "/version" => Answer::json(&json!({ "version": "0.33.0" })),
            "/v1/models" => Answer::json(&json!({ "data": [{ "id": "stub", "max_model_len": 8192 }] })),
            "/v1/completions" => match serde_json::from_slice::<Asked>(body) {
                Ok(asked) => Answer::json(&self.complete(&asked)),
                Err(error) => Answer::status(400, &json!({ "error": { "message": error.to_string() } }).to_string()),
            },
            _ => Answer::status(404, "{}"),
        }
    }

    fn complete(&self, asked: &Asked<'_>) -> Value {
        let mut all = asked.prompt.clone();
        let (mut written, mut places) = (Vec::new(), Vec::new());
        for _ in 0..asked.max_tokens {
            let next = self.next(&all);
            let likely: f64 = next.iter().map(|(_, logit)| logit.exp()).sum();
            #[allow(clippy::cast_precision_loss, reason = "a vocabulary has few tokens")]
            let total = (likely + (self.tokenizer.len() - next.len()) as f64).ln();
            let logit = |id: u32| next.iter().find(|(token, _)| *token == id).map_or(0.0, |(_, logit)| *logit);
            let log = |id: &u32| (format!("token_id:{id}"), json!(logit(*id) - total));
            places.push(Value::Object(asked.logprob_token_ids.iter().map(log).collect::<Map<String, Value>>()));
            written.push(next[0].0);
            all.push(next[0].0);
            if next[0].0 == self.end {
                break;
            }
        }
        let choice = json!({
            "index": 0, "token_ids": written, "logprobs": { "top_logprobs": places }, "finish_reason": "length",
        });
        json!({ "model": asked.model, "choices": [choice], "usage": { "prompt_tokens": asked.prompt.len() } })
    }

    /// Returns the next tokens of the texts, behind as much of one as a prompt ends with, and their logits.
    fn next(&self, prompt: &[u32]) -> Vec<(u32, f64)> {
        let begun = |text: &Vec<u32>| (0..text.len()).rev().find(|length| prompt.ends_with(&text[..*length]));
        let begun: Vec<usize> = self.texts.iter().map(|text| begun(text).unwrap_or_default()).collect();
        let most = begun.iter().copied().max().unwrap_or_default();
        let mut next: Vec<(u32, f64)> = Vec::new();
        let mut logit = FIRST;
        for text in self.texts.iter().zip(&begun).filter(|(_, begun)| **begun == most).map(|(text, _)| text) {
            if next.iter().all(|(token, _)| *token != text[most]) {
                next.push((text[most], logit));
                logit -= 9_f64.ln();
            }
        }
        next
    }
}
