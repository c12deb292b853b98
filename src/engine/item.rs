//! One content on its way through the phases of decoding.
//!
//! The headers are fixed, and the model only fills bodies. `analysis` is sampled within a budget, then the header of
//! `final` is appended and the answers are scored. A rationale is sampled behind the answer that won. In a cascade the
//! answers are first scored in a fork, and the item reasons only if the probability is too close to call. On a ladder they
//! are scored in forks while it reasons, and reasoning ends once a verdict is sure.
//!
//! An item only names the tokens that it wants decoded, and advances when it is given their logits. The share of its
//! tokens in a batch, and the other items there, are not known here.

mod probe;

use std::sync::Arc;

use super::backend::{Backend, Batch, Fault, FreeSequences, SeqId, WINDOW};
use super::completion::{Completion, ReasoningEnd};
use super::config::Mode;
use super::decode_plan::{DecodePlan, RATIONALE_BUDGET};
use super::reading::Rows;
use super::sample::Sampler;
use super::scoring::Scoring;
use super::sequence::Sequence;
use super::turn::Turn;
use crate::harmony::{Control, completion};
use crate::tokenizer::Token;
use crate::verdict::ladder::is_rung;

/// An item that is being decoded.
#[derive(Debug)]
pub struct Item {
    turn: Turn,
    phase: Phase,
    /// The item's own sequence. The forks that score answers belong to the scoring.
    sequence: Sequence,
    /// The fork in which an answer before the last one is scored: the first of a cascade, or that at a rung.
    probe: Option<Sequence>,
    scoring: Option<Scoring>,
    /// Tokens of a first answer that led to reasoning.
    probed: usize,
    /// The next token of the reasoning, which waits for the answers at a rung.
    next: Option<Token>,
    sampler: Sampler,
    /// The token that was read from the last batch and is not written yet.
    sampled: Option<Result<Token, Fault>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The content is read, and is then forked for the first answer of a cascade.
    Read,
    /// The first answer of a cascade is scored.
    Probe,
    Reason,
    /// The answers at a rung are scored in a fork.
    Rung,
    Free,
    Answer,
    Rationale,
    Done,
}

impl Item {
    /// Makes an item whose sequence `seq` was forked from a prefix of `prefix` tokens.
    #[must_use]
    pub fn new(plan: Arc<DecodePlan>, seq: SeqId, prefix: usize, suffix: &[Token]) -> Self {
        let mut item = Self {
            phase: Phase::Done,
            sequence: Sequence::new(seq, prefix),
            probe: None,
            scoring: None,
            probed: 0,
            next: None,
            // Every item draws the same random numbers, so its tokens depend on no other item.
            sampler: Sampler::new(plan.sampling),
            sampled: None,
            turn: Turn::new(plan, prefix, suffix.len()),
        };
        let last = |tokens: &[Token]| tokens.len().saturating_sub(1);
        match item.turn.plan.mode {
            Mode::Answer => {
                // Logits are wanted from the header behind the suffix on.
                item.sequence.feed(suffix, suffix.len());
                item.open_answer();
            }
            Mode::Reason { .. } => {
                let tokens = [suffix, &item.turn.plan.analysis].concat();
                item.sequence.feed(&tokens, last(&tokens));
                item.phase = Phase::Reason;
            }
            Mode::Cascade { .. } => {
                item.sequence.feed(suffix, suffix.len());
                item.phase = Phase::Read;
            }
            Mode::Free { .. } => {
                item.sequence.feed(suffix, last(suffix));
                item.phase = Phase::Free;
            }
        }
        item
    }

    /// Adds the tokens that it wants decoded to a batch, as far as there is room.
    pub fn fill(&mut self, batch: &mut Batch) {
        self.sequence.fill(batch);
        let branches = self.scoring.iter_mut().flat_map(Scoring::sequences);
        for sequence in self.probe.iter_mut().chain(branches) {
            sequence.fill(batch);
        }
    }

    /// Returns the number of tokens that it wants decoded.
    #[must_use]
    pub fn wants(&self) -> usize {
        self.sequence.left()
            + self.probe.iter().map(Sequence::left).sum::<usize>()
            + self.scoring.iter().map(Scoring::left).sum::<usize>()
    }

    /// Reports whether a sequence is the item's own or a fork of it.
    #[must_use]
    pub fn holds(&self, seq: SeqId) -> bool {
        self.sequence.seq == seq
            || self.probe.iter().any(|sequence| sequence.seq == seq)
            || self.scoring.iter().any(|scoring| scoring.holds(seq))
    }

    /// Reads the logits of the batch that it filled: the next token, or the probabilities of answers.
    /// [`Self::advance`] uses them.
    pub fn read(&mut self, rows: &Rows<'_>) {
        let plan = &self.turn.plan;
        match self.phase {
            Phase::Reason | Phase::Free | Phase::Rationale => {
                let allowed = if self.phase == Phase::Free { &plan.controls } else { &plan.stops };
                // Without a row, the batch had no room for the last token.
                if let Some((_, row)) = self.sequence.take_rows().pop() {
                    self.sampled = Some(self.sampler.take(rows.row(row), &plan.ordinary(), allowed));
                }
            }
            Phase::Probe | Phase::Rung | Phase::Answer => {
                if let Some(scoring) = &mut self.scoring {
                    scoring.read(plan, self.probe.as_mut().unwrap_or(&mut self.sequence), rows);
                }
            }
            Phase::Read | Phase::Done => {}
        }
    }

