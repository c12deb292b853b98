//! The probability of every answer, asked from a server.
//!
//! It is the same walk down the tree of answers as on this machine. A request asks for all places that are open. If they
//! are few, it asks for those below them, too, which saves a request where a branch is followed.

use std::collections::HashMap;

use super::ids::Ids;
use super::{Exact, Query};
use crate::engine::branch::{Branch, Lead, edge_logs, edge_tokens};
use crate::engine::decode_plan::DecodePlan;
use crate::engine::remote::error::RemoteError;
use crate::tokenizer::Token;
use crate::verdict::NodeId;

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
        if depth == Depth::Verdicts && open.iter().all(|branch| is_one_verdict(plan, branch)) {
            for branch in &open {
                if let Some(leaf) = branch.nodes.first().and_then(|node| plan.tree.leaf(*node)) {
                    logs[leaf] = branch.log;
                }
            }
            lead.settle_ahead(&mut logs);
            return Ok(Scored { logs, tokens });
        }
        if open.iter().flat_map(|branch| &branch.nodes).any(|node| !known.contains_key(node)) {
            let places = places(plan, &open, depth, server.ahead())
                .into_iter()
                .filter(|(node, _)| !known.contains_key(node))
                .collect();
            ask(server, plan, prompt, places, &mut known)?;
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

/// Returns the places of branches, and those below them as long as they are at most `ahead` together.
fn places(plan: &DecodePlan, open: &[Branch], depth: Depth, ahead: usize) -> Vec<(NodeId, Vec<Token>)> {
    let all = |branches: &[Branch]| branches.iter().flat_map(|branch| places_of(plan, branch)).collect::<Vec<_>>();
    let is_followed = |branch: &Branch| depth == Depth::Answers || !is_one_verdict(plan, branch);
    let below = |branches: &[Branch]| -> Vec<Branch> {
        branches.iter().flat_map(|branch| branch.below(plan)).filter(is_followed).collect()
    };
    let mut places = all(open);
    let mut branches = below(open);
    loop {
        let more = all(&branches);
        if more.is_empty() || places.len() + more.len() > ahead {
            return places;
        }
        places.extend(more);
        branches = below(&branches);
    }
}

/// Reports whether all answers below a branch have the same verdict.
fn is_one_verdict(plan: &DecodePlan, branch: &Branch) -> bool {
    let alike = |one: usize, other: usize| plan.answers[one].verdict == plan.answers[other].verdict;
    branch.nodes.first().is_some_and(|node| plan.tree.are_alike(*node, &alike))
}

/// Asks for the probabilities at places of the tree.
fn ask(
    server: &dyn Exact,
    plan: &DecodePlan,
    prompt: &Ids,
    places: Vec<(NodeId, Vec<Token>)>,
    known: &mut HashMap<NodeId, Vec<f64>>,
) -> Result<(), RemoteError> {
    let query =
        |(node, path): &(NodeId, Vec<Token>)| Query { prompt: prompt.with(path), wanted: edge_tokens(plan, *node) };
    let queries: Vec<Query> = places.iter().map(query).collect();
    let answers = server.score(&queries)?;
    for (((node, _), query), logs) in places.into_iter().zip(&queries).zip(answers) {
        let log = |token: Token| {
            let place = query.wanted.iter().position(|wanted| *wanted == token);
            place.and_then(|place| logs.get(place)).map_or(f64::NEG_INFINITY, |log| log.min(0.0))
        };
        known.insert(node, edge_logs(plan, node, log));
    }
    Ok(())
}

/// Returns the places of a branch that are not scored, each with the tokens before it.
fn places_of(plan: &DecodePlan, branch: &Branch) -> Vec<(NodeId, Vec<Token>)> {
    let is_trunk = branch.path.is_empty();
    let whole = if is_trunk { plan.trunk.clone() } else { [plan.trunk.as_slice(), &branch.path].concat() };
    // The trunk's first place is the root, before any token. A branch's first place is behind its first open token.
    let first = if is_trunk { 0 } else { plan.trunk.len() + branch.scored + 1 };
    branch.nodes.iter().enumerate().map(|(place, node)| (*node, whole[..first + place].to_vec())).collect()
}
