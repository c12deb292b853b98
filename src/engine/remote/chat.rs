//! The levels logprobs and chat: messages in, a text out.
//!
//! The text is read as strictly as one that a model on this machine writes freely.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::error::RemoteError;
use super::exact::parse;
use super::server::Level;
use crate::engine::completion::{Completion, ReasoningEnd};
use crate::engine::config::{Mode, Sampling};
use crate::engine::decode_plan::DecodePlan;
use crate::engine::turn::Turn;
use crate::harmony::Control;
use crate::harmony::completion::NoFinal;
use crate::policy::{Answer, Effort};
use crate::tokenizer::{Token, Tokenizer};

/// The heading that harmony puts above the text of a developer. A server's template writes its own.
const HEADING: &str = "# Instructions\n\n";

/// Most tokens of a reply beyond its reasoning.
const ANSWER: usize = 256;

/// Most tokens of reasoning at the effort `none`: a server reasons all the same.
const UNWANTED: usize = 512;

/// Log-probabilities that are asked for at each token: the most that servers allow.
const LIKELIEST: usize = 20;

/// The messages that a session begins with, and the effort of reasoning.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    policy: String,
    effort: &'static str,
}

impl Messages {
    /// Takes the policy's text from a prefix: the body of its last whole message.
    pub(super) fn of(tokenizer: &Tokenizer, prefix: &[Token], effort: Effort) -> Self {
        let controls = [Control::Message, Control::End].map(|control| tokenizer.control(control));
        let bodies = prefix.split(|token| *token == controls[0]).skip(1);
        let whole =
            bodies.filter_map(|body| body.iter().position(|token| *token == controls[1]).map(|end| &body[..end]));
        let body = text(tokenizer, whole.last().unwrap_or_default());
        let policy = body.strip_prefix(HEADING).map_or_else(|| body.clone(), str::to_owned);
        let effort = match effort {
            Effort::None | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
        };
        Self { policy, effort }
    }
}

/// Returns the text of tokens. Names of control tokens are broken up: a server may read them as control tokens.
fn text(tokenizer: &Tokenizer, tokens: &[Token]) -> String {
    String::from_utf8_lossy(&tokenizer.decode(tokens)).replace("<|", "< |").replace("|>", "| >")
}

/// The parts of a request that a server takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialect {
    /// It gives log-probabilities.
    pub(super) logprobs: bool,
    /// It takes `reasoning_effort`.
    effort: bool,
}

#[derive(Deserialize)]
struct Reply {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    #[serde(default)]
    content: Option<Vec<Position>>,
}

#[derive(Deserialize)]
struct Position {
    token: String,
    logprob: f64,
    #[serde(default)]
    top_logprobs: Vec<Likely>,
}

#[derive(Deserialize)]
struct Likely {
    token: String,
    logprob: f64,
}

#[derive(Clone, Copy, Deserialize)]
struct Usage {
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
}

