//! The tree of all complete answers, over tokens.
//!
//! The one idea: each answer is tokenized whole, up to its free text, because the last token of a fixed stretch depends
//! on what follows it (`":` before `null`, `":"` before a code). Answers that share a beginning share a path. A
//! label ends in a stop, so that no answer is the beginning of another. What the model thinks of them is not known here.

use crate::policy::{Answer, Form};
use crate::tokenizer::{Token, Tokenizer};

/// All complete answers as paths from one root.
///
/// An answer that goes on in free text is a leaf as soon as nothing is left to tell it from the others: the tail that all
/// of them share, `,"rationale":"`, is neither a choice nor a sign of anything, and is scored no further than its
/// first token, which ends what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerTree {
    nodes: Vec<Vec<Edge>>,
    paths: Vec<Vec<Token>>,
}

/// A place in the tree: some tokens are written, the next one is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(usize);

/// One way on from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What is written next.
    pub step: Step,
    /// Where that leads.
    pub to: Target,
}

/// What can be written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One token.
    Token(Token),
    /// The end of the message, by whichever token.
    Stop,
}

/// Where an edge leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// On to another node.
    Node(NodeId),
    /// To a complete answer, by its index.
    Leaf(usize),
}

impl AnswerTree {
    /// Where every answer begins.
    pub const ROOT: NodeId = NodeId(0);

    /// Builds the tree. `answers` must differ from one another, as [`crate::policy::Policy::answers`] sees to.
    #[must_use]
    pub fn new(tokenizer: &Tokenizer, form: Form, answers: &[Answer]) -> Self {
        let paths: Vec<Vec<Token>> = answers.iter().map(|answer| tokenizer.encode(&answer.text)).collect();
        let mut tree = Self { nodes: vec![Vec::new()], paths: Vec::new() };
        let shared = match form {
            Form::Rationale => shared_tail(answers),
            Form::Label | Form::Category => 0,
        };
        for (leaf, (path, answer)) in paths.iter().zip(answers).enumerate() {
            let mut steps: Vec<Step> = path.iter().copied().map(Step::Token).collect();
            match form {
                Form::Label => steps.push(Step::Stop),
                Form::Category => {}
                Form::Rationale => {
                    let mut written = 0;
                    let before = path.iter().take_while(|&&token| {
                        written += tokenizer.bytes(token).len();
                        written <= answer.text.len() - shared
                    });
                    steps.truncate(before.count() + 1);
                }
            }
            tree.insert(&steps, leaf);
        }
        tree.paths = paths;
        tree
    }

    fn insert(&mut self, steps: &[Step], leaf: usize) {
        let mut node = Self::ROOT;
        for (index, &step) in steps.iter().enumerate() {
            if index + 1 == steps.len() {
                self.nodes[node.0].push(Edge { step, to: Target::Leaf(leaf) });
                return;
            }
            let known = self.edges(node).iter().find_map(|edge| match edge.to {
                Target::Node(next) if edge.step == step => Some(next),
                _ => None,
            });
            node = known.unwrap_or_else(|| {
                let next = NodeId(self.nodes.len());
                self.nodes.push(Vec::new());
                self.nodes[node.0].push(Edge { step, to: Target::Node(next) });
                next
            });
        }
    }

    /// The ways on from a node, at least one.
    #[must_use]
    pub fn edges(&self, node: NodeId) -> &[Edge] {
        &self.nodes[node.0]
    }

    /// One of the answers that a node leads to.
    #[must_use]
    pub fn leaf(&self, mut node: NodeId) -> Option<usize> {
        loop {
            match self.edges(node).first()?.to {
                Target::Leaf(leaf) => return Some(leaf),
                Target::Node(next) => node = next,
            }
        }
    }

    /// The tokens of one complete answer, without its stop.
    #[must_use]
    pub fn path(&self, leaf: usize) -> &[Token] {
        &self.paths[leaf]
    }

    /// How many answers there are.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.paths.len()
    }

    /// The length of the longest answer, in tokens.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.paths.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// How many bytes all answers end in alike.
fn shared_tail(answers: &[Answer]) -> usize {
    let Some((first, others)) = answers.split_first() else { return 0 };
    let alike = |other: &Answer| {
        first.text.bytes().rev().zip(other.text.bytes().rev()).take_while(|(one, two)| one == two).count()
    };
    others.iter().map(alike).min().unwrap_or(0)
}
