//! One content before one policy, whole or in pieces.
//!
//! The one idea: the worst piece speaks for the whole, with its verdict and its own numbers. If any piece is a
//! violation, so is the whole. Otherwise, if any piece has no verdict, the whole has none. So a text is safe only if
//! all of it is. Pieces overlap, so their probabilities are not independent, and are not combined.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pieces::pieces;
use crate::content::Content;
use crate::engine::{Completion, Engine, EngineError, Pending, Session, Usage};
use crate::policy::Verdict;
use crate::verdict::Outcome;

/// How a long content is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunking {
    /// Tokens of a piece, at most.
    pub size: usize,
    /// Tokens that a piece shares with the one before it, about.
    pub overlap: usize,
}

impl Chunking {
    /// Pieces of this size, which share an eighth of it.
    #[must_use]
    pub fn of(size: usize) -> Self {
        Self { size, overlap: size / 8 }
    }
}

/// A content on its way before one policy.
#[derive(Debug)]
pub struct Ticket<'session> {
    pieces: Vec<Piece<'session>>,
    chunking: Option<Chunking>,
}

#[derive(Debug)]
enum Piece<'session> {
    Sent(Pending<'session>),
    Known(Result<Completion, EngineError>),
}

/// What came of a content.
#[derive(Debug)]
pub struct Judged {
    /// The completion, of a content in pieces the combined one.
    pub result: Result<Completion, EngineError>,
    /// How it was cut, if it was.
    pub pieces: Option<Pieces>,
}

/// How a content was cut, and which piece decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// How many pieces.
    pub count: usize,
    /// How they were cut.
    pub chunking: Chunking,
    /// The piece that decided, from 0.
    pub worst: usize,
    /// Pieces without a verdict.
    pub undecided: usize,
}

impl<'session> Ticket<'session> {
    /// Sends a content to be judged, if it has more tokens than a piece may have, in pieces. `send` puts each on its way.
    pub fn submit(
        engine: &Engine,
        session: &'session Session<'session>,
        content: &Content,
        chunking: Option<Chunking>,
        mut send: impl FnMut(&'session Session<'session>, &Content) -> Result<Pending<'session>, EngineError>,
    ) -> Self {
        let cut = match chunking {
            // What is over the limit is so in pieces as well.
            Some(chunking) if session.allows(content).is_ok() => {
                pieces(engine.tokenizer(), content.text(), chunking.size, chunking.overlap)
            }
            _ => vec![content.text()],
        };
        let mut send =
            |content: &Content| send(session, content).map_or_else(|error| Piece::Known(Err(error)), Piece::Sent);
        let pieces = match cut.as_slice() {
            [_] => vec![send(content)],
            cut => cut.iter().map(|piece| send(&Content::new(*piece))).collect(),
        };
        Self { chunking: chunking.filter(|_| cut.len() > 1), pieces }
    }

    /// Waits for what comes of it, but only so long. `None` if it is not there yet.
    #[must_use]
    pub fn wait_for(&mut self, time: Duration) -> Option<Judged> {
        for piece in &mut self.pieces {
            if let Piece::Sent(pending) = piece {
                let result = pending.wait_for(time)?;
                *piece = Piece::Known(result);
            }
        }
        let results = self.pieces.drain(..).map(|piece| match piece {
            Piece::Known(result) => result,
            Piece::Sent(_) => Err(EngineError::Stopped),
        });
        Some(combine(results.collect(), self.chunking))
    }

    /// Waits for what comes of it.
    #[must_use]
    pub fn wait(mut self) -> Judged {
        loop {
            if let Some(judged) = self.wait_for(Duration::MAX) {
                return judged;
            }
        }
    }
}

/// Takes the result of the worst piece for the whole, with the tokens of all pieces.
fn combine(mut results: Vec<Result<Completion, EngineError>>, chunking: Option<Chunking>) -> Judged {
    let Some(chunking) = chunking else {
        return Judged { result: results.pop().unwrap_or(Err(EngineError::Stopped)), pieces: None };
    };
    let (count, undecided) = (results.len(), results.iter().filter(|result| verdict(result).is_none()).count());
    let worst =
        (0..count).fold(0, |best, other| if badness(&results[other]) > badness(&results[best]) { other } else { best });
    let usage = results.iter().flatten().fold(Usage::default(), |sum, completion| Usage {
        // One and the same prefix for all.
        prefix: completion.usage.prefix,
        suffix: sum.suffix + completion.usage.suffix,
        reasoning: sum.reasoning + completion.usage.reasoning,
        answer: sum.answer + completion.usage.answer,
        rationale: sum.rationale + completion.usage.rationale,
    });
    let mut result = results.swap_remove(worst);
    if let Ok(completion) = &mut result {
        completion.usage = usage;
    }
    Judged { result, pieces: Some(Pieces { count, chunking, worst, undecided }) }
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

/// How bad a piece is: by its verdict first, among equals by its probability.
fn badness(result: &Result<Completion, EngineError>) -> (u8, f64) {
    let rank = match verdict(result) {
        Some(Verdict::Violation) => 3,
        None => 2,
        Some(Verdict::Review) => 1,
        Some(Verdict::Safe) => 0,
    };
    (rank, probability(result).unwrap_or(0.0))
}

#[cfg(test)]
#[allow(clippy::unnecessary_wraps, reason = "what comes of a piece is a result")]
mod tests {
    use super::*;
    use crate::verdict::{Judgement, Scores, Unresolved};

    fn piece(verdict: Verdict, probability: f64) -> Result<Completion, EngineError> {
        let scores = Some(Scores { probability, label_probability: 0.5, mass: 0.9 });
        let judgement =
            Judgement { verdict, label: verdict.to_string(), category: None, scores, rationale: None, repaired: false };
        Ok(Completion {
            outcome: Outcome::Verdict(judgement),
            cascade: None,
            reasoning: None,
            usage: Usage { prefix: 100, suffix: 10, answer: 1, ..Usage::default() },
        })
    }

    fn unresolved() -> Result<Completion, EngineError> {
        let outcome = Outcome::Unresolved(Unresolved::Unparsed);
        Ok(Completion { outcome, cascade: None, reasoning: None, usage: Usage::default() })
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
