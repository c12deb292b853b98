//! The levels logprobs and chat: messages in, a text out.
//!
//! The text is read as strictly as one that a model on this machine writes freely.

mod answer_logs;
pub(super) mod dialect;
mod reply;

use std::sync::Arc;

use self::answer_logs::answer_logs;
use self::dialect::Dialect;
use self::reply::Reply;
use super::client::Client;
use super::error::RemoteError;
use super::exact::parse;
use crate::engine::completion::{Completion, ReasoningEnd};
use crate::engine::config::Mode;
use crate::engine::decode_plan::DecodePlan;
use crate::engine::turn::Turn;
use crate::harmony::Control;
use crate::harmony::completion::NoFinal;
use crate::policy::Effort;
use crate::tokenizer::{Token, Tokenizer};

/// The heading that harmony puts above the text of a developer. A server's template writes its own.
const HEADING: &str = "# Instructions\n\n";

/// Most tokens of a reply beyond its reasoning.
const ANSWER: usize = 256;

/// Most tokens of reasoning at the effort `none`: a server reasons all the same.
const UNWANTED: usize = 512;

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
