//! The server of llama.cpp, at the level exact.
//!
//! `/completion` gives the likeliest N tokens of the whole softmax. A wanted token that is not among them is at most as
//! likely as the last of them, so N grows until that no longer matters.
//! Source: `tools/server/README.md` of llama.cpp.

use serde::Deserialize;

use super::ids::Ids;
use super::{Exact, Place, Writing, checked, missing, parse, read_all, together, tokenized};
use crate::engine::backend::WINDOW;
use crate::engine::remote::client::Client;
use crate::engine::remote::error::RemoteError;
use crate::harmony::Control;
use crate::tokenizer::{Token, Tokenizer};

/// The numbers of likeliest tokens that are asked for, one after the other.
const LIKELIEST: [usize; 3] = [64, 1024, 1 << 18];

/// The share of all that was found, below which a token that was not found does not matter.
const NEGLIGIBLE: f64 = 1e-5;

/// Logit added to the wanted tokens, so that one of them is sampled. Log-probabilities are of the logits before it.
///
/// Without it the server may sample a part of a character, and then gives no log-probabilities.
const CHOSEN: f64 = 1000.0;

/// A text and the one behind it, whose probabilities show whether a server restores them whole.
const CHECKED: [&str; 2] = [
    "The capital of France is Paris. Two and two is four. Thank you very much. She opened the door. It was very hot. ",
    "A text about something else, with many words of its own. ",
];

/// Ways to go on behind the first text.
const CHECKED_ENDS: [&str; 2] = [" The answer is", " Once upon a"];

pub struct LlamaServer<'client> {
    pub client: &'client Client,
    pub end: Token,
}

#[derive(Deserialize)]
struct Reply {
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
    /// The token that was sampled.
    id: Option<u32>,
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

    fn walk(&self, prompt: &Ids, levels: &[Vec<Token>]) -> Result<Vec<Place>, RemoteError> {
        for likeliest in LIKELIEST {
            // More of the likeliest are asked for at the first place only, as lists are long then.
            let levels = if likeliest == LIKELIEST[0] { levels } else { &levels[..1] };
            let places = self.likeliest(prompt, levels, likeliest)?;
            if !places.is_empty() {
                return Ok(places);
            }
        }
        Err(missing())
    }

    /// Checks that a prompt which the server restores has the probabilities of one that it reads.
    ///
    /// The server saves a slot before another prompt takes its place (`--cache-ram`). The copy lacks cells that the last
    /// token does not see in layers with a window. With `--swa-full` it is continued from earlier tokens all the same.
    /// Seen in the llama.cpp of llama-cpp-python 0.3.36, where P was off by up to 0.38.
    fn check(&self, tokenizer: &Tokenizer) -> Result<(), RemoteError> {
        // Prompts that are read in other pieces were off by 0.11 on a CPU, and restored ones by 0.41 to 0.60.
        const ROUNDING: f64 = 0.25;
        let words = |text: &str, count: usize| -> Vec<Token> {
            tokenizer.encode(text).iter().copied().cycle().take(count).collect()
        };
        // The copy lacks cells of the first part if the second is shorter than the window, and both together are longer.
        let first = words(CHECKED[0], WINDOW + 32);
        let saved = Ids::new(&[first.clone(), words(CHECKED[1], WINDOW - 32)].concat());
        let asked = CHECKED_ENDS.map(|end| Ids::new(&[first.clone(), tokenizer.encode(end)].concat()));
        let chosen = words(" a", 1);
        let likely = |prompt: &Ids, cached: bool| -> Result<Vec<(u32, f64)>, RemoteError> {
            // All in one slot, so that each takes the place of the one before.
            let reply = self.ask(prompt, 1, 8, &chosen, &format!(r#","id_slot":0,"cache_prompt":{cached}"#))?;
            let likely = reply.completion_probabilities.iter().flat_map(|position| &position.top_logprobs);
            Ok(likely.filter_map(|likely| Some((likely.id, likely.logprob?))).collect())
        };
        likely(&saved, true)?;
        likely(&Ids::new(&words(CHECKED[1], 1)), true)?;
        // Before any is read, as that fills the slot anew.
        let restored = asked.each_ref().map(|prompt| likely(prompt, true));
        for (prompt, restored) in asked.iter().zip(restored) {
            let restored = restored?;
            let least = restored.iter().map(|(_, log)| *log).fold(0.0, f64::min);
            let other = |token| restored.iter().find(|(id, _)| *id == token).map_or(least, |(_, log)| *log);
            if likely(prompt, false)?.iter().any(|(token, log)| (log - other(*token)).abs() > ROUNDING) {
                return Err(RemoteError::WrongRestore);
            }
        }
        Ok(())
    }

    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError> {
        let body = serde_json::json!({ "content": text, "add_special": false, "parse_special": true });
        tokenized(self.client, &body)
    }
}

impl LlamaServer<'_> {
    /// Lets the model write `length` tokens among the chosen ones, with the likeliest tokens at each place.
    fn ask(
        &self,
        prompt: &Ids,
        length: usize,
        likeliest: usize,
        chosen: &[Token],
        more: &str,
    ) -> Result<Reply, RemoteError> {
        let chosen: Vec<String> = chosen.iter().map(|token| format!("[{},{CHOSEN}]", token.0)).collect();
        let body = format!(
            r#"{{"prompt":{prompt},"n_predict":{length},"n_probs":{likeliest},"post_sampling_probs":false,"temperature":-1,"samplers":[],"logit_bias":[{}],"response_fields":["tokens_evaluated","completion_probabilities"]{more}}}"#,
            chosen.join(","),
        );
        self.client.post("/completion", &body, &|bytes| {
            let reply: Reply = parse(bytes)?;
            read_all(prompt.len(), reply.tokens_evaluated)?;
            Ok(reply)
        })
    }

    /// Asks for the likeliest tokens at each place. The places end before one at which a wanted token that could matter is
    /// not among them.
    fn likeliest(&self, prompt: &Ids, levels: &[Vec<Token>], most: usize) -> Result<Vec<Place>, RemoteError> {
        let reply = self.ask(prompt, levels.len(), most, &together(levels), r#","cache_prompt":true"#)?;
        let is_all = most == LIKELIEST[LIKELIEST.len() - 1];
        let mut places = Vec::with_capacity(levels.len());
        for (position, wanted) in reply.completion_probabilities.iter().zip(levels) {
            let Some(logs) = found(position, wanted, is_all)? else { break };
            places.push(Place { logs, token: position.id.map(Token) });
        }
        Ok(places)
    }
}

/// Returns the log-probabilities of the wanted tokens, if those that are missing do not matter.
fn found(position: &Position, wanted: &[Token], is_all: bool) -> Result<Option<Vec<f64>>, RemoteError> {
    let log = |likely: &Likely| likely.logprob.unwrap_or(f64::NEG_INFINITY);
    let least = position.top_logprobs.iter().map(log).fold(0.0, f64::min);
    let of = |token: &Token| position.top_logprobs.iter().find(|likely| likely.id == token.0).map(log);
    let found: Vec<Option<f64>> = wanted.iter().map(of).collect();
    let sum: f64 = found.iter().flatten().map(|log| log.exp()).sum();
    let whole = found.iter().all(Option::is_some);
    if !whole && !is_all && least.exp() > NEGLIGIBLE * sum {
        return Ok(None);
    }
    // A token that is missing has at most the probability of the last one.
    let logs: Vec<f64> = found.into_iter().map(|log| log.unwrap_or(least)).collect();
    checked(&logs, wanted)?;
    Ok(Some(logs))
}
