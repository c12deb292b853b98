//! `SGLang`, at the level exact.
//!
//! `/generate` takes a prompt as token ids, and gives the log-probabilities of named tokens
//! (`token_ids_logprob`). They are raw where the next token is chosen greedily, as it is here.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ids::Ids;
use super::{Exact, Place, Writing, bias_against, checked, parse, read_all, readable, together, tokenized};
use crate::engine::remote::client::Client;
use crate::engine::remote::error::RemoteError;
use crate::tokenizer::Token;

pub struct Sglang<'client> {
    pub client: &'client Client,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    output_ids: Vec<u32>,
    meta_info: Meta,
}

#[derive(Deserialize)]
struct Meta {
    prompt_tokens: Option<usize>,
    /// For each token that was written: the log-probability, the id and the text of each named token.
    #[serde(default)]
    output_token_ids_logprobs: Vec<Option<Vec<Named>>>,
}

/// A log-probability, its token and the token's text.
type Named = (Option<f64>, u32, IgnoredAny);

impl Exact for Sglang<'_> {
    fn write(&self, prompt: &Ids, writing: &Writing<'_>) -> Result<Vec<Token>, RemoteError> {
        let body = format!(
            r#"{{"input_ids":{},"sampling_params":{{"max_new_tokens":{},"temperature":{},"sampling_seed":{},"top_p":1,"top_k":-1,"min_p":0,"stop_token_ids":{},"logit_bias":{},"skip_special_tokens":false,"no_stop_trim":true}}}}"#,
            prompt,
            writing.most,
            writing.sampling.temperature,
            writing.sampling.seed & 0x7FFF_FFFF,
            Ids::new(writing.stops),
            bias_against(writing.banned),
        );
        self.client.post("/generate", &body, &|bytes| {
            let reply: Reply = parse(bytes)?;
            read_all(prompt.len(), reply.meta_info.prompt_tokens)?;
            Ok(reply.output_ids.into_iter().map(Token).collect())
        })
    }

    fn walk(&self, prompt: &Ids, levels: &[Vec<Token>]) -> Result<Vec<Place>, RemoteError> {
        let body = format!(
            r#"{{"input_ids":{prompt},"sampling_params":{{"max_new_tokens":{},"temperature":0,"skip_special_tokens":false,"no_stop_trim":true}},"return_logprob":true,"logprob_start_len":-1,"top_logprobs_num":0,"token_ids_logprob":{}}}"#,
            levels.len(),
            Ids::new(&together(levels)),
        );
        self.client.post("/generate", &body, &|bytes| {
            let reply: Reply = parse(bytes)?;
            read_all(prompt.len(), reply.meta_info.prompt_tokens)?;
            let place = |(number, (named, wanted)): (usize, (&Option<Vec<Named>>, &Vec<Token>))| {
                let logs = logs(named.as_deref().unwrap_or_default(), wanted)?;
                Ok(Place { logs, token: reply.output_ids.get(number).copied().map(Token) })
            };
            readable(reply.meta_info.output_token_ids_logprobs.iter().zip(levels).enumerate().map(place).collect())
        })
    }

    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError> {
        tokenized(self.client, &serde_json::json!({ "prompt": text, "add_special_tokens": false }))
    }
}

/// Returns the log-probabilities of the wanted tokens at a place.
fn logs(named: &[Named], wanted: &[Token]) -> Result<Vec<f64>, RemoteError> {
    let of = |token: &Token| {
        let named = named.iter().find(|(_, id, _)| *id == token.0);
        let (log, ..) = named.ok_or_else(|| RemoteError::Reply(format!("no log-probability of token {}", token.0)))?;
        Ok(log.unwrap_or(f64::NEG_INFINITY))
    };
    let logs = wanted.iter().map(of).collect::<Result<Vec<f64>, RemoteError>>()?;
    checked(&logs, wanted)?;
    Ok(logs)
}
