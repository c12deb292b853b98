//! How long a policy is.

use super::{Findings, Length, Level, Place};
use crate::policy::Policy;

/// From here on a policy costs more than it helps, as far as is known.
const LONG: usize = 600;
/// Beyond this, rules get lost.
const TOO_LONG: usize = 2000;
/// What the answer's format, which is written for the author, takes of a rendered policy.
const FORMAT: usize = 100;

pub(super) fn check(findings: &mut Findings<'_>, policy: &Policy, length: Option<Length>) {
    let Some(Length { tokens, exact, context }) = length else { return };
    let about = if exact { "" } else { "about " };
    let message = format!("{} has {about}{tokens} tokens", policy.title);
    let place = Place::default();
    if tokens.saturating_mul(4) > context.saturating_mul(3) {
        findings
            .add("length", Level::Error, place, format_args!("{message}, and the context {context}"))
            .hint("text, reasoning and answer need room as well: shorten it, or give a larger --context");
    } else if tokens > TOO_LONG {
        findings
            .add("length", Level::Warning, place, message)
            .hint(format!("beyond {TOO_LONG} rules get lost: split it into policies that are judged one by one"));
    } else if tokens > LONG + FORMAT {
        findings
            .add("length", Level::Note, place, message)
            .hint("400 to 600 are known to work best; measure whether the rest earns its place");
    }
}
