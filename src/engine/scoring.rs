//! Scoring: the probability of every answer, side by side.
//!
//! Answers are paths down one tree of tokens. Their common beginning, the trunk, is decoded in the item's own sequence,
//! and grows as long as there is a single way on. From its end each branch continues in a fork. A branch for which no
//! sequence is free waits, and is later fed its whole path again, which is a few tokens. A branch that can hardly
//! matter is not followed. The use of the probabilities is not known here.

use super::backend::{Backend, Fault, FreeSequences, SeqId};
use super::branch::{self, Branch, Lead};
use super::decode_plan::DecodePlan;
use super::sample::log_sum_exp;
use super::sequence::Sequence;
use crate::tokenizer::Token;
use crate::verdict::NodeId;

/// The scores of one item's answers.
#[derive(Debug)]
pub(super) struct Scoring {
    /// The logarithm of each answer's probability. Negative infinity until it is scored.
    pub(super) logs: Vec<f64>,
    /// The number of tokens that were fed for scoring.
    pub(super) tokens: usize,
    trunk: Branch,
    branches: Vec<(Sequence, Branch)>,
    /// Branches that wait for a free sequence.
    waiting: Vec<Branch>,
    lead: Lead,
}

impl Scoring {
    /// Feeds the item's own sequence a header of `final` and the tokens that all answers begin with.
    pub(super) fn open(plan: &DecodePlan, opener: &[Token], own: &mut Sequence) -> Self {
        // The logits behind the last token of the header belong to the root.
        own.feed(&[opener, &plan.trunk].concat(), opener.len() - 1);
        Self {
            logs: vec![f64::NEG_INFINITY; plan.answers.len()],
            tokens: plan.trunk.len(),
            trunk: Branch::trunk(plan),
            branches: Vec::new(),
            waiting: Vec::new(),
            lead: Lead::default(),
        }
    }

    /// Returns the answer tokens that are in the item's own sequence, behind those that all answers begin with.
    pub(super) fn held(&self) -> &[Token] {
        &self.trunk.path
    }

    /// Returns the sequences of the branches.
    pub(super) fn sequences(&mut self) -> impl Iterator<Item = &mut Sequence> {
        self.branches.iter_mut().map(|(sequence, _)| sequence)
    }

    /// Returns the number of tokens that the branches still have to feed.
    pub(super) fn left(&self) -> usize {
        self.branches.iter().map(|(sequence, _)| sequence.left()).sum()
    }

    /// Reports whether a sequence belongs to a branch.
    pub(super) fn holds(&self, seq: SeqId) -> bool {
        self.branches.iter().any(|(sequence, _)| sequence.seq == seq)
    }

    /// Reads the logits of the last batch and forks where paths part. Returns true once every answer is scored.
    ///
    /// `long` is set if the item's own sequence is longer behind its prefix than the sliding window.
    pub(super) fn advance(
        &mut self,
        plan: &DecodePlan,
        own: &mut Sequence,
        long: bool,
        backend: &mut dyn Backend,
        free: &mut FreeSequences,
    ) -> Result<bool, Fault> {
        let children = score(plan, own, &mut self.trunk, &mut self.logs, backend)?;
        let mut children = self.lead.worth_following(plan, children);
        if self.branches.is_empty() && self.waiting.is_empty() && children.len() == 1 {
            // A single way on needs no fork: the trunk grows.
            self.trunk = children.remove(0);
            let tokens = &self.trunk.path[self.trunk.scored..];
            self.tokens += tokens.len();
            own.feed(tokens, 0);
        }
        if long && !children.is_empty() {
            // Cells that have left the window could still be reused. Forks would hold them.
            backend.compact(own.seq)?;
        }
        // Forks that are made now take part from the next batch on, so they are not read below.
        let here = self.branches.len();
        for child in children {
            self.fork(own.seq, own.position, child, backend, free);
        }
        for index in 0..here {
            let (sequence, branch) = &mut self.branches[index];
            let (seq, position) = (sequence.seq, sequence.position);
            let children = score(plan, sequence, branch, &mut self.logs, backend)?;
            let mut children = self.lead.worth_following(plan, children).into_iter();
            // One child continues in its parent's sequence, after the others were forked from there.
            let stays = children.next();
            for child in children {
                self.fork(seq, position, child, backend, free);
            }
            if let Some(child) = stays {
                self.branches[index] = self.grow(seq, position, child.scored, child);
            }
        }
        self.lend(own, backend, free);
        let over = own.over() && self.branches.is_empty() && self.waiting.is_empty();
        if over {
            self.lead.settle(&mut self.logs);
        }
        Ok(over)
    }

