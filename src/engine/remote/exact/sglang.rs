//! `SGLang`, at the level exact.
//!
//! `/generate` takes several prompts as token ids, and gives the log-probabilities of named tokens
//! (`token_ids_logprob`). They are raw where the next token is chosen greedily, as it is here.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ids::{Ids, Listed};
use super::{Exact, Query, Writing, bias_against, checked, parse, read_all, result_for_each, tokenized};
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

    fn score(&self, queries: &[Query]) -> Result<Vec<Vec<f64>>, RemoteError> {
        let mut named: Vec<Token> = queries.iter().flat_map(|query| &query.wanted).copied().collect();
        named.sort_unstable_by_key(|token| token.0);
        named.dedup();
        let prompts: Vec<&Ids> = queries.iter().map(|query| &query.prompt).collect();
        let body = format!(
            r#"{{"input_ids":{},"sampling_params":{{"max_new_tokens":1,"temperature":0}},"return_logprob":true,"logprob_start_len":-1,"top_logprobs_num":0,"token_ids_logprob":{}}}"#,
            Listed(&prompts),
            Ids::new(&named),
        );
        self.client.post("/generate", &body, &|bytes| {
            let replies: Vec<Reply> = parse(bytes)?;
            result_for_each(queries.len(), replies.len())?;
            replies.iter().zip(queries).map(|(reply, query)| logs(reply, query)).collect()
        })
    }

    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError> {
        tokenized(self.client, &serde_json::json!({ "prompt": text, "add_special_tokens": false }))
    }
}

/// Returns the log-probabilities of the wanted tokens in a reply.
fn logs(reply: &Reply, query: &Query) -> Result<Vec<f64>, RemoteError> {
    read_all(query.prompt.len(), reply.meta_info.prompt_tokens)?;
    let first = reply.meta_info.output_token_ids_logprobs.first().and_then(Option::as_ref);
    let first = first.ok_or_else(|| RemoteError::Reply("no log-probabilities".to_owned()))?;
    let of = |token: &Token| {
        let named = first.iter().find(|(_, id, _)| *id == token.0);
        let (log, ..) = named.ok_or_else(|| RemoteError::Reply(format!("no log-probability of token {}", token.0)))?;
        Ok(log.unwrap_or(f64::NEG_INFINITY))
    };
    let logs = query.wanted.iter().map(of).collect::<Result<Vec<f64>, RemoteError>>()?;
    checked(&logs, &query.wanted)?;
    Ok(logs)
}
