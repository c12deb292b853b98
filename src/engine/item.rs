//! One content on its way through the phases of decoding.
//!
//! The one idea: we write every header, the model only fills bodies. `analysis` is sampled within a budget, the opener of
//! `final` is appended whole, then the answers are scored, and a rationale is sampled behind the one that won. In a cascade
//! the answers are scored first in a fork, and only what is too close to call goes on to reason where it stands. An item
//! only says which tokens it wants decoded, and moves on when it is shown the logits; how its tokens share batches with
//! other items' is not known here.

use std::sync::Arc;

use super::backend::{Backend, Batch, Fault, FreeSequences, SeqId};
use super::config::Mode;
use super::decode_plan::{DecodePlan, RATIONALE_BUDGET};
use super::sample::Sampler;
use super::scoring::Scoring;
use super::sequence::Sequence;
use crate::harmony::{Control, Segment, reply};
use crate::policy::Answer;
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::{Judgement, Outcome, Rationale, Scores, Unresolved, read_answer};

/// The sliding window of gpt-oss, in tokens.
const WINDOW: usize = 128;

/// What came of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The verdict, or why there is none.
    pub outcome: Outcome,
    /// Of a cascade, what the first answer came to.
    pub cascade: Option<Cascade>,
    /// What the model reasoned. For developers: it may be wrong, or as bad as the content.
    pub reasoning: Option<Reasoning>,
    /// What it took.
    pub usage: Usage,
}

impl Completion {
    /// Makes a completion without a verdict, for which nothing was decoded.
    #[must_use]
    pub fn without_work(why: Unresolved) -> Self {
        Self { outcome: Outcome::Unresolved(why), cascade: None, reasoning: None, usage: Usage::default() }
    }
}

/// The result of the answer before any reasoning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cascade {
    /// P(violation) then, if the contract's answers had any mass.
    pub first: Option<f64>,
    /// Whether it was too close to call.
    pub escalated: bool,
}

/// The `analysis` of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// Its text.
    pub text: String,
    /// Whether the model ended it by itself, rather than by running out of its budget.
    pub finished: bool,
}

/// Tokens of one item, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the policy's prefix, decoded once for all items.
    pub prefix: usize,
    /// Of the content, and what stands around it.
    pub suffix: usize,
    /// Sampled as reasoning. When the model writes freely, all of its tokens.
    pub reasoning: usize,
    /// Appended and scored for the answers.
    pub answer: usize,
    /// Sampled as rationale.
    pub rationale: usize,
}

/// An item that is being decoded.
#[derive(Debug)]
pub struct Item {
    plan: Arc<DecodePlan>,
    phase: Phase,
    /// The item's own sequence. The forks that score answers belong to the scoring.
    sequence: Sequence,
    /// Of a cascade, the fork that the first answer is scored in.
    probe: Option<Sequence>,
    scoring: Option<Scoring>,
    cascade: Option<Cascade>,
    /// Tokens that the first answer took, if it was not the last.
    probed: usize,
    sampler: Sampler,
    written: Vec<Token>,
    finished: bool,
    rationale: Rationale,
    /// The answer that won and its scores, once the answers are scored.
    verdict: Result<(usize, Scores), Unresolved>,
    usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The content is read, and then forked for the first answer.
    Read,
    Probe,
    Reason,
    Free,
    Answer,
    Rationale,
    Done,
}

