//! A stub of the servers that a remote engine talks to. It has the published schema of each, and a scripted model.

mod http;
mod protocol;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use magistrate::harmony::Control;
use magistrate::tokenizer::{Token, Tokenizer};
use serde_json::Value;

pub use http::Answer;

/// The program that a stub plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Vllm,
    Sglang,
    LlamaServer,
    /// A server with the API of `OpenAI`, without and with log-probabilities.
    Chat {
        logprobs: bool,
    },
}

/// A model: gets all tokens, and fills in the logits of the next one.
pub type Model = dyn Fn(&[Token], &mut [f32]) + Send + Sync;

/// Changes the answer to a request, by its path, its number from 0 and its body.
pub type Mood = dyn Fn(&str, u64, &Value, Answer) -> Answer + Send + Sync;

/// A server that runs as long as the test process.
pub struct Stub {
    pub url: String,
    /// The requests so far: path, headers in lower case, and body.
    pub asked: Arc<Mutex<Vec<(String, String, Value)>>>,
}

/// The state that all connections of a stub share.
struct Shared {
    program: Program,
    tokenizer: Arc<Tokenizer>,
    model: Box<Model>,
    mood: Box<Mood>,
    /// False for a server that keeps no requests, so that many fit into memory.
    keeps: bool,
    count: AtomicU64,
    asked: Arc<Mutex<Vec<(String, String, Value)>>>,
}

/// Starts a stub in a good mood.
pub fn stub(
    program: Program,
    tokenizer: &Arc<Tokenizer>,
    model: impl Fn(&[Token], &mut [f32]) + Send + Sync + 'static,
) -> Stub {
    moody(program, tokenizer, true, model, |_, _, _, answer| answer)
}

/// Starts a stub that answers as its mood is.
pub fn moody(
    program: Program,
    tokenizer: &Arc<Tokenizer>,
    keeps: bool,
    model: impl Fn(&[Token], &mut [f32]) + Send + Sync + 'static,
    mood: impl Fn(&str, u64, &Value, Answer) -> Answer + Send + Sync + 'static,
) -> Stub {
    let asked: Arc<Mutex<Vec<(String, String, Value)>>> = Arc::default();
    let shared = Shared {
        program,
        tokenizer: Arc::clone(tokenizer),
        model: Box::new(model),
        mood: Box::new(mood),
        keeps,
        count: AtomicU64::new(0),
        asked: Arc::clone(&asked),
    };
    let url = listen(move |path, headers, body| shared.answer(path, headers, body));
    Stub { url, asked }
}

/// Starts a server that answers each request by its path, headers and body. Returns its address.
pub fn listen(answer: impl Fn(&str, &str, &[u8]) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || http::serve(stream, |path, headers, body| answer(path, headers, body)));
        }
    });
    url
}

/// The tokens between which the model chooses.
struct Choice {
    banned: Vec<u32>,
    /// All others are left out, if there is one.
    only: Vec<u32>,
}

impl Choice {
    fn has(&self, id: u32) -> bool {
        !self.banned.contains(&id) && (self.only.is_empty() || self.only.contains(&id))
    }
}

impl Shared {
    fn answer(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if self.keeps {
            self.asked.lock().unwrap().push((path.to_owned(), headers.to_owned(), body.clone()));
        }
        let answer = match protocol::answer(self, path, &body) {
            Some(json) => Answer::json(&json),
            None => Answer::status(404, r#"{"error":{"message":"Not Found"}}"#),
        };
        (self.mood)(path, self.count.fetch_add(1, Ordering::Relaxed), &body, answer)
    }

    /// Returns the log-probability of every token behind a prompt.
    fn logs(&self, prompt: &[Token]) -> Vec<f64> {
        let mut logits = vec![0.0; self.tokenizer.len()];
        (self.model)(prompt, &mut logits);
        let total = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        logits.into_iter().map(|logit| f64::from(logit) - total).collect()
    }

    /// Writes greedily until a stop or the limit, with the log-probabilities at each place. The last token is the stop.
    fn write(&self, prompt: &[Token], most: usize, stops: &[u32], choice: &Choice) -> Vec<(u32, Vec<f64>)> {
        let mut all = prompt.to_vec();
        let mut written = Vec::new();
        while written.len() < most {
            let logs = self.logs(&all);
            let best = (0..).zip(&logs).filter(|(id, _)| choice.has(*id));
            // The first of equals, as the engine takes it.
            let (best, _) = best.fold(
                (0, f64::NEG_INFINITY),
                |best: (u32, f64), (id, log)| {
                    if *log > best.1 { (id, *log) } else { best }
                },
            );
            written.push((best, logs));
            all.push(Token(best));
            if stops.contains(&best) {
                break;
            }
        }
        written
    }

    /// Returns the tokens of a text in which names of control tokens are control tokens, as servers read it.
    fn tokens(&self, text: &str) -> Vec<u32> {
        let first = Control::ALL.iter().filter_map(|control| Some((text.find(control.name())?, *control))).min();
        match first {
            Some((at, control)) => {
                let rest = self.tokens(&text[at + control.name().len()..]);
                let mut tokens: Vec<u32> = self.tokenizer.encode(&text[..at]).iter().map(|token| token.0).collect();
                tokens.push(self.tokenizer.control(control).0);
                [tokens, rest].concat()
            }
            None => self.tokenizer.encode(text).iter().map(|token| token.0).collect(),
        }
    }
}