    /// Advances with what it read. The item takes forks from `free`, and gives them back there.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of the backend, or [`Fault::NotFinite`]. The item must then be released.
    pub fn advance(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        match self.phase {
            Phase::Read => self.open_probe(backend, free),
            Phase::Probe => self.score_probe(backend, free),
            Phase::Rung => self.score_rung(backend, free),
            Phase::Answer => self.score(backend, free),
            Phase::Done => Ok(()),
            Phase::Reason | Phase::Free | Phase::Rationale => match self.sampled.take() {
                Some(token) => {
                    self.write(token?);
                    if self.phase == Phase::Rung { self.open_rung(backend, free) } else { Ok(()) }
                }
                None => Ok(()),
            },
        }
    }

    /// Writes one token of a body.
    fn write(&mut self, token: Token) {
        let plan = Arc::clone(&self.turn.plan);
        let stopped = plan.stops.contains(&token);
        match (self.phase, plan.mode) {
            (Phase::Free, Mode::Free { budget }) => {
                self.turn.written.push(token);
                self.turn.usage.reasoning += 1;
                // `<|end|>` may end the analysis alone. The turn ends with it only if a complete reply was written.
                let ended =
                    token != plan.tokenizer.control(Control::End) || completion::parse(&self.turn.segments()).is_ok();
                let finished = stopped && ended;
                if finished {
                    self.turn.end = ReasoningEnd::Itself;
                }
                if finished || self.turn.written.len() >= budget {
                    self.phase = Phase::Done;
                    return;
                }
            }
            (Phase::Rationale, _) => {
                self.turn.usage.rationale += usize::from(!stopped);
                let closed = stopped || self.turn.rationale.push(plan.tokenizer.bytes(token));
                if closed || self.turn.usage.rationale >= RATIONALE_BUDGET {
                    self.phase = Phase::Done;
                    return;
                }
            }
            _ if stopped => {
                self.turn.end = ReasoningEnd::Itself;
                // The sampled token is not decoded. The header of the answer begins with a token of its own.
                return self.open_answer();
            }
            _ if plan.ladder.is_some() && is_rung(self.turn.written.len()) => {
                self.next = Some(token);
                self.phase = Phase::Rung;
                return;
            }
            _ => return self.reason(token),
        }
        self.sequence.feed(&[token], 0);
    }

    /// Continues the reasoning with a token.
    fn reason(&mut self, token: Token) {
        self.turn.written.push(token);
        self.turn.usage.reasoning += 1;
        self.sequence.feed(&[token], 0);
        let (Mode::Reason { budget } | Mode::Cascade { budget, .. }) = self.turn.plan.mode else { return };
        if self.turn.written.len() >= budget {
            // The logits behind the token are not read: the next token is known, as it is the first of the header.
            self.open_answer();
        }
    }

    /// Reports whether the item is complete.
    #[must_use]
    pub fn done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Empties the item's sequences and gives them back.
    pub fn release(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) {
        if let Some(scoring) = &mut self.scoring {
            scoring.release(backend, free);
        }
        for sequence in self.probe.iter().chain([&self.sequence]) {
            backend.clear(sequence.seq);
            free.give(sequence.seq);
        }
    }

    /// Begins to score the answers, behind the reasoning if there was any.
    fn open_answer(&mut self) {
        self.scoring = Some(Scoring::open(&self.turn.plan, &self.turn.plan.opener, &mut self.sequence));
        self.phase = Phase::Answer;
    }

    /// Reports whether the item's own sequence is longer behind its prefix than the window.
    fn is_long(&self) -> bool {
        self.sequence.position > self.turn.usage.prefix + WINDOW
    }

    /// Scores the answers, and decides once all are scored.
    fn score(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        let plan = Arc::clone(&self.turn.plan);
        let long = self.is_long();
        let Some(scoring) = &mut self.scoring else { return Ok(()) };
        let over = scoring.advance(&plan, &mut self.sequence, long, backend, free)?;
        self.turn.usage.answer = self.probed + scoring.tokens;
        if over {
            self.conclude();
        }
        Ok(())
    }

    /// Decides between the answers, all of which are scored.
    fn conclude(&mut self) {
        self.phase = Phase::Done;
        let Some(scoring) = &self.scoring else { return };
        // Off the contract there is nothing to explain.
        let Some(leaf) = self.turn.decide(scoring.logs.clone()) else { return };
        let path = &self.turn.plan.tree.path(leaf)[self.turn.plan.trunk.len()..];
        // The item's own sequence may have followed another answer. It cannot continue this one then.
        if let Some(rest @ [.., _]) = path.strip_prefix(scoring.held()).filter(|_| self.turn.plan.rationale) {
            // The rest of the answer is appended, and a rationale follows.
            self.turn.usage.answer += rest.len();
            self.sequence.feed(rest, rest.len() - 1);
            self.phase = Phase::Rationale;
        }
    }

    /// Returns the result, once the item is done.
    #[must_use]
    pub fn completion(self) -> Completion {
        self.turn.completion()
    }
}
