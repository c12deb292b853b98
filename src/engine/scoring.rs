//! Scoring: the probability of every answer, side by side.
//!
//! The one idea: answers are paths down one tree. What all of them begin with, the trunk, stands in the item's own
//! sequence, and grows as long as there is one way on; from its end every branch goes on in a fork. A branch that finds no
//! free sequence waits, and is then fed its whole path again, which is a few tokens long. One that can hardly matter is
//! not followed. What the probabilities are for is not known here.

use super::backend::{Backend, Fault, FreeSequences, SeqId};
use super::decode_plan::{DecodePlan, forced};
use super::sample::log_sum_exp;
use super::sequence::Sequence;
use crate::harmony::Control;
use crate::tokenizer::Token;
use crate::verdict::{NodeId, Step, Target};

/// Where the likeliest branch has [`CLEAR`] of the whole probability at least, one with less than this share of that is not
/// followed: it counts as one answer, with that share. So every probability is right to as much for each branch.
const NEGLIGIBLE: f64 = 1e-4;

/// Returns the share that is negligible under a threshold, for a contract of this many answers. Near 0 or 1 it is 0:
/// there the estimates together could carry a probability across the threshold.
fn negligible(threshold: Option<f64>, answers: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a policy has few answers")]
    let together = NEGLIGIBLE / CLEAR * answers as f64;
    match threshold {
        Some(threshold) if threshold.min(1.0 - threshold) < 2.0 * together => 0.0,
        _ => NEGLIGIBLE,
    }
}

/// Below this the model is hardly on the contract, and what it would rather say tells nothing of which answer ends up larger.
const CLEAR: f64 = 0.5;

/// The answers of one item, as far as they are scored.
#[derive(Debug)]
pub(super) struct Scoring {
    /// The logarithm of each answer's probability, as far as it is known.
    pub(super) logs: Vec<f64>,
    /// How many tokens were fed for it.
    pub(super) tokens: usize,
    trunk: Branch,
    branches: Vec<(Sequence, Branch)>,
    /// Branches that wait for a free sequence.
    waiting: Vec<Branch>,
    /// The logarithm of the largest probability of a branch so far.
    likeliest: f64,
    /// Answers of branches that were not followed, each with the logarithm of its share of the likeliest.
    passed: Vec<(usize, f64)>,
}

/// A path down the tree.
#[derive(Debug, Default)]
struct Branch {
    /// Its tokens, from the trunk's end on.
    path: Vec<Token>,
    /// How many of them are scored.
    scored: usize,
    /// The nodes, one behind each token that is not. The trunk's begin with the root.
    nodes: Vec<NodeId>,
    /// The logarithm of the probability of what is scored.
    log: f64,
}

impl Scoring {
    /// Appends an opener of `final`, and what all answers begin with, to the item's own sequence.
    pub(super) fn open(plan: &DecodePlan, opener: &[Token], own: &mut Sequence) -> Self {
        own.feed(&[opener, &plan.trunk].concat(), opener.len() - 1);
        Self {
            logs: vec![f64::NEG_INFINITY; plan.answers.len()],
            tokens: plan.trunk.len(),
            trunk: Branch { nodes: plan.trunk_nodes.clone(), ..Branch::default() },
            branches: Vec::new(),
            waiting: Vec::new(),
            likeliest: f64::NEG_INFINITY,
            passed: Vec::new(),
        }
    }

    /// What of the answers stands in the item's own sequence, behind what all of them begin with.
    pub(super) fn held(&self) -> &[Token] {
        &self.trunk.path
    }

    /// The sequences beside the item's own.
    pub(super) fn sequences(&mut self) -> impl Iterator<Item = &mut Sequence> {
        self.branches.iter_mut().map(|(sequence, _)| sequence)
    }

    /// How many tokens these want decoded.
    pub(super) fn left(&self) -> usize {
        self.branches.iter().map(|(sequence, _)| sequence.left()).sum()
    }

    /// Whether a sequence is one of theirs.
    pub(super) fn holds(&self, seq: SeqId) -> bool {
        self.branches.iter().any(|(sequence, _)| sequence.seq == seq)
    }

    /// Goes as far as the last batch went, and branches. True once every answer is scored.
    ///
    /// `long` says that the item's own sequence goes on for longer than the window behind its prefix.
    pub(super) fn advance(
        &mut self,
        plan: &DecodePlan,
        own: &mut Sequence,
        long: bool,
        backend: &mut dyn Backend,
        free: &mut FreeSequences,
    ) -> Result<bool, Fault> {
        let children = score(plan, own, &mut self.trunk, &mut self.logs, backend)?;
        let mut children = self.worth_following(plan, children);
        if self.branches.is_empty() && self.waiting.is_empty() && children.len() == 1 {
            // The only one needs no fork: the trunk grows.
            self.trunk = children.remove(0);
            let tokens = &self.trunk.path[self.trunk.scored..];
            self.tokens += tokens.len();
            own.feed(tokens, 0);
        }
        if long && !children.is_empty() {
            // What has left the window is still there for reuse, and forks would keep it from that.
            backend.compact(own.seq)?;
        }
        // Those that are here now; what they branch into comes with the next batch.
        let here = self.branches.len();
        for child in children {
            self.fork(own.seq, own.position, child, backend, free);
        }
        for index in 0..here {
            let (sequence, branch) = &mut self.branches[index];
            let (seq, position) = (sequence.seq, sequence.position);
            let children = score(plan, sequence, branch, &mut self.logs, backend)?;
            let mut children = self.worth_following(plan, children).into_iter();
            // One goes on where its parent stands, once the others are forked from there.
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
            let largest = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for (leaf, share) in self.passed.drain(..) {
                self.logs[leaf] = largest + share;
            }
        }
        Ok(over)
    }

