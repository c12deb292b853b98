//! What a session fixes for all of its items: the headers that we write, the answers, and how they are decided.
//!
//! The one idea: everything that is known before a content comes is tokenized and laid out once. Sequences and logits are
//! not known here.

use std::ops::Range;
use std::sync::Arc;

use super::sample::Sampling;
use crate::harmony::{Control, Segment};
use crate::policy::{Answer, Form};
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::{AnswerTree, NodeId, Rule, Step, Target};

/// What all items of a session have in common.
#[derive(Debug)]
pub struct Script {
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) form: Form,
    /// Whether a rationale is sampled behind the answer.
    pub(super) rationale: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) tree: AnswerTree,
    /// What opens `analysis`, right behind `<|start|>assistant`. Empty where the model writes freely.
    pub(super) analysis: Vec<Token>,
    /// What opens `final`: from within `analysis`, or right behind `<|start|>assistant`.
    pub(super) opener: Vec<Token>,
    /// What opens `final` right behind `<|start|>assistant`, where an answer comes before the reasoning.
    pub(super) direct: Vec<Token>,
    /// The answers' common beginning, behind the opener, and the nodes that it passes, the root first.
    pub(super) trunk: Vec<Token>,
    pub(super) trunk_nodes: Vec<NodeId>,
    /// What ends a body, by itself or as an early end of the turn. Nothing, where bodies are as long as their budget.
    pub(super) stops: Vec<Token>,
    /// What the model may write beside words where it writes its headers itself.
    pub(super) controls: Vec<Token>,
    pub(super) mode: Mode,
    pub(super) rule: Rule,
    pub(super) sampling: Sampling,
}

/// How the model's turn is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Straight to the answer.
    Answer,
    /// Reasoning of at most so many tokens, then the answer.
    Reason {
        /// The budget, in tokens.
        budget: usize,
    },
    /// Straight to the answer, and where the probability of that lies in the band, reasoning and another answer.
    Cascade {
        /// The budget of the reasoning, in tokens.
        budget: usize,
        /// The band.
        band: Band,
    },
    /// The model writes all of it, headers included, at most so many tokens.
    Free {
        /// The budget, in tokens.
        budget: usize,
    },
}

/// Probabilities that are too close to call without reasoning, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Band {
    /// The least of them, 0 to 1.
    pub low: f64,
    /// The largest of them, 0 to 1.
    pub high: f64,
}

/// The longest rationale, in tokens: two or three sentences.
pub(super) const RATIONALE_BUDGET: usize = 96;

impl Script {
    /// Prepares what a session's items share.
    #[must_use]
    pub fn new(
        tokenizer: Arc<Tokenizer>,
        form: Form,
        answers: Vec<Answer>,
        mode: Mode,
        rule: Rule,
        sampling: Sampling,
    ) -> Self {
        use Control::{Channel, End, Message, Start};
        let text = |text: &str| Segment::Text(text.to_owned());
        let header = |channel| [Segment::Control(Channel), text(channel), Segment::Control(Message)];
        let (analysis, opener) = match mode {
            Mode::Free { .. } => (Vec::new(), Vec::new()),
            Mode::Answer => (Vec::new(), header("final").to_vec()),
            Mode::Reason { .. } | Mode::Cascade { .. } => {
                let turn = [Segment::Control(End), Segment::Control(Start), text("assistant")];
                (header("analysis").to_vec(), [turn.as_slice(), &header("final")].concat())
            }
        };
        let tree = AnswerTree::new(&tokenizer, form, &answers);
        let (trunk, below) = forced(&tree, AnswerTree::ROOT);
        Self {
            analysis: tokenizer.encode_segments(&analysis),
            opener: tokenizer.encode_segments(&opener),
            direct: tokenizer.encode_segments(&header("final")),
            trunk,
            trunk_nodes: [vec![AnswerTree::ROOT], below].concat(),
            stops: [Control::End, Control::Return, Control::Call, Control::EndOfText]
                .map(|control| tokenizer.control(control))
                .to_vec(),
            controls: Control::ALL.map(|control| tokenizer.control(control)).to_vec(),
            tokenizer,
            form,
            rationale: form == Form::Rationale,
            answers,
            tree,
            mode,
            rule,
            sampling,
        }
    }

    /// The same, but nothing is written behind the answer.
    #[must_use]
    pub(super) fn without_rationale(self) -> Self {
        Self { rationale: false, ..self }
    }

    /// Work that is counted in tokens, for measuring: so many are sampled, whatever they are, then so many appended, and
    /// nothing is asked.
    #[must_use]
    pub fn counted(tokenizer: Arc<Tokenizer>, sampled: usize, appended: &[Token]) -> Self {
        let mode = match (sampled, appended) {
            (0, _) => Mode::Answer,
            (_, []) => Mode::Free { budget: sampled },
            _ => Mode::Reason { budget: sampled },
        };
        let script = Self::new(tokenizer, Form::Label, Vec::new(), mode, Rule::default(), Sampling::default());
        Self { analysis: Vec::new(), opener: appended.to_vec(), stops: Vec::new(), ..script }
    }

    /// The cells that an item of so many suffix tokens can come to fill beyond its prefix, when it may fork `forks`
    /// times.
    #[must_use]
    pub fn cells(&self, suffix: usize, forks: usize) -> usize {
        let answers = self.tree.depth() + self.opener.len();
        let scoring = self.tree.leaves().min(forks) * self.tree.depth();
        let behind = if self.rationale { scoring.max(self.tree.depth() + RATIONALE_BUDGET) } else { scoring };
        // A budget may be any number that a user wrote.
        suffix.saturating_add(match self.mode {
            Mode::Answer => answers + behind,
            // A cascade's first answer takes less, and has gone when the second comes.
            Mode::Reason { budget } | Mode::Cascade { budget, .. } => {
                budget.saturating_add(self.analysis.len() + answers + behind)
            }
            Mode::Free { budget } => budget,
        })
    }

    /// The sequences that an item holds for good: its own, and of a cascade the fork of its first answer.
    pub(super) fn sequences(&self) -> usize {
        if matches!(self.mode, Mode::Cascade { .. }) { 2 } else { 1 }
    }

    /// What a body is made of.
    pub(super) fn ordinary(&self) -> Range<u32> {
        self.tokenizer.ordinary()
    }
}

/// The tokens and nodes that follow a node without a choice, as far as they go.
pub(super) fn forced(tree: &AnswerTree, mut node: NodeId) -> (Vec<Token>, Vec<NodeId>) {
    let (mut tokens, mut nodes) = (Vec::new(), Vec::new());
    while let [edge] = tree.edges(node)
        && let (Step::Token(token), Target::Node(next)) = (edge.step, edge.to)
    {
        tokens.push(token);
        nodes.push(next);
        node = next;
    }
    (tokens, nodes)
}
