//! The length of a rendered policy, counted or estimated.

use magistrate::policy::Policy;
use magistrate::policy::lint::Length;
use magistrate::prompt::{Templates, policy_text};
use magistrate::tokenizer::Tokenizer;

/// The context for which the length of a policy is judged by default, in tokens.
pub const CONTEXT: usize = 8192;

/// Returns the length of a policy as the model reads it. Without a tokenizer the number is an estimate.
pub fn length(policy: &Policy, tokenizer: Option<&Tokenizer>, context: usize) -> Option<Length> {
    let text = policy_text(&Templates::shipped(), policy).ok()?;
    let tokens = match tokenizer {
        Some(tokenizer) => tokenizer.encode(&text).len(),
        None => estimate(&text),
    };
    Some(Length { tokens, exact: tokenizer.is_some(), context })
}

/// Estimates the tokens of a policy's text. The shipped policies are within 6 % of the estimate.
fn estimate(text: &str) -> usize {
    text.len() * 10 / 43
}
