//! The tree of all complete answers, over tokens.
//!
//! The one idea: each answer is tokenized whole, up to its free text, because the last token of a fixed stretch depends
//! on the text after it (`":` before `null`, `":"` before a code). Answers that share a beginning share a path. A
//! label ends in a stop, so that no answer is the beginning of another. Probabilities are not known here.

use crate::policy::{Answer, Form};
use crate::tokenizer::{Token, Tokenizer};

/// All complete answers as paths from one root.
///
/// An answer with free text is a leaf as soon as no other answer shares its path. All answers end in the same tail,
/// `,"rationale":"`, which is not a choice. The tail is scored only up to its first token, which ends the text before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerTree {
    nodes: Vec<Vec<Edge>>,
    paths: Vec<Vec<Token>>,
}

/// A place in the tree: the tokens up to it are written, and the next token is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(usize);

/// An edge from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The next step.
    pub step: Step,
    /// The place after it.
    pub to: Target,
}

/// A step of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One token.
    Token(Token),
    /// The end of the message, by whichever token.
    Stop,
}

/// The end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Another node.
    Node(NodeId),
    /// A complete answer, by its index.
    Leaf(usize),
}

impl AnswerTree {
    /// The beginning of every answer.
    pub const ROOT: NodeId = NodeId(0);

    /// Builds the tree. `answers` must differ from one another, as those of [`crate::policy::Policy::answers`] do.
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
                    // The first token of the tail ends the text before it, so it is a step as well.
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

    /// Returns the edges from a node, at least one.
    #[must_use]
    pub fn edges(&self, node: NodeId) -> &[Edge] {
        &self.nodes[node.0]
    }

    /// Returns one of the answers below a node.
    #[must_use]
    pub fn leaf(&self, mut node: NodeId) -> Option<usize> {
        loop {
            match self.edges(node).first()?.to {
                Target::Leaf(leaf) => return Some(leaf),
                Target::Node(next) => node = next,
            }
        }
    }

    /// Reports whether all answers below a node are alike.
    #[must_use]
    pub fn are_alike(&self, node: NodeId, alike: &impl Fn(usize, usize) -> bool) -> bool {
        let first = self.leaf(node);
        self.edges(node).iter().all(|edge| match edge.to {
            Target::Leaf(leaf) => first.is_some_and(|first| alike(first, leaf)),
            Target::Node(next) => {
                self.leaf(next).zip(first).is_some_and(|(leaf, first)| alike(first, leaf))
                    && self.are_alike(next, alike)
            }
        })
    }

    /// Returns the tokens of one complete answer, without its stop.
    #[must_use]
    pub fn path(&self, leaf: usize) -> &[Token] {
        &self.paths[leaf]
    }

    /// Returns the number of answers.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.paths.len()
    }

    /// Returns the length of the longest answer, in tokens.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.paths.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Returns the number of bytes that all answers have in common at their end.
fn shared_tail(answers: &[Answer]) -> usize {
    let Some((first, others)) = answers.split_first() else { return 0 };
    let alike = |other: &Answer| {
        first.text.bytes().rev().zip(other.text.bytes().rev()).take_while(|(one, two)| one == two).count()
    };
    others.iter().map(alike).min().unwrap_or(0)
}
