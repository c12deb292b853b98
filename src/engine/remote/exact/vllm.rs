//! vLLM, at the level exact.
//!
//! `/v1/completions` takes several prompts as token ids, and gives the log-probabilities of named tokens
//! (`logprob_token_ids`, vLLM pull requests 34539 and 43463). A server from before that gives the likeliest 20. A wanted
//! token that is not among them is at most as likely as the last.

mod reply;

use std::fmt::Write as _;

use serde_json::json;

use self::reply::{NAMED, Named, Reply};
use super::ids::{Ids, Listed};
use super::{Exact, Query, Writing, bias_against, checked, parse, read_all, result_for_each, tokenized};
use crate::engine::remote::client::Client;
use crate::engine::remote::error::RemoteError;
use crate::tokenizer::{Token, Tokenizer};

/// Settings that leave the probabilities as the model has them. Else the model's `generation_config.json` decides.
const PLAIN: &str = r#""top_p":1,"top_k":0,"min_p":0,"repetition_penalty":1,"add_special_tokens":false,"skip_special_tokens":false,"return_tokens_as_token_ids":true"#;

pub struct Vllm<'client> {
    pub client: &'client Client,
    pub model: String,
}

impl Exact for Vllm<'_> {
    fn write(&self, prompt: &Ids, writing: &Writing<'_>) -> Result<Vec<Token>, RemoteError> {
        let seed = if writing.sampling.temperature > 0.0 {
            format!(r#","seed":{}"#, writing.sampling.seed & 0x7FFF_FFFF)
        } else {
            String::new()
        };
        let body = format!(
            r#"{{"model":{},"prompt":{},"max_tokens":{},"temperature":{},"stop_token_ids":{},"logit_bias":{},"return_token_ids":true,{PLAIN}{seed}}}"#,
            json!(self.model),
            prompt,
            writing.most,
            writing.sampling.temperature,
            Ids::new(writing.stops),
            bias_against(writing.banned),
        );
        self.client.post("/v1/completions", &body, &|bytes| {
            let reply = self.parse(bytes, prompt.len())?;
            let tokens = reply.choices.into_iter().next().and_then(|choice| choice.token_ids);
            let tokens = tokens.ok_or_else(|| RemoteError::Reply("no token ids".to_owned()))?;
            Ok(tokens.into_iter().map(Token).collect())
        })
    }

    fn score(&self, queries: &[Query]) -> Result<Vec<Vec<f64>>, RemoteError> {
        let mut scores: Vec<Vec<f64>> = queries.iter().map(|query| vec![f64::NAN; query.wanted.len()]).collect();
        for batch in batches(queries) {
            let prompts: Vec<&Ids> = batch.queries.iter().map(|query| &queries[*query].prompt).collect();
            for (query, logs) in batch.queries.iter().zip(self.named(&prompts, &batch.named, "")?) {
                let wanted = queries[*query].wanted.iter();
                for (place, token) in wanted.enumerate().filter(|(_, token)| batch.named.contains(token)) {
                    scores[*query][place] = logs.of(*token)?;
                }
            }
        }
        queries.iter().zip(&scores).try_for_each(|(query, logs)| checked(logs, &query.wanted))?;
        Ok(scores)
    }

    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError> {
        tokenized(self.client, &json!({ "model": self.model, "prompt": text, "add_special_tokens": false }))
    }

    /// Checks that log-probabilities are those of the whole vocabulary, also where a request restricts the next token.
    fn check(&self, tokenizer: &Tokenizer) -> Result<(), RemoteError> {
        const ROUNDING: f64 = 0.1;
        let first = |text: &str| tokenizer.encode(text).first().copied().unwrap_or(Token(0));
        let prompt = Ids::new(&tokenizer.encode("The answer is"));
        let wanted = [" no", " yes", " a"].map(first);
        let logs = |more: &str| -> Result<Vec<f64>, RemoteError> {
            let logs = self.named(&[&prompt], &wanted, more)?;
            // A probability of zero has no logarithm.
            let log = |token: &Token| logs.first().map_or(Ok(0.0), |logs| logs.of(*token).map(|log| log.max(-50.0)));
            wanted.iter().map(log).collect()
        };
        let restricted = logs(&format!(r#","allowed_token_ids":{}"#, Ids::new(&wanted[..1])))?;
        let same = |(one, other): (&f64, &f64)| (one - other).abs() <= ROUNDING;
        if restricted.iter().zip(&logs("")?).all(same) { Ok(()) } else { Err(RemoteError::NotRaw) }
    }
}

impl Vllm<'_> {
    /// Asks for the log-probabilities of these tokens behind each prompt.
    fn named(&self, prompts: &[&Ids], named: &[Token], more: &str) -> Result<Vec<Named>, RemoteError> {
        let sent: usize = prompts.iter().map(|prompt| prompt.len()).sum();
        // Prompts are long, and a text that grows is copied again and again.
        let mut body = String::with_capacity(1024 + prompts.iter().map(|prompt| prompt.bytes() + 1).sum::<usize>());
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            r#"{{"model":{},"prompt":{},"max_tokens":1,"temperature":0,"logprobs":{},"logprob_token_ids":{},{PLAIN}{more}}}"#,
            json!(self.model),
            Listed(prompts),
            NAMED,
            Ids::new(named),
        );
        self.client.post("/v1/completions", &body, &|bytes| {
            let mut reply = self.parse(bytes, sent)?;
            reply.choices.sort_by_key(|choice| choice.index);
            result_for_each(prompts.len(), reply.choices.len())?;
            reply.choices.into_iter().map(Named::read).collect()
        })
    }

    fn parse(&self, bytes: &[u8], sent: usize) -> Result<Reply, RemoteError> {
        let reply: Reply = parse(bytes)?;
        if reply.model.as_ref().is_some_and(|model| *model != self.model) {
            return Err(RemoteError::Changed);
        }
        read_all(sent, reply.usage.as_ref().map(|usage| usage.prompt_tokens))?;
        Ok(reply)
    }
}

/// Queries that one request can answer, and the tokens that it names.
struct Batch {
    queries: Vec<usize>,
    named: Vec<Token>,
}

/// Returns the requests for queries: as few as the limit of named tokens allows.
fn batches(queries: &[Query]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (number, query) in queries.iter().enumerate() {
        for wanted in query.wanted.chunks(NAMED) {
            let fits = |batch: &Batch| {
                let new = wanted.iter().filter(|token| !batch.named.contains(token)).count();
                batch.named.len() + new <= NAMED && batch.queries.last() != Some(&number)
            };
            let batch = match batches.iter_mut().rposition(|batch| fits(batch)) {
                Some(place) => &mut batches[place],
                None => {
                    batches.push(Batch { queries: Vec::new(), named: Vec::new() });
                    let last = batches.len() - 1;
                    &mut batches[last]
                }
            };
            batch.queries.push(number);
            batch.named.extend(wanted.iter().filter(|token| !batch.named.contains(token)).copied().collect::<Vec<_>>());
        }
    }
    batches
}