impl Dialect {
    /// Tries requests from the fullest down, and refuses a server whose chat template drops or reorders the messages.
    pub(super) fn find(client: &Client, model: &str, level: Level) -> Result<Self, RemoteError> {
        const SHORT: &str = "Answer with one word.";
        const WORDS: usize = 64;
        // The fullest request first. A server that refuses a field says so with a status of its own.
        let dialects = [(true, true), (true, false), (false, true), (false, false)];
        let allowed = dialects.into_iter().filter(|(logprobs, _)| !logprobs || level == Level::Logprobs);
        let mut refusal = RemoteError::Reply("no reply".to_owned());
        for (logprobs, effort) in allowed {
            let dialect = Self { logprobs, effort };
            let ask = |policy: &str| {
                let body = dialect.request(model, policy, "Is water wet?", "low", 8, Sampling::default());
                client.post("/v1/chat/completions", &body.to_string(), &parse::<Reply>)
            };
            let reply = match ask(SHORT) {
                Ok(reply) => reply,
                Err(error @ RemoteError::Status { status: 400 | 422, .. }) => {
                    refusal = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(short) = reply.usage {
                let long = ask(&format!("{SHORT}{}", " Be brief.".repeat(WORDS)))?;
                let more = long.usage.map_or(WORDS, |long| long.prompt_tokens.saturating_sub(short.prompt_tokens));
                if more < WORDS {
                    return Err(RemoteError::Template("drops the policy"));
                }
            }
            in_order(client)?;
            let given = reply.choices.iter().any(|choice| choice.logprobs.is_some());
            return Ok(Self { logprobs: logprobs && given, effort });
        }
        Err(refusal)
    }

    fn request(self, model: &str, policy: &str, content: &str, effort: &str, most: usize, sampling: Sampling) -> Value {
        let mut body = json!({
            "model": model,
            "messages": [{ "role": "system", "content": policy }, { "role": "user", "content": content }],
            "max_tokens": most,
            "temperature": sampling.temperature,
        });
        if sampling.temperature > 0.0 {
            body["seed"] = json!(sampling.seed & 0x7FFF_FFFF);
        }
        if self.effort {
            body["reasoning_effort"] = json!(effort);
        }
        if self.logprobs {
            body["logprobs"] = json!(true);
            body["top_logprobs"] = json!(LIKELIEST);
        }
        body
    }
}

/// Checks the order of the messages in a prompt, where a server shows it.
fn in_order(client: &Client) -> Result<(), RemoteError> {
    #[derive(Deserialize)]
    struct Rendered {
        prompt: String,
    }
    let (policy, content) = ("Marker of the policy.", "Marker of the content.");
    let messages =
        json!({ "messages": [{ "role": "system", "content": policy }, { "role": "user", "content": content }] });
    let rendered = client.try_post("/apply-template", &messages.to_string(), &parse::<Rendered>);
    let Ok(Some(Rendered { prompt })) = rendered else { return Ok(()) };
    match (prompt.find(policy), prompt.find(content)) {
        (None, _) => Err(RemoteError::Template("drops the policy")),
        (_, None) => Err(RemoteError::Template("drops the content")),
        (Some(policy), Some(content)) if content < policy => {
            Err(RemoteError::Template("puts the policy behind the content"))
        }
        _ => Ok(()),
    }
}

/// A server that takes messages.
#[derive(Clone, Copy)]
pub(super) struct Chat<'connection> {
    pub(super) client: &'connection Client,
    pub(super) model: &'connection str,
    pub(super) dialect: Dialect,
}

/// Judges a content.
pub(super) fn judge(
    Chat { client, model, dialect }: Chat<'_>,
    messages: &Messages,
    plan: &Arc<DecodePlan>,
    suffix: &[Token],
) -> Result<Completion, RemoteError> {
    let tokenizer = &plan.tokenizer;
    // The content ends with the first control token of the suffix, behind which the model's turn begins.
    let end = suffix.iter().position(|token| tokenizer.control_name(*token).is_some()).unwrap_or(suffix.len());
    let content = text(tokenizer, &suffix[..end]);
    let budget = match plan.mode {
        Mode::Answer => UNWANTED,
        Mode::Reason { budget } | Mode::Cascade { budget, .. } | Mode::Free { budget } => budget,
    };
    let most = budget.saturating_add(ANSWER);
    let body = dialect.request(model, &messages.policy, &content, messages.effort, most, plan.sampling);
    let reply = client.post("/v1/chat/completions", &body.to_string(), &parse::<Reply>)?;
    if reply.model.as_ref().is_some_and(|named| !named.is_empty() && !same_model(named, model)) {
        return Err(RemoteError::Changed);
    }
    let (usage, choice) = (reply.usage, reply.choices.into_iter().next());
    let choice = choice.ok_or_else(|| RemoteError::Reply("no choice".to_owned()))?;
    let mut turn = Turn::new(Arc::clone(plan), usage.map_or(0, |usage| usage.prompt_tokens), 0);
    turn.usage.reasoning = usage.map_or(0, |usage| usage.completion_tokens);
    let reasoning = choice.message.reasoning_content.unwrap_or_default();
    let is_cut = choice.finish_reason.as_deref() == Some("length");
    turn.end = if is_cut { ReasoningEnd::Budget } else { ReasoningEnd::Itself };
    let Some(body) = choice.message.content.filter(|body| !body.trim().is_empty() && !is_cut) else {
        return Ok(turn.without_answer(if is_cut { NoFinal::Truncated } else { NoFinal::Missing }, reasoning));
    };
    let positions = choice.logprobs.and_then(|logprobs| logprobs.content).unwrap_or_default();
    Ok(match answer_logs(&plan.answers, &body, &positions) {
        Some(logs) => {
            turn.decide(logs);
            turn.completion_of_scored(&body, reasoning)
        }
        None => turn.completion_of(&body, reasoning, false),
    })
}

/// Reports whether a server means the model that was asked for. Some servers name its version, too.
fn same_model(named: &str, asked: &str) -> bool {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    bare(named).starts_with(&bare(asked)) || bare(asked).starts_with(&bare(named))
}

/// Returns the logarithm of each answer's probability, from the log-probabilities of the written tokens. `None` if they
/// belong to another text, or no answer begins as the text does.
///
/// An answer parts from the written text at one token, and has the probability of its own token there. The rest of the
/// answer counts as certain, so these are approximations.
fn answer_logs(answers: &[Answer], body: &str, positions: &[Position]) -> Option<Vec<f64>> {
    let written: String = positions.iter().map(|position| position.token.as_str()).collect();
    // Servers may list the tokens of the reasoning, too. The answer is at the end then.
    let before = written.len().checked_sub(body.len()).filter(|_| written.ends_with(body))?;
    let mut from = 0;
    let starts = positions.iter().map(|position| {
        from += position.token.len();
        from - position.token.len()
    });
    let first = starts.collect::<Vec<_>>().iter().position(|start| *start == before)?;
    let positions = &positions[first..];
    let logs: Vec<f64> = answers.iter().map(|answer| answer_log(&answer.text, positions)).collect();
    logs.iter().any(|log| log.is_finite()).then_some(logs)
}

fn answer_log(answer: &str, positions: &[Position]) -> f64 {
    let (mut rest, mut log) = (answer, 0.0);
    for position in positions {
        if rest.is_empty() {
            return log;
        }
        if let Some(after) = rest.strip_prefix(position.token.as_str()) {
            (rest, log) = (after, log + position.logprob);
            continue;
        }
        // The longest token that the answer goes on with.
        let fits = |likely: &&Likely| !likely.token.is_empty() && rest.starts_with(&likely.token);
        let best = position.top_logprobs.iter().filter(fits).max_by_key(|likely| likely.token.len());
        return best.map_or(f64::NEG_INFINITY, |likely| log + likely.logprob);
    }
    if rest.is_empty() { log } else { f64::NEG_INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Verdict;

    fn position(token: &str, likely: &[(&str, f64)]) -> Position {
        let likely: Vec<Likely> =
            likely.iter().map(|(token, share)| Likely { token: (*token).to_owned(), logprob: share.ln() }).collect();
        let logprob = likely.iter().find(|likely| likely.token == token).unwrap().logprob;
        Position { token: token.to_owned(), logprob, top_logprobs: likely }
    }

    fn answers(texts: &[&str]) -> Vec<Answer> {
        let answer = |text: &&str| Answer {
            text: (*text).to_owned(),
            label: (*text).to_owned(),
            category: None,
            verdict: Verdict::Safe,
        };
        texts.iter().map(answer).collect()
    }

    #[test]
    fn an_answer_is_as_likely_as_the_token_at_which_it_parts() {
        let shares = |texts: &[&str], body: &str, positions: &[Position]| {
            answer_logs(&answers(texts), body, positions).map(|logs| logs.into_iter().map(f64::exp).collect::<Vec<_>>())
        };
        let close = |one: Option<Vec<f64>>, other: &[f64]| {
            let one = one.unwrap();
            assert!(one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-9), "{one:?}");
        };
        close(shares(&["0", "1"], "1", &[position("1", &[("1", 0.7), ("0", 0.2)])]), &[0.2, 0.7]);
        let two = [position("IN", &[("IN", 0.6), ("VAL", 0.3)]), position("VALID", &[("VALID", 0.5)])];
        close(shares(&["VALID", "INVALID"], "INVALID", &two), &[0.3, 0.3]);
        // The tokens of the reasoning come first.
        let all = [position("Hm.", &[("Hm.", 1.0)]), position("0", &[("0", 0.9), ("1", 0.1)])];
        close(shares(&["0", "1"], "0", &all), &[0.9, 0.1]);
        assert_eq!(shares(&["0", "1"], "0", &[]), None);
        assert_eq!(shares(&["0", "1"], "x", &[position("x", &[("x", 1.0)])]), None);
    }
}