impl Item {
    /// An item whose sequence is `seq`, forked from a prefix of so many tokens.
    #[must_use]
    pub fn new(plan: Arc<DecodePlan>, seq: SeqId, prefix: usize, suffix: &[Token]) -> Self {
        let mut item = Self {
            phase: Phase::Done,
            sequence: Sequence::new(seq, prefix),
            probe: None,
            scoring: None,
            cascade: None,
            probed: 0,
            sampler: Sampler::new(plan.sampling),
            written: Vec::new(),
            finished: false,
            rationale: Rationale::default(),
            verdict: Err(Unresolved::OffContract { mass: 0.0, least: plan.rule.min_mass }),
            usage: Usage { prefix, suffix: suffix.len(), ..Usage::default() },
            plan,
        };
        let last = |tokens: &[Token]| tokens.len().saturating_sub(1);
        match item.plan.mode {
            Mode::Answer => {
                item.sequence.feed(suffix, suffix.len());
                item.open_answer();
            }
            Mode::Reason { .. } => {
                let tokens = [suffix, &item.plan.analysis].concat();
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

    /// Puts the tokens that it wants decoded into a batch, as many as there is room for.
    pub fn fill(&mut self, batch: &mut Batch) {
        self.sequence.fill(batch);
        let branches = self.scoring.iter_mut().flat_map(Scoring::sequences);
        for sequence in self.probe.iter_mut().chain(branches) {
            sequence.fill(batch);
        }
    }

    /// How many tokens it wants decoded.
    #[must_use]
    pub fn wants(&self) -> usize {
        self.sequence.left()
            + self.probe.iter().map(Sequence::left).sum::<usize>()
            + self.scoring.iter().map(Scoring::left).sum::<usize>()
    }

    /// Whether a sequence is the item's own, or a fork of it.
    #[must_use]
    pub fn holds(&self, seq: SeqId) -> bool {
        self.sequence.seq == seq
            || self.probe.iter().any(|sequence| sequence.seq == seq)
            || self.scoring.iter().any(|scoring| scoring.holds(seq))
    }

    /// Moves on with the logits of the batch that it filled. `free` are sequences that it may fork into, and where it
    /// puts back those that it is done with.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of the backend, or [`Fault::NotFinite`]; the item is then to be released.
    pub fn advance(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        match self.phase {
            Phase::Read => self.open_probe(backend, free),
            Phase::Probe => self.score_probe(backend, free),
            Phase::Answer => self.score(backend, free),
            Phase::Done => Ok(()),
            Phase::Reason | Phase::Free | Phase::Rationale => match self.sequence.take_rows().pop() {
                Some((_, row)) => self.write(backend.logits(row)),
                None => Ok(()),
            },
        }
    }

    /// Samples one token of a body.
    fn write(&mut self, logits: &[f32]) -> Result<(), Fault> {
        let plan = Arc::clone(&self.plan);
        let allowed = if self.phase == Phase::Free { &plan.controls } else { &plan.stops };
        let token = self.sampler.take(logits, &plan.ordinary(), allowed)?;
        let stopped = plan.stops.contains(&token);
        match (self.phase, plan.mode) {
            (Phase::Free, Mode::Free { budget }) => {
                self.written.push(token);
                self.usage.reasoning += 1;
                // An end may be that of the analysis, if it does not complete a reply.
                let ended = token != plan.tokenizer.control(Control::End) || reply::read(&self.segments()).is_ok();
                self.finished = stopped && ended;
                if self.finished || self.written.len() >= budget {
                    self.phase = Phase::Done;
                    return Ok(());
                }
            }
            (Phase::Rationale, _) => {
                self.usage.rationale += usize::from(!stopped);
                let closed = stopped || self.rationale.push(plan.tokenizer.bytes(token));
                if closed || self.usage.rationale >= RATIONALE_BUDGET {
                    self.phase = Phase::Done;
                    return Ok(());
                }
            }
            (_, mode) => {
                self.finished = stopped;
                if stopped {
                    // The token itself is not decoded: ours, which opens the answer, stands in its place.
                    self.open_answer();
                    return Ok(());
                }
                self.written.push(token);
                self.usage.reasoning += 1;
                if matches!(mode, Mode::Reason { budget } | Mode::Cascade { budget, .. } if self.written.len() >= budget)
                {
                    self.sequence.feed(&[token], 1);
                    self.open_answer();
                    return Ok(());
                }
            }
        }
        self.sequence.feed(&[token], 0);
        Ok(())
    }

    /// Whether nothing more is wanted.
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

    /// What came of it, once it is done.
    #[must_use]
    pub fn completion(self) -> Completion {
        if let Mode::Free { .. } = self.plan.mode {
            return self.free_completion();
        }
        let plan = &self.plan;
        let reasoned = match plan.mode {
            Mode::Reason { .. } => true,
            Mode::Cascade { .. } => self.cascade.is_some_and(|cascade| cascade.escalated),
            Mode::Answer | Mode::Free { .. } => false,
        };
        let reasoning = reasoned.then(|| Reasoning {
            text: String::from_utf8_lossy(&plan.tokenizer.decode(&self.written)).into_owned(),
            finished: self.finished,
        });
        let outcome = match self.verdict {
            Ok((leaf, scores)) => {
                let rationale = plan.rationale.then(|| self.rationale.text());
                Outcome::Verdict(judgement(&plan.answers[leaf], Some(scores), rationale))
            }
            Err(why) => Outcome::Unresolved(why),
        };
        Completion { outcome, cascade: self.cascade, reasoning, usage: self.usage }
    }

    fn free_completion(self) -> Completion {
        let plan = &self.plan;
        let (outcome, analysis) = match reply::read(&self.segments()) {
            Ok(reply) => (
                match read_answer(plan.form, &plan.answers, &reply.body) {
                    Some((leaf, rationale)) => Outcome::Verdict(Judgement {
                        repaired: reply.repaired,
                        ..judgement(&plan.answers[leaf], None, rationale)
                    }),
                    None => Outcome::Unresolved(Unresolved::Unparsed),
                },
                reply.analysis,
            ),
            Err(_) if !self.finished => {
                let text = String::from_utf8_lossy(&plan.tokenizer.decode(&self.written)).into_owned();
                (Outcome::Unresolved(reply::NoFinal::Truncated.into()), text)
            }
            Err(why) => (Outcome::Unresolved(why.into()), String::new()),
        };
        Completion {
            outcome,
            cascade: None,
            reasoning: Some(Reasoning { text: analysis, finished: self.finished }),
            usage: self.usage,
        }
    }

    /// Leaves reasoning, if there was any, for the answer.
    fn open_answer(&mut self) {
        self.scoring = Some(Scoring::open(&self.plan, &self.plan.opener, &mut self.sequence));
        self.phase = Phase::Answer;
    }

    /// Forks the content, once it is read, for an answer before any reasoning. Waits, if there is no sequence to fork into.
    fn open_probe(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        if !self.sequence.over() {
            return Ok(());
        }
        let Some(seq) = free.take() else { return Ok(()) };
        let mut probe = Sequence::new(seq, self.sequence.position);
        self.scoring = Some(Scoring::open(&self.plan, &self.plan.direct, &mut probe));
        self.probe = Some(probe);
        self.phase = Phase::Probe;
        if self.is_long() {
            backend.compact(self.sequence.seq)?;
        }
        backend.fork(self.sequence.seq, seq);
        Ok(())
    }

    /// Scores the first answer, and goes on with it if it can be called, else with the reasoning.
    fn score_probe(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        let plan = Arc::clone(&self.plan);
        let long = self.is_long();
        let Some((mut probe, scoring)) = self.probe.take().zip(self.scoring.as_mut()) else { return Ok(()) };
        let over = scoring.advance(&plan, &mut probe, long, backend, free);
        self.usage.answer = scoring.tokens;
        let (Ok(true), Mode::Cascade { band, .. }) = (&over, plan.mode) else {
            self.probe = Some(probe);
            return over.map(|_| ());
        };
        let decided = plan.rule.decide(&plan.answers, &scoring.logs).ok();
        let first = decided.map(|(_, scores)| scores.probability);
        let escalated = first.is_none_or(|first| band.low <= first && first <= band.high);
        self.cascade = Some(Cascade { first, escalated });
        // One of the two stays: the fork with its answer, or the content as it was.
        let gone = if escalated { probe.seq } else { std::mem::replace(&mut self.sequence, probe).seq };
        backend.clear(gone);
        free.give(gone);
        match decided.filter(|_| !escalated) {
            Some((leaf, scores)) => self.decide(leaf, scores),
            None => {
                self.scoring = None;
                self.probed = self.usage.answer;
                self.sequence.feed(&plan.analysis, plan.analysis.len() - 1);
                self.phase = Phase::Reason;
            }
        }
        Ok(())
    }

    /// Whether the item's own sequence goes on for longer than the window behind its prefix.
    fn is_long(&self) -> bool {
        self.sequence.position > self.usage.prefix + WINDOW
    }

    /// Scores the answers, and decides once that is done.
    fn score(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        let plan = Arc::clone(&self.plan);
        let long = self.is_long();
        let Some(scoring) = &mut self.scoring else { return Ok(()) };
        let over = scoring.advance(&plan, &mut self.sequence, long, backend, free)?;
        self.usage.answer = self.probed + scoring.tokens;
        if !over {
            return Ok(());
        }
        match plan.rule.decide(&plan.answers, &scoring.logs) {
            Ok((leaf, scores)) => self.decide(leaf, scores),
            // Off the contract there is nothing to explain.
            Err(why) => {
                self.phase = Phase::Done;
                self.verdict = Err(why);
            }
        }
        Ok(())
    }

    /// An answer has won: what is not there of it is appended, where a rationale follows.
    fn decide(&mut self, leaf: usize, scores: Scores) {
        self.phase = Phase::Done;
        self.verdict = Ok((leaf, scores));
        let path = &self.plan.tree.path(leaf)[self.plan.trunk.len()..];
        let held = self.scoring.as_ref().map_or(&[][..], Scoring::held);
        if let Some(rest @ [.., _]) = path.strip_prefix(held).filter(|_| self.plan.rationale) {
            self.usage.answer += rest.len();
            self.sequence.feed(rest, rest.len() - 1);
            self.phase = Phase::Rationale;
        }
    }

    fn segments(&self) -> Vec<Segment> {
        segments(&self.plan.tokenizer, &self.written)
    }
}

fn judgement(answer: &Answer, scores: Option<Scores>, rationale: Option<String>) -> Judgement {
    Judgement {
        verdict: answer.verdict,
        label: answer.label.clone(),
        category: answer.category.clone(),
        scores,
        rationale: rationale.filter(|text| !text.is_empty()),
        repaired: false,
    }
}

/// Tokens as the model wrote them, as segments. Control tokens that harmony does not know are kept as text, which no
/// header or body that counts can hold.
fn segments(tokenizer: &Tokenizer, tokens: &[Token]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut bytes = Vec::new();
    for &token in tokens {
        match tokenizer.control_name(token).and_then(Control::from_name) {
            Some(control) => {
                flush(&mut segments, &mut bytes);
                segments.push(Segment::Control(control));
            }
            None => bytes.extend_from_slice(tokenizer.bytes(token)),
        }
    }
    flush(&mut segments, &mut bytes);
    segments
}

fn flush(segments: &mut Vec<Segment>, bytes: &mut Vec<u8>) {
    if !bytes.is_empty() {
        segments.push(Segment::Text(String::from_utf8_lossy(bytes).into_owned()));
        bytes.clear();
    }
}