    /// Returns the logarithm of each answer's probability as far as verdicts need it. `None` while a branch that is not
    /// scored can lead to different verdicts.
    ///
    /// One answer of such a branch stands for all of them.
    pub(super) fn ahead(&self, plan: &DecodePlan, own: &Sequence) -> Option<Vec<f64>> {
        let alike = |one: usize, other: usize| plan.answers[one].verdict == plan.answers[other].verdict;
        let mut logs = self.logs.clone();
        let forked = self.branches.iter().filter(|(sequence, _)| !sequence.over()).map(|(_, branch)| branch);
        let grown = Some(&self.trunk).filter(|_| !own.over());
        for branch in forked.chain(&self.waiting).chain(grown) {
            let node = *branch.nodes.first()?;
            if !plan.tree.are_alike(node, &alike) {
                return None;
            }
            logs[plan.tree.leaf(node)?] = branch.log;
        }
        self.lead.settle_ahead(&mut logs);
        Some(logs)
    }

    /// Empties the branches' sequences and gives them back.
    pub(super) fn release(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) {
        for (sequence, _) in self.branches.drain(..) {
            backend.clear(sequence.seq);
            free.give(sequence.seq);
        }
    }

    /// Continues a branch in a fork of a sequence that holds its scored tokens. Without a free sequence it waits.
    fn fork(
        &mut self,
        from: SeqId,
        position: usize,
        branch: Branch,
        backend: &mut dyn Backend,
        free: &mut FreeSequences,
    ) {
        let Some(seq) = free.take() else { return self.waiting.push(branch) };
        backend.fork(from, seq);
        let grown = self.grow(seq, position, branch.scored, branch);
        self.branches.push(grown);
    }

    /// Returns a branch with its sequence, which already holds `held` tokens of its path.
    fn grow(&mut self, seq: SeqId, position: usize, held: usize, branch: Branch) -> (Sequence, Branch) {
        let mut sequence = Sequence::new(seq, position);
        sequence.feed(&branch.path[held..], branch.scored - held);
        self.tokens += branch.path.len() - held;
        (sequence, branch)
    }

    /// Frees the sequences of branches that are done, and starts waiting branches in free ones.
    fn lend(&mut self, own: &Sequence, backend: &mut dyn Backend, free: &mut FreeSequences) {
        for (sequence, _) in self.branches.extract_if(.., |(sequence, _)| sequence.over()) {
            backend.clear(sequence.seq);
            free.give(sequence.seq);
        }
        while !self.waiting.is_empty()
            && let Some(seq) = free.take()
        {
            let branch = self.waiting.swap_remove(0);
            // Its parent's sequence may already be cleared, so it starts from the trunk's end.
            backend.fork(own.seq, seq);
            let grown = self.grow(seq, own.position, self.trunk.path.len(), branch);
            self.branches.push(grown);
        }
    }
}

/// Reads the logits of the last batch for a branch. Returns the branches that continue from its end, once that is
/// scored.
fn score(
    plan: &DecodePlan,
    sequence: &mut Sequence,
    branch: &mut Branch,
    logs: &mut [f64],
    backend: &dyn Backend,
) -> Result<Vec<Branch>, Fault> {
    for (place, row) in sequence.take_rows() {
        let edges = edge_logs(plan, branch.nodes[place], backend.logits(row))?;
        if let Some(children) = branch.score(plan, place, &edges, logs) {
            return Ok(children);
        }
    }
    Ok(Vec::new())
}

/// Returns the logarithm of the probability of each edge of a node, among the whole vocabulary.
fn edge_logs(plan: &DecodePlan, node: NodeId, logits: &[f32]) -> Result<Vec<f64>, Fault> {
    let total = log_sum_exp(logits)?;
    Ok(branch::edge_logs(plan, node, |token| f64::from(logits[token.0 as usize]) - total))
}