    /// Those of some branches that can matter, the likeliest first.
    fn worth_following(&mut self, plan: &DecodePlan, mut branches: Vec<Branch>) -> Vec<Branch> {
        branches.sort_by(|one, two| two.log.total_cmp(&one.log));
        self.likeliest = branches.first().map_or(self.likeliest, |branch| branch.log.max(self.likeliest));
        let share = negligible(plan.rule.threshold, plan.answers.len());
        let least = if self.likeliest < CLEAR.ln() { f64::NEG_INFINITY } else { self.likeliest + share.ln() };
        let few = branches.partition_point(|branch| branch.log >= least);
        for branch in branches.drain(few..) {
            if let Some(leaf) = branch.nodes.first().and_then(|node| plan.tree.leaf(*node)) {
                self.passed.push((leaf, branch.log - self.likeliest));
            }
        }
        branches
    }

    /// Empties its sequences and gives them back.
    pub(super) fn release(&mut self, backend: &mut dyn Backend, free: &mut FreeSequences) {
        for (sequence, _) in self.branches.drain(..) {
            backend.clear(sequence.seq);
            free.give(sequence.seq);
        }
    }

    /// Lets a branch go on in a fork of a sequence that holds all that is scored of it.
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

    /// A sequence that goes down a branch, of whose path so many tokens are in its sequence.
    fn grow(&mut self, seq: SeqId, position: usize, there: usize, branch: Branch) -> (Sequence, Branch) {
        let mut sequence = Sequence::new(seq, position);
        sequence.feed(&branch.path[there..], branch.scored - there);
        self.tokens += branch.path.len() - there;
        (sequence, branch)
    }

    /// Takes back the sequences of branches that are over, and lends free ones to those that wait.
    fn lend(&mut self, own: &Sequence, backend: &mut dyn Backend, free: &mut FreeSequences) {
        for (sequence, _) in self.branches.extract_if(.., |(sequence, _)| sequence.over()) {
            backend.clear(sequence.seq);
            free.give(sequence.seq);
        }
        while !self.waiting.is_empty()
            && let Some(seq) = free.take()
        {
            let branch = self.waiting.swap_remove(0);
            backend.fork(own.seq, seq);
            let grown = self.grow(seq, own.position, self.trunk.path.len(), branch);
            self.branches.push(grown);
        }
    }
}

/// Takes in what the last batch tells of a branch. From its end, if that is reached, the branches that go on from there.
fn score(
    plan: &DecodePlan,
    sequence: &mut Sequence,
    branch: &mut Branch,
    logs: &mut [f64],
    backend: &dyn Backend,
) -> Result<Vec<Branch>, Fault> {
    for (place, row) in sequence.take_rows() {
        let node = branch.nodes[place];
        let mut ways = Vec::new();
        for (edge, log) in plan.tree.edges(node).iter().zip(edge_logs(plan, node, backend.logits(row))?) {
            match (edge.to, edge.step) {
                (Target::Leaf(leaf), _) => logs[leaf] = branch.log + log,
                (Target::Node(next), Step::Token(token)) => ways.push((token, next, branch.log + log)),
                // A stop ends an answer: it leads to no node.
                (Target::Node(_), Step::Stop) => {}
            }
        }
        if place + 1 == branch.nodes.len() {
            return Ok(ways.into_iter().map(|(token, next, log)| branch.child(plan, token, next, log)).collect());
        }
        // In the middle of a forced stretch the only way on is what stands next.
        branch.log = ways.first().map_or(branch.log, |(_, _, log)| *log);
    }
    Ok(Vec::new())
}

impl Branch {
    /// What goes on from its end with a token, as far as there is no choice.
    fn child(&self, plan: &DecodePlan, token: Token, next: NodeId, log: f64) -> Self {
        let (tokens, nodes) = forced(&plan.tree, next);
        Self {
            path: [self.path.as_slice(), &[token], &tokens].concat(),
            scored: self.path.len(),
            nodes: [vec![next], nodes].concat(),
            log,
        }
    }
}

/// The logarithm of the probability of each way on from a node, among all of the vocabulary.
fn edge_logs(plan: &DecodePlan, node: NodeId, logits: &[f32]) -> Result<Vec<f64>, Fault> {
    let total = log_sum_exp(logits)?;
    let log = |token: Token| f64::from(logits[token.0 as usize]) - total;
    let ends = [Control::Return, Control::End].map(|control| plan.tokenizer.control(control));
    let of_step = |step| match step {
        Step::Token(token) => log(token),
        Step::Stop => ends.map(log).map(f64::exp).iter().sum::<f64>().ln(),
    };
    Ok(plan.tree.edges(node).iter().map(|edge| of_step(edge.step)).collect())
}
