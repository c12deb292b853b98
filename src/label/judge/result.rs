//! The result of judging a content in pieces.
//!
//! The worst piece decides for the whole, with its verdict and its own numbers. If any piece is a violation, the whole is
//! one. Otherwise, if any piece has no verdict, the whole has no verdict. So a text is safe only if every piece is safe.
//! Pieces overlap, so their probabilities are not independent and are not combined.

use serde::{Deserialize, Serialize};

use crate::engine::{Completion, EngineError, Usage};
use crate::policy::Verdict;
use crate::verdict::Outcome;

/// The sizes of the pieces of a long content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunking {
    /// Tokens of a piece, at most.
    pub size: usize,
    /// Tokens that a piece shares with the one before it, about.
    pub overlap: usize,
}

/// The result for a content.
#[derive(Debug)]
pub struct Judged {
    /// The completion; for a content in pieces, the combined one.
    pub result: Result<Completion, EngineError>,
    /// The pieces. `None` for a content that was judged whole.
    pub pieces: Option<Pieces>,
    /// The results of the pieces that did not decide, in order.
    pub others: Vec<Result<Completion, EngineError>>,
}

/// The pieces of a content, and the one that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// The number of pieces.
    pub count: usize,
    /// The sizes of the pieces.
    pub chunking: Chunking,
    /// The piece that decided, from 0.
    pub worst: usize,
    /// Pieces without a verdict.
    pub undecided: usize,
}

impl Judged {
    /// Returns the result for a content that was judged whole.
    #[must_use]
    pub fn whole(result: Result<Completion, EngineError>) -> Self {
        Self { result, pieces: None, others: Vec::new() }
    }
}

impl Chunking {
    /// Returns pieces of this size, which share an eighth of it.
    #[must_use]
    pub fn of(size: usize) -> Self {
        Self { size, overlap: size / 8 }
    }
}

/// Takes the result of the worst piece for the whole, with the tokens of all pieces.
pub(super) fn combine(mut results: Vec<Result<Completion, EngineError>>, chunking: Option<Chunking>) -> Judged {
    let Some(chunking) = chunking else {
        return Judged::whole(results.pop().unwrap_or(Err(EngineError::Stopped)));
    };
    let (count, undecided) = (results.len(), results.iter().filter(|result| verdict(result).is_none()).count());
    let worst = worst(results.iter().map(|result| (verdict(result), probability(result))));
    let usage = results.iter().flatten().fold(Usage::default(), |sum, completion| Usage {
        // All pieces share one prefix.
        prefix: completion.usage.prefix,
        suffix: sum.suffix + completion.usage.suffix,
        reasoning: sum.reasoning + completion.usage.reasoning,
        probes: sum.probes + completion.usage.probes,
        answer: sum.answer + completion.usage.answer,
        rationale: sum.rationale + completion.usage.rationale,
    });
    let mut result = results.remove(worst);
    if let Ok(completion) = &mut result {
        completion.usage = usage;
    }
    Judged { result, pieces: Some(Pieces { count, chunking, worst, undecided }), others: results }
}

fn verdict(result: &Result<Completion, EngineError>) -> Option<Verdict> {
    match result {
        Ok(Completion { outcome: Outcome::Verdict(judgement), .. }) => Some(judgement.verdict),
        _ => None,
    }
}

fn probability(result: &Result<Completion, EngineError>) -> Option<f64> {
    match result {
        Ok(Completion { outcome: Outcome::Verdict(judgement), .. }) => {
            judgement.scores.map(|scores| scores.probability)
        }
        _ => None,
    }
}

/// Returns the index of the piece that decides: the verdict counts first, among equals the probability. Of equal pieces
/// the first decides.
pub(in crate::label) fn worst(pieces: impl Iterator<Item = (Option<Verdict>, Option<f64>)>) -> usize {
    let rank = |verdict| match verdict {
        Some(Verdict::Violation) => 3,
        None => 2,
        Some(Verdict::Review) => 1,
        Some(Verdict::Safe) => 0,
    };
    let ranks: Vec<(u8, f64)> =
        pieces.map(|(verdict, probability)| (rank(verdict), probability.unwrap_or(0.0))).collect();
    (0..ranks.len()).fold(0, |best, other| if ranks[other] > ranks[best] { other } else { best })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unnecessary_wraps, reason = "the function under test takes results")]

    use super::*;
    use crate::verdict::{Judgement, Scores, Unresolved};

    fn piece(verdict: Verdict, probability: f64) -> Result<Completion, EngineError> {
        let scores = Some(Scores { probability, label_probability: 0.5, mass: 0.9 });
        let judgement = Judgement {
            verdict,
            label: verdict.to_string(),
            category: None,
            scores,
            candidates: Vec::new(),
            labels: Vec::new(),
            rationale: None,
            repaired: false,
        };
        Ok(Completion {
            outcome: Outcome::Verdict(judgement),
            cascade: None,
            reasoning: None,
            probes: Vec::new(),
            usage: Usage { prefix: 100, suffix: 10, answer: 1, ..Usage::default() },
        })
    }

    fn unresolved() -> Result<Completion, EngineError> {
        let outcome = Outcome::Unresolved(Unresolved::Unparsed);
        Ok(Completion { outcome, cascade: None, reasoning: None, probes: Vec::new(), usage: Usage::default() })
    }

    fn worst(pieces: Vec<Result<Completion, EngineError>>) -> (Option<Verdict>, usize) {
        let judged = combine(pieces, Some(Chunking::of(80)));
        (verdict(&judged.result), judged.pieces.unwrap().worst)
    }

    #[test]
    fn the_worst_piece_decides() {
        use Verdict::{Review, Safe, Violation};
        assert_eq!(worst(vec![piece(Safe, 0.1), piece(Violation, 0.6), piece(Safe, 0.2)]), (Some(Violation), 1));
        assert_eq!(worst(vec![piece(Violation, 0.6), piece(Violation, 0.9), unresolved()]), (Some(Violation), 1));
        assert_eq!(worst(vec![piece(Safe, 0.1), piece(Review, 0.0)]), (Some(Review), 1));
        assert_eq!(worst(vec![piece(Review, 0.3), unresolved(), piece(Safe, 0.1)]), (None, 1));
        assert_eq!(worst(vec![piece(Safe, 0.1), Err(EngineError::Stopped)]), (None, 1));
        assert_eq!(worst(vec![piece(Safe, 0.1), piece(Safe, 0.4)]), (Some(Safe), 1));
    }

    #[test]
    fn the_probability_is_the_worst_piece_s_and_the_usage_that_of_all() {
        let judged = combine(vec![piece(Verdict::Safe, 0.5), piece(Verdict::Safe, 0.2)], Some(Chunking::of(80)));
        assert_eq!(probability(&judged.result), Some(0.5));
        let usage = judged.result.unwrap().usage;
        assert_eq!((usage.prefix, usage.suffix, usage.answer), (100, 20, 2));
        let pieces = judged.pieces.unwrap();
        assert_eq!((pieces.count, pieces.undecided), (2, 0));
        assert_eq!((pieces.chunking.size, pieces.chunking.overlap), (80, 10));
    }
}
