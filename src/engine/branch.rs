//! Branches: paths down the tree of answers, and the rule that decides which of them are followed.
//!
//! Where probabilities come from is not known here.

use super::decode_plan::{DecodePlan, forced};
use crate::harmony::Control;
use crate::tokenizer::Token;
use crate::verdict::{NodeId, Step, Target};

/// The share of the likeliest branch below which a branch is not followed, if the likeliest has at least [`CLEAR`].
///
/// Such a branch counts as one answer with that share. Each probability is therefore exact to this share for each
/// branch.
const NEGLIGIBLE: f64 = 1e-4;

/// The least probability of the likeliest branch for others to be negligible.
///
/// Below it the model is hardly on the contract, and its preference for other text does not show which answer will be
/// the largest.
const CLEAR: f64 = 0.5;

/// Returns the share that is negligible under a threshold, for a contract with this many answers.
///
/// Near 0 and 1 it is 0: there the estimates together could carry a probability across the threshold.
fn negligible(threshold: Option<f64>, answers: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a policy has few answers")]
    let together = NEGLIGIBLE / CLEAR * answers as f64;
    match threshold {
        Some(threshold) if threshold.min(1.0 - threshold) < 2.0 * together => 0.0,
        _ => NEGLIGIBLE,
    }
}

/// A path down the tree.
#[derive(Debug, Default)]
pub(super) struct Branch {
    /// Its tokens, from the trunk's end on.
    pub(super) path: Vec<Token>,
    /// The number of its tokens that are scored.
    pub(super) scored: usize,
    /// One node behind each token that is not scored. The trunk's nodes begin with the root.
    pub(super) nodes: Vec<NodeId>,
    /// The logarithm of the probability of the scored tokens.
    pub(super) log: f64,
}

impl Branch {
    /// Returns the branch of the tokens that all answers begin with.
    pub(super) fn trunk(plan: &DecodePlan) -> Self {
        Self { nodes: plan.trunk_nodes.clone(), ..Self::default() }
    }

    /// Reads the logarithm of the probability of each edge of its node at a place. Writes those of complete answers to
    /// `logs`. At the last node it returns the branches that continue from there, else `None`.
    pub(super) fn score(
        &mut self,
        plan: &DecodePlan,
        place: usize,
        edges: &[f64],
        logs: &mut [f64],
    ) -> Option<Vec<Self>> {
        let mut ways = Vec::new();
        for (edge, log) in plan.tree.edges(self.nodes[place]).iter().zip(edges) {
            match (edge.to, edge.step) {
                (Target::Leaf(leaf), _) => logs[leaf] = self.log + log,
                (Target::Node(next), Step::Token(token)) => ways.push((token, next, self.log + log)),
                // A stop ends an answer: it leads to no node.
                (Target::Node(_), Step::Stop) => {}
            }
        }
        if place + 1 == self.nodes.len() {
            return Some(ways.into_iter().map(|(token, next, log)| self.child(plan, token, next, log)).collect());
        }
        // Inside a forced stretch the single way on is the next token, which is already fed.
        self.log = ways.first().map_or(self.log, |(_, _, log)| *log);
        None
    }

    /// Returns the branch that continues from its end with a token, up to the next choice.
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

/// The likeliest branch so far, and the branches that can hardly matter beside it.
#[derive(Debug)]
pub(super) struct Lead {
    /// The logarithm of the largest probability of a branch so far.
    likeliest: f64,
    /// Answers of branches that were not followed, each with the logarithm of its share of the likeliest.
    passed: Vec<(usize, f64)>,
}

impl Default for Lead {
    fn default() -> Self {
        Self { likeliest: f64::NEG_INFINITY, passed: Vec::new() }
    }
}

impl Lead {
    /// Returns the branches that can matter, the likeliest first. Records the answers of the others.
    pub(super) fn worth_following(&mut self, plan: &DecodePlan, mut branches: Vec<Branch>) -> Vec<Branch> {
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

    /// Estimates the answers that were not followed, once all others are scored.
    pub(super) fn settle(&self, logs: &mut [f64]) {
        // A share is of the likeliest branch, whose own answer is known only now.
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (leaf, share) in &self.passed {
            logs[*leaf] = largest + share;
        }
    }

    /// Estimates the answers that were not followed, while others are not scored yet.
    pub(super) fn settle_ahead(&self, logs: &mut [f64]) {
        for (leaf, share) in &self.passed {
            logs[*leaf] = self.likeliest + share;
        }
    }
}

/// Returns the tokens that end an answer.
fn ends(plan: &DecodePlan) -> [Token; 2] {
    [Control::Return, Control::End].map(|control| plan.tokenizer.control(control))
}

/// Returns the logarithm of the probability of each edge of a node, from that of a token.
pub(super) fn edge_logs(plan: &DecodePlan, node: NodeId, log: impl Fn(Token) -> f64) -> Vec<f64> {
    let of_step = |step| match step {
        Step::Token(token) => log(token),
        // Either token ends the answer, so their probabilities add up.
        Step::Stop => ends(plan).map(&log).map(f64::exp).iter().sum::<f64>().ln(),
    };
    plan.tree.edges(node).iter().map(|edge| of_step(edge.step)).collect()
}

/// Returns the tokens whose probabilities the edges of a node need.
#[cfg(feature = "remote")]
pub(super) fn edge_tokens(plan: &DecodePlan, node: NodeId) -> Vec<Token> {
    let of_step = |step| match step {
        Step::Token(token) => vec![token],
        Step::Stop => ends(plan).to_vec(),
    };
    plan.tree.edges(node).iter().flat_map(|edge| of_step(edge.step)).collect()
}
