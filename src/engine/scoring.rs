//! Scoring: the probability of every answer, side by side.
//!
//! Answers are paths down one tree of tokens. Their common beginning, the trunk, is decoded in the item's own sequence,
//! and grows as long as there is a single way on. From its end each branch continues in a fork. A branch for which no
//! sequence is free waits, and is later fed its whole path again, which is a few tokens. A branch that can hardly
//! matter is not followed. The use of the probabilities is not known here.

use super::backend::{Backend, Fault, FreeSequences, SeqId};
use super::branch::{self, Branch, Lead};
use super::decode_plan::DecodePlan;
use super::reading::Rows;
use super::sample::log_sum_exp;
use super::sequence::Sequence;
use crate::tokenizer::Token;

/// The scores of one item's answers.
#[derive(Debug)]
pub(super) struct Scoring {
    /// The logarithm of each answer's probability. Negative infinity until it is scored.
    pub(super) logs: Vec<f64>,
    /// The number of tokens that were fed for scoring.
    pub(super) tokens: usize,
    trunk: Branch,
    /// Edges of the trunk that were read.
    edges: Edges,
    forks: Vec<Fork>,
    /// Branches that wait for a free sequence.
    waiting: Vec<Branch>,
    lead: Lead,
}

/// A branch with a sequence of its own.
#[derive(Debug)]
struct Fork {
    sequence: Sequence,
    branch: Branch,
    /// Edges that were read.
    edges: Edges,
}

/// The logarithm of the probability of each edge of nodes of a branch, each node with its place there.
type Edges = Vec<(usize, Result<Vec<f64>, Fault>)>;

impl Scoring {
    /// Feeds the item's own sequence a header of `final` and the tokens that all answers begin with.
    pub(super) fn open(plan: &DecodePlan, opener: &[Token], own: &mut Sequence) -> Self {
        // The logits behind the last token of the header belong to the root.
        own.feed(&[opener, &plan.trunk].concat(), opener.len() - 1);
        Self {
            logs: vec![f64::NEG_INFINITY; plan.answers.len()],
            tokens: plan.trunk.len(),
            trunk: Branch::trunk(plan),
            edges: Vec::new(),
            forks: Vec::new(),
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
        self.forks.iter_mut().map(|fork| &mut fork.sequence)
    }

    /// Returns the number of tokens that the branches still have to feed.
    pub(super) fn left(&self) -> usize {
        self.forks.iter().map(|fork| fork.sequence.left()).sum()
    }

    /// Reports whether a sequence belongs to a branch.
    pub(super) fn holds(&self, seq: SeqId) -> bool {
        self.forks.iter().any(|fork| fork.sequence.seq == seq)
    }

    /// Reads the logits of the last batch for all branches. The trunk is in the item's own sequence.
    pub(super) fn read(&mut self, plan: &DecodePlan, own: &mut Sequence, rows: &Rows<'_>) {
        read_edges(plan, &self.trunk, own, rows, &mut self.edges);
        for Fork { sequence, branch, edges } in &mut self.forks {
            read_edges(plan, branch, sequence, rows, edges);
        }
    }

    /// Scores with what was read, and forks where paths part. Returns true once every answer is scored.
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
        let children = score(plan, &mut self.trunk, &mut self.edges, &mut self.logs)?;
        let mut children = self.lead.worth_following(plan, children);
        if self.forks.is_empty() && self.waiting.is_empty() && children.len() == 1 {
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
        // Forks that are made now take part from the next batch on, so they are not scored below.
        let here = self.forks.len();
        for child in children {
            self.fork(own.seq, own.position, child, backend, free);
        }
        for index in 0..here {
            let Fork { sequence, branch, edges } = &mut self.forks[index];
            let (seq, position) = (sequence.seq, sequence.position);
            let children = score(plan, branch, edges, &mut self.logs)?;
            let mut children = self.lead.worth_following(plan, children).into_iter();
            // One child continues in its parent's sequence, after the others were forked from there.
            let stays = children.next();
            for child in children {
                self.fork(seq, position, child, backend, free);
            }
            if let Some(child) = stays {
                self.forks[index] = self.grow(seq, position, child.scored, child);
            }
        }
        self.lend(own, backend, free);
        let over = own.over() && self.forks.is_empty() && self.waiting.is_empty();
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
        let forked = self.forks.iter().filter(|fork| !fork.sequence.over()).map(|fork| &fork.branch);
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
        for Fork { sequence, .. } in self.forks.drain(..) {
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
        self.forks.push(grown);
    }

    /// Returns a branch with its sequence, which already holds `held` tokens of its path.
    fn grow(&mut self, seq: SeqId, position: usize, held: usize, branch: Branch) -> Fork {
        let mut sequence = Sequence::new(seq, position);
        sequence.feed(&branch.path[held..], branch.scored - held);
        self.tokens += branch.path.len() - held;
        Fork { sequence, branch, edges: Vec::new() }
    }

    /// Frees the sequences of branches that are done, and starts waiting branches in free ones.
    fn lend(&mut self, own: &Sequence, backend: &mut dyn Backend, free: &mut FreeSequences) {
        for Fork { sequence, .. } in self.forks.extract_if(.., |fork| fork.sequence.over()) {
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
            self.forks.push(grown);
        }
    }
}

/// Scores a branch with edges that were read. Returns the branches that continue from its end, once that is scored.
fn score(plan: &DecodePlan, branch: &mut Branch, edges: &mut Edges, logs: &mut [f64]) -> Result<Vec<Branch>, Fault> {
    for (place, edges) in edges.drain(..) {
        if let Some(children) = branch.score(plan, place, &edges?, logs) {
            return Ok(children);
        }
    }
    Ok(Vec::new())
}

/// Reads the edges of a branch from the rows of its sequence.
fn read_edges(plan: &DecodePlan, branch: &Branch, sequence: &mut Sequence, rows: &Rows<'_>, edges: &mut Edges) {
    let read = |(place, row)| {
        let logits = rows.row(row);
        let logs = log_sum_exp(logits).map(|total| {
            branch::edge_logs(plan, branch.nodes[place], |token| f64::from(logits[token.0 as usize]) - total)
        });
        (place, logs)
    };
    edges.extend(sequence.take_rows().into_iter().map(read));
}
