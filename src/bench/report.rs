//! The report of a measurement.

use serde::Serialize;

use super::run::Share;
use super::work::Work;
use crate::machine;

/// The result of a measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Number of items.
    pub items: usize,
    /// Seconds from the first item to the last. The policy is decoded before.
    pub seconds: f64,
    /// Items per second.
    pub items_per_s: f64,
    /// Tokens of contents decoded per second.
    pub prompt_tokens_per_s: f64,
    /// Tokens sampled or appended per second.
    pub output_tokens_per_s: f64,
    /// Share of the time that was spent inside llama.cpp, from 0 to 1. The waiting is part of it.
    pub inside: f64,
    /// Share of the time in which the results of llama.cpp were waited for. A GPU computes on after a call has returned.
    pub waiting: f64,
    /// Number of decoded batches.
    pub batches: usize,
    /// Mean number of tokens in a batch.
    pub batch_fill: f64,
    /// Decoded tokens of all items together.
    pub decoded_tokens: usize,
    /// Tokens of the policy.
    pub policy_tokens: usize,
    /// Tokens of the policy that were not decoded again, of all items together.
    pub reused_tokens: usize,
    /// Seconds for decoding the policy once.
    pub policy_seconds: f64,
    /// Peak memory of the process in bytes. `None` where the system does not report it.
    pub peak_memory: Option<u64>,
    /// Planned memory in bytes. `None` if there was no plan.
    pub planned_memory: Option<u64>,
}

impl Report {
    /// Adds up shares that were done at the same time. The slowest share counts as the time of all.
    #[must_use]
    pub fn of(work: &Work, shares: &[Share]) -> Self {
        let count = |of: fn(&Share) -> usize| shares.iter().map(of).sum::<usize>();
        let time = |of: fn(&Share) -> f64| shares.iter().map(of);
        let (items, prompt) = (count(|share| share.items), count(|share| share.prompt));
        let (decoded, batches) = (count(|share| share.decoded), count(|share| share.batches));
        let seconds = time(|share| share.seconds).fold(0.0, f64::max);
        #[allow(clippy::cast_precision_loss, reason = "rates for people")]
        let rate = |count: usize| count as f64 / seconds.max(1e-9);
        let all = time(|share| share.seconds).sum::<f64>().max(1e-9);
        let share_of = |of: fn(&Share) -> f64| time(of).sum::<f64>() / all;
        Self {
            items,
            seconds,
            items_per_s: rate(items),
            prompt_tokens_per_s: rate(prompt),
            output_tokens_per_s: rate(decoded.saturating_sub(prompt)),
            inside: share_of(|share| share.inside + share.waiting),
            waiting: share_of(|share| share.waiting),
            batches,
            batch_fill: rate(decoded) / rate(batches.max(1)),
            decoded_tokens: decoded,
            policy_tokens: work.prefix.len(),
            reused_tokens: items * work.prefix.len(),
            policy_seconds: time(|share| share.policy_seconds).fold(0.0, f64::max),
            peak_memory: machine::peak_memory(),
            planned_memory: None,
        }
    }
}
