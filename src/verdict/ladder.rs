//! The ladder: places in the reasoning at which the answers are scored ahead, and the rule that ends the reasoning there.
//!
//! At a rung the reasoning so far is forked, and the fork answers as if the reasoning were over. If one verdict is sure,
//! more reasoning would hardly change it. The tokens of the fork and the scores of answers are not known here.

use serde::{Deserialize, Serialize};

use crate::policy::Verdict;

/// The ladder of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ladder {
    /// The share of the answers' mass from which on a verdict is sure, 0.5 to 1. Reasoning never ends early at 1.
    pub sure: f64,
}

/// The answers at one rung.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Tokens of reasoning before it.
    pub tokens: usize,
    /// The verdict that would follow. `None` if the answers had too little mass.
    pub verdict: Option<Verdict>,
    /// P(violation), 0 to 1. 0 without a verdict.
    pub probability: f64,
    /// The share of the likeliest verdict in the mass of all answers, 0 to 1. 0 without a verdict.
    pub share: f64,
}

/// Below this many tokens of reasoning, two rungs in a row must be sure of the same verdict.
pub const EARLY: usize = 128;

/// Tokens between the first rungs.
const STEP: usize = 32;

/// The [`Ladder::sure`] of an effort that is chosen automatically.
///
/// On 6,404 public traces of the 20b, a reader of the text alone agreed with 99.3 % of the full verdicts at 0.98.
pub const DEFAULT_SURE: f64 = 0.98;

/// Reports whether answers are scored after this many tokens of reasoning: 0, 32, 64, 96, 128, 192, 256, 384, 512 and so
/// on, with two rungs for each doubling.
#[must_use]
pub fn is_rung(tokens: usize) -> bool {
    match tokens {
        ..=EARLY => tokens.is_multiple_of(STEP),
        _ => tokens.is_power_of_two() || tokens.is_multiple_of(3) && (tokens / 3).is_power_of_two(),
    }
}

/// Reports whether reasoning ends at the last of these rungs.
#[must_use]
pub fn is_sure(probes: &[Probe], sure: f64) -> bool {
    let is = |probe: &Probe| sure < 1.0 && probe.verdict.is_some() && probe.share >= sure;
    match probes {
        [.., before, last] if last.tokens < EARLY => is(before) && is(last) && before.verdict == last.verdict,
        [last] if last.tokens < EARLY => false,
        [.., last] => is(last),
        [] => false,
    }
}

/// Returns the first of these rungs at which reasoning ends. `None` if it ends at none of them.
#[must_use]
pub fn end(probes: &[Probe], sure: f64) -> Option<&Probe> {
    (1..=probes.len()).find(|count| is_sure(&probes[..*count], sure)).map(|count| &probes[count - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(tokens: usize, probability: f64) -> Probe {
        let verdict = Some(if probability >= 0.5 { Verdict::Violation } else { Verdict::Safe });
        Probe { tokens, verdict, probability, share: probability.max(1.0 - probability) }
    }

    #[test]
    fn rungs_are_close_at_first_and_double_every_second_time() {
        let rungs: Vec<usize> = (0..=1024).filter(|tokens| is_rung(*tokens)).collect();
        assert_eq!(rungs, [0, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024]);
    }

    #[test]
    fn early_rungs_must_agree_twice_and_later_ones_are_enough_alone() {
        let tokens = |probes: &[Probe], sure| end(probes, sure).map(|probe| probe.tokens);
        assert_eq!(tokens(&[probe(0, 0.99), probe(32, 0.99)], 0.98), Some(32));
        assert_eq!(tokens(&[probe(0, 0.99), probe(32, 0.01), probe(64, 0.01)], 0.98), Some(64));
        assert_eq!(tokens(&[probe(0, 0.99), probe(32, 0.9), probe(64, 0.99)], 0.98), None);
        assert_eq!(tokens(&[probe(96, 0.5), probe(128, 0.99)], 0.98), Some(128));
        assert_eq!(tokens(&[probe(0, 1.0)], 0.98), None);
        assert_eq!(tokens(&[], 0.98), None);
    }

    #[test]
    fn nothing_is_sure_at_one_and_without_a_verdict() {
        let certain = [probe(128, 1.0), probe(192, 0.0)];
        assert_eq!(end(&certain, 1.0), None);
        let off = certain.map(|probe| Probe { verdict: None, ..probe });
        assert_eq!(end(&off, 0.5), None);
    }
}
