//! Answers before the last one, each in a fork: the first of a cascade, and those at the rungs of the reasoning.

use std::sync::Arc;

use super::{Item, Phase};
use crate::engine::backend::{Backend, Fault, FreeSequences};
use crate::engine::completion::{Cascade, ReasoningEnd};
use crate::engine::config::Mode;
use crate::engine::scoring::Scoring;
use crate::engine::sequence::Sequence;
use crate::verdict::ladder::is_sure;

impl Item {
    /// Forks the content for the first answer of a cascade, once the content is read. Waits if no sequence is free.
    pub(super) fn open_probe(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        if !self.sequence.over() {
            return Ok(());
        }
        let Some(seq) = free.take() else { return Ok(()) };
        let mut probe = Sequence::new(seq, self.sequence.position);
        self.scoring = Some(Scoring::open(&self.turn.plan, &self.turn.plan.direct, &mut probe));
        self.phase = Phase::Probe;
        self.fork(probe, backend)
    }

    /// Forks the reasoning for the answers at a rung. Waits if no sequence is free.
    pub(super) fn open_rung(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        let Some(seq) = free.take() else { return Ok(()) };
        let mut probe = Sequence::new(seq, self.sequence.position);
        self.scoring = Some(Scoring::open(&self.turn.plan, &self.turn.plan.opener, &mut probe));
        self.fork(probe, backend)
    }

    /// Forks the item's own sequence, for an answer before the last one.
    fn fork(&mut self, probe: Sequence, backend: &mut dyn Backend) -> Result<(), Fault> {
        let (own, seq) = (self.sequence.seq, probe.seq);
        // Recorded before the backend is called: after a fault, `release` gives the fork back.
        self.probe = Some(probe);
        if self.is_long() {
            backend.compact(own)?;
        }
        backend.fork(own, seq);
        Ok(())
    }

    /// Scores the answers at a rung, until the verdicts are known. If one is sure, reasoning ends and the fork goes on with
    /// its answer. Else the fork is cleared and the reasoning goes on.
    pub(super) fn score_rung(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        let plan = Arc::clone(&self.turn.plan);
        let long = self.is_long();
        let Some((mut probe, scoring)) = self.probe.take().zip(self.scoring.as_mut()) else {
            return self.open_rung(backend, free);
        };
        let over = scoring.advance(&plan, &mut probe, long, backend, free);
        let opened = probe.position >= self.sequence.position + plan.opener.len() + plan.trunk.len();
        let logs = if opened { scoring.ahead(&plan, &probe) } else { None };
        let (Ok(over), Some(logs)) = (&over, logs) else {
            // Also after a fault, so that `release` gives the fork back.
            self.probe = Some(probe);
            return over.map(|_| ());
        };
        self.turn.add_probe(&logs);
        let next = self.next.take();
        if plan.ladder.is_some_and(|ladder| is_sure(&self.turn.probes, ladder.sure)) {
            self.turn.end = ReasoningEnd::Sure;
            let unused = std::mem::replace(&mut self.sequence, probe).seq;
            backend.clear(unused);
            free.give(unused);
            self.phase = Phase::Answer;
            self.turn.usage.answer = self.probed + scoring.tokens;
            if *over {
                self.conclude();
            }
            return Ok(());
        }
        self.turn.usage.probes += plan.opener.len() + scoring.tokens - scoring.left() - probe.left();
        scoring.release(backend, free);
        self.scoring = None;
        backend.clear(probe.seq);
        free.give(probe.seq);
        if let Some(token) = next {
            self.phase = Phase::Reason;
            self.reason(token);
        }
        Ok(())
    }

    /// Scores the first answer of a cascade. Keeps it if it is clear, else begins to reason.
    pub(super) fn score_probe(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) -> Result<(), Fault> {
        let plan = Arc::clone(&self.turn.plan);
        let long = self.is_long();
        let Some((mut probe, scoring)) = self.probe.take().zip(self.scoring.as_mut()) else { return Ok(()) };
        let over = scoring.advance(&plan, &mut probe, long, backend, free);
        self.turn.usage.answer = scoring.tokens;
        let (Ok(true), Mode::Cascade { band, .. }) = (&over, plan.mode) else {
            // Also after a fault, so that `release` gives the fork back.
            self.probe = Some(probe);
            return over.map(|_| ());
        };
        let decided = plan.rule.decide(&plan.answers, &scoring.logs).ok();
        let first = decided.map(|(_, scores)| scores.probability);
        // A first answer off the contract has no probability. The model may be on it after reasoning.
        let escalated = first.is_none_or(|first| band.low <= first && first <= band.high);
        self.turn.cascade = Some(Cascade { first, escalated });
        // One of the two sequences stays: the fork with its answer, or the content as it was.
        let unused = if escalated { probe.seq } else { std::mem::replace(&mut self.sequence, probe).seq };
        backend.clear(unused);
        free.give(unused);
        if escalated {
            // The scoring is over, so it holds no sequences that would be lost here.
            self.scoring = None;
            self.probed = self.turn.usage.answer;
            self.sequence.feed(&plan.analysis, plan.analysis.len() - 1);
            self.phase = Phase::Reason;
        } else {
            self.conclude();
        }
        Ok(())
    }
}
