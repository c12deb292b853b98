//! The length of a policy.

use super::collector::Collector;
use super::finding::Level;
use super::rule::LintRule;
use crate::hint::{Hint, Setting};
use crate::policy::Policy;
use crate::policy::diagnostics::report::Span;

/// The length of a policy, and the context that it must fit.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Tokens of the instructions that the model reads.
    pub tokens: usize,
    /// True if a model's own vocabulary counted the tokens. False if they are an estimate.
    pub exact: bool,
    /// Tokens of the context. The policy may fill at most three quarters of it.
    pub context: usize,
}

/// Tokens beyond which a policy costs more than it helps, as far as is known.
const LONG: usize = 600;
/// Tokens beyond which the model overlooks rules.
const TOO_LONG: usize = 2000;
/// Tokens of the answer's format, which the policy template writes.
const FORMAT: usize = 100;

pub(super) fn check(findings: &mut Collector<'_>, policy: &Policy, length: Option<Length>) {
    let Some(Length { tokens, exact, context }) = length else { return };
    let about = if exact { "" } else { "about " };
    let message = format!("{} has {about}{tokens} tokens", policy.title);
    let span = Span::default();
    if tokens.saturating_mul(4) > context.saturating_mul(3) {
        findings
            .add(LintRule::Length, Level::Error, span, format_args!("{message}, and the context {context}"))
            .with_hint(
                Hint::new("text, reasoning and answer need room as well: shorten it, or raise ")
                    .setting(Setting::Context),
            );
    } else if tokens > TOO_LONG {
        findings.add(LintRule::Length, Level::Warning, span, message).with_hint(format!(
            "beyond {TOO_LONG} tokens the model overlooks rules: split it into policies that are judged one by one"
        ));
    } else if tokens > LONG + FORMAT {
        findings
            .add(LintRule::Length, Level::Note, span, message)
            .with_hint("400 to 600 tokens are known to work best; measure whether the rest helps");
    }
}
