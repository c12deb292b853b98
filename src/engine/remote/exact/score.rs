//! The probability of every answer, asked from a server.
//!
//! It is the same way down the tree of answers as on this machine. The server follows the likeliest answer by itself, so
//! one request gives all places on its way. Each other branch that can matter takes a request of its own.

use std::collections::HashMap;

use super::ids::Ids;
use super::{Exact, checked, together};
use crate::engine::branch::{Branch, Lead, edge_logs, edge_tokens};
use crate::engine::decode_plan::DecodePlan;
use crate::engine::remote::error::RemoteError;
use crate::tokenizer::Token;
use crate::verdict::{NodeId, Step, Target};

/// The logarithm of each answer's probability, and the tokens that were scored for it.
pub struct Scored {
    pub logs: Vec<f64>,
    pub tokens: usize,
}

/// How far answers are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Until all verdicts are known. One answer of a branch stands for all of them.
    Verdicts,
    /// To the end of each answer.
    Answers,
}

/// Scores all answers behind a prompt that ends with the header of `final`.
pub fn score(server: &dyn Exact, plan: &DecodePlan, prompt: &Ids, depth: Depth) -> Result<Scored, RemoteError> {
    let mut logs = vec![f64::NEG_INFINITY; plan.answers.len()];
    let mut known: HashMap<NodeId, Vec<f64>> = HashMap::new();
    let mut lead = Lead::default();
    let mut open = vec![Branch::trunk(plan)];
    let mut tokens = plan.trunk.len();
    while !open.is_empty() {
        if depth == Depth::Verdicts
            && open.iter().all(|branch| branch.nodes.first().is_some_and(|node| is_one_verdict(plan, *node)))
        {
            for branch in &open {
                if let Some(leaf) = branch.nodes.first().and_then(|node| plan.tree.leaf(*node)) {
                    logs[leaf] = branch.log;
                }
            }
            lead.settle_ahead(&mut logs);
            return Ok(Scored { logs, tokens });
        }
        for branch in &open {
            for (place, node) in branch.nodes.iter().enumerate() {
                if !known.contains_key(node) {
                    follow(server, plan, &prompt.with(&path_to(plan, branch, place)), *node, depth, &mut known)?;
                }
            }
        }
        for mut branch in std::mem::take(&mut open) {
            for place in 0..branch.nodes.len() {
                let edges = known.get(&branch.nodes[place]).map_or(&[][..], Vec::as_slice);
                if let Some(children) = branch.score(plan, place, edges, &mut logs) {
                    open.extend(lead.worth_following(plan, children));
                }
            }
        }
        tokens += open.iter().map(|branch| branch.path.len() - branch.scored).sum::<usize>();
    }
    lead.settle(&mut logs);
    Ok(Scored { logs, tokens })
}

/// Reports whether all answers below a node have the same verdict.
fn is_one_verdict(plan: &DecodePlan, node: NodeId) -> bool {
    let alike = |one: usize, other: usize| plan.answers[one].verdict == plan.answers[other].verdict;
    plan.tree.are_alike(node, &alike)
}

/// Asks for the probabilities at a node, and at those that the server comes to behind it.
fn follow(
    server: &dyn Exact,
    plan: &DecodePlan,
    prompt: &Ids,
    mut node: NodeId,
    depth: Depth,
    known: &mut HashMap<NodeId, Vec<f64>>,
) -> Result<(), RemoteError> {
    let wanted = edge_tokens(plan, node);
    if wanted.len() > server.most_wanted() {
        let part = |part: &[Token]| Ok(server.walk(prompt, &[part.to_vec()])?.swap_remove(0).logs);
        let logs = wanted.chunks(server.most_wanted()).map(part).collect::<Result<Vec<_>, RemoteError>>()?.concat();
        checked(&logs, &wanted)?;
        known.insert(node, edges(plan, node, &wanted, &logs));
        return Ok(());
    }
    let levels = levels(plan, node, depth, server.most_wanted());
    for (place, wanted) in server.walk(prompt, &levels)?.into_iter().zip(&levels) {
        known.insert(node, edges(plan, node, wanted, &place.logs));
        let step = place.token.map(Step::Token);
        match plan.tree.edges(node).iter().find(|edge| Some(edge.step) == step).map(|edge| edge.to) {
            Some(Target::Node(next)) => node = next,
            _ => break,
        }
    }
    Ok(())
}

/// Returns the tokens of the edges at a node and at each depth below it, as long as they are at most `most` together.
fn levels(plan: &DecodePlan, node: NodeId, depth: Depth, most: usize) -> Vec<Vec<Token>> {
    let mut levels = vec![edge_tokens(plan, node)];
    let mut nodes = vec![node];
    loop {
        let below = nodes.iter().flat_map(|node| plan.tree.edges(*node)).filter_map(|edge| match edge.to {
            Target::Node(next) if depth == Depth::Answers || !is_one_verdict(plan, next) => Some(next),
            _ => None,
        });
        nodes = below.collect();
        levels.push(together(&nodes.iter().map(|node| edge_tokens(plan, *node)).collect::<Vec<_>>()));
        if nodes.is_empty() || together(&levels).len() > most {
            levels.pop();
            return levels;
        }
    }
}

/// Returns the logarithm of the probability of each edge of a node, from those of the wanted tokens.
fn edges(plan: &DecodePlan, node: NodeId, wanted: &[Token], logs: &[f64]) -> Vec<f64> {
    let log = |token: Token| {
        let place = wanted.iter().position(|wanted| *wanted == token);
        place.and_then(|place| logs.get(place)).map_or(f64::NEG_INFINITY, |log| log.min(0.0))
    };
    edge_logs(plan, node, log)
}

/// Returns the tokens before a place of a branch.
fn path_to(plan: &DecodePlan, branch: &Branch, place: usize) -> Vec<Token> {
    // The trunk's first place is the root, before any token. A branch's first place is behind its first open token.
    if branch.path.is_empty() {
        return plan.trunk[..place].to_vec();
    }
    [plan.trunk.as_slice(), &branch.path[..branch.scored + 1 + place]].concat()
}
