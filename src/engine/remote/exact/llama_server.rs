//! The server of llama.cpp, at the level exact.
//!
//! `/completion` gives the likeliest N tokens of the whole softmax. A wanted token that is not among them is at most as
//! likely as the last of them, so N grows until that no longer matters.
//! Source: `tools/server/README.md` of llama.cpp.

use serde::Deserialize;

use super::ids::{Ids, Listed};
use super::{Exact, Query, Writing, checked, parse, read_all, result_for_each, tokenized};
use crate::engine::remote::client::Client;
use crate::engine::remote::error::RemoteError;
use crate::harmony::Control;
use crate::tokenizer::Token;

/// The numbers of likeliest tokens that are asked for, one after the other.
const LIKELIEST: [usize; 3] = [64, 1024, 1 << 18];

/// The share of all that was found, below which a token that was not found does not matter.
const NEGLIGIBLE: f64 = 1e-5;

/// Logit added to a wanted token, so that it is sampled. Log-probabilities are of the logits before it.
///
/// Without it the server may sample a part of a character, and then gives no log-probabilities.
const CHOSEN: f64 = 1000.0;

pub struct LlamaServer<'client> {
    pub client: &'client Client,
    pub end: Token,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Replies {
    One(Box<Reply>),
    Several(Vec<Reply>),
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    tokens: Vec<u32>,
    tokens_evaluated: Option<usize>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    completion_probabilities: Vec<Position>,
}

#[derive(Deserialize)]
struct Position {
    top_logprobs: Vec<Likely>,
}

#[derive(Deserialize)]
struct Likely {
    id: u32,
    /// Absent where the probability is zero: JSON has no infinity.
    #[serde(default)]
    logprob: Option<f64>,
}

impl Exact for LlamaServer<'_> {
    fn write(&self, prompt: &Ids, writing: &Writing<'_>) -> Result<Vec<Token>, RemoteError> {
        // It has no stops by id. `<|end|>` as a text ends it, too, also where the model spells it with ordinary tokens.
        let stop = if writing.stops.contains(&self.end) {
            let end = Control::End.name();
            format!(r#","stop":["{end}"],"preserved_tokens":["{end}"]"#)
        } else {
            String::new()
        };
        let banned: Vec<String> = writing.banned.iter().map(|token| format!("[{},false]", token.0)).collect();
        let body = format!(
            r#"{{"prompt":{},"n_predict":{},"temperature":{},"seed":{},"top_k":0,"top_p":1,"min_p":0,"samplers":["temperature"],"logit_bias":[{}]{stop},"return_tokens":true,"cache_prompt":true,"response_fields":["tokens","tokens_evaluated","truncated"]}}"#,
            prompt,
            writing.most,
            writing.sampling.temperature,
            writing.sampling.seed & 0x7FFF_FFFF,
            banned.join(","),
        );
        self.client.post("/completion", &body, &|bytes| {
            let reply: Reply = parse(bytes)?;
            read_all(prompt.len(), reply.tokens_evaluated)?;
            if reply.truncated {
                return Err(RemoteError::Status { status: 400, why: "the context of a slot is too short".to_owned() });
            }
            Ok(reply.tokens.into_iter().map(Token).collect())
        })
    }

    fn score(&self, queries: &[Query]) -> Result<Vec<Vec<f64>>, RemoteError> {
        let mut scores = vec![None; queries.len()];
        for likeliest in LIKELIEST {
            let open: Vec<usize> = (0..queries.len()).filter(|query| scores[*query].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let asked: Vec<&Query> = open.iter().map(|query| &queries[*query]).collect();
            let is_all = likeliest == LIKELIEST[LIKELIEST.len() - 1];
            for (query, logs) in open.into_iter().zip(self.likeliest(&asked, likeliest, is_all)?) {
                scores[query] = logs;
            }
        }
        Ok(scores.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError> {
        let body = serde_json::json!({ "content": text, "add_special": false, "parse_special": true });
        tokenized(self.client, &body)
    }
}

impl LlamaServer<'_> {
    /// Asks for the likeliest tokens behind prompts. `None` for a query whose wanted tokens are not all among them,
    /// where that could matter. With `is_all` nothing is left to ask.
    fn likeliest(&self, queries: &[&Query], most: usize, is_all: bool) -> Result<Vec<Option<Vec<f64>>>, RemoteError> {
        let prompts: Vec<&Ids> = queries.iter().map(|query| &query.prompt).collect();
        let chosen = queries.iter().find_map(|query| query.wanted.first());
        let chosen = chosen.map_or(String::new(), |token| format!("[{},{CHOSEN}]", token.0));
        let body = format!(
            r#"{{"prompt":{},"n_predict":1,"n_probs":{most},"post_sampling_probs":false,"temperature":-1,"samplers":[],"logit_bias":[{chosen}],"cache_prompt":true,"response_fields":["index","tokens_evaluated","completion_probabilities"]}}"#,
            Listed(&prompts)
        );
        self.client.post("/completion", &body, &|bytes| {
            let mut replies = match parse(bytes)? {
                Replies::One(reply) => vec![*reply],
                Replies::Several(replies) => replies,
            };
            replies.sort_by_key(|reply| reply.index);
            result_for_each(queries.len(), replies.len())?;
            replies.iter().zip(queries).map(|(reply, query)| found(reply, query, is_all)).collect()
        })
    }
}

/// Returns the log-probabilities of the wanted tokens, if those that are missing do not matter.
fn found(reply: &Reply, query: &Query, is_all: bool) -> Result<Option<Vec<f64>>, RemoteError> {
    read_all(query.prompt.len(), reply.tokens_evaluated)?;
    let [position] = &reply.completion_probabilities[..] else {
        return Err(RemoteError::Reply("no log-probabilities".to_owned()));
    };
    let log = |likely: &Likely| likely.logprob.unwrap_or(f64::NEG_INFINITY);
    let least = position.top_logprobs.iter().map(log).fold(0.0, f64::min);
    let of = |token: &Token| position.top_logprobs.iter().find(|likely| likely.id == token.0).map(log);
    let found: Vec<Option<f64>> = query.wanted.iter().map(of).collect();
    let sum: f64 = found.iter().flatten().map(|log| log.exp()).sum();
    let whole = found.iter().all(Option::is_some);
    if !whole && !is_all && least.exp() > NEGLIGIBLE * sum {
        return Ok(None);
    }
    // A token that is missing has at most the probability of the last one.
    let logs: Vec<f64> = found.into_iter().map(|log| log.unwrap_or(least)).collect();
    checked(&logs, &query.wanted)?;
    Ok(Some(logs))
}
