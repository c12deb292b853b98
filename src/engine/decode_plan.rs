//! The decoding plan shared by all items of a session: fixed headers, allowed answers and the decision rule.
//!
//! Everything that is known before a content arrives is tokenized and laid out here, once. Sequences and logits are not
//! known here.

use std::ops::Range;
use std::sync::Arc;

use super::config::{Mode, Sampling, SessionOptions};
use crate::harmony::{Control, Segment};
use crate::policy::{Answer, Form, Policy};
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::ladder::Ladder;
use crate::verdict::{AnswerTree, DecisionRule, NodeId, Step, Target};

/// The decoding plan of a session.
#[derive(Clone, Debug)]
pub struct DecodePlan {
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) form: Form,
    /// True if a rationale is sampled behind the answer.
    pub(super) rationale: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) tree: AnswerTree,
    /// The header of `analysis`, directly behind `<|start|>assistant`. Empty where the model writes freely.
    pub(super) analysis: Vec<Token>,
    /// The header of `final`. It ends `analysis` first, or stands directly behind `<|start|>assistant`.
    pub(super) opener: Vec<Token>,
    /// The header of `final` directly behind `<|start|>assistant`, for an answer before the reasoning.
    pub(super) direct: Vec<Token>,
    /// The tokens that all answers begin with, behind the header.
    pub(super) trunk: Vec<Token>,
    /// The nodes that the trunk passes, the root first.
    pub(super) trunk_nodes: Vec<NodeId>,
    /// The tokens that end a body. Empty where a body is as long as its budget.
    pub(super) stops: Vec<Token>,
    /// The control tokens that the model may write where it writes its headers itself.
    pub(super) controls: Vec<Token>,
    pub(super) mode: Mode,
    /// The ladder, if answers are scored ahead.
    pub(super) ladder: Option<Ladder>,
    pub(super) rule: DecisionRule,
    pub(super) sampling: Sampling,
}

/// Most tokens of a rationale: two or three sentences.
pub const RATIONALE_BUDGET: usize = 96;

impl SessionOptions {
    /// Returns the decoding plan for a policy under these options.
    #[must_use]
    pub fn decode_plan(&self, tokenizer: &Arc<Tokenizer>, policy: &Policy) -> DecodePlan {
        let (form, mode) = (policy.contract.form, self.mode(policy.effort));
        let plan = DecodePlan::new(Arc::clone(tokenizer), form, policy.answers(), mode, self.rule, self.sampling);
        DecodePlan { rationale: plan.rationale && !self.no_rationale, ladder: self.ladder(mode), ..plan }
    }
}

impl DecodePlan {
    /// Returns the plan for these answers.
    #[must_use]
    pub fn new(
        tokenizer: Arc<Tokenizer>,
        form: Form,
        answers: Vec<Answer>,
        mode: Mode,
        rule: DecisionRule,
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
            ladder: None,
            rule,
            sampling,
        }
    }

    /// Returns a plan for measurements: each item samples exactly `sampled` tokens, then appends `appended`. No answers
    /// are scored.
    #[must_use]
    pub fn counted(tokenizer: Arc<Tokenizer>, sampled: usize, appended: &[Token]) -> Self {
        let mode = match (sampled, appended) {
            (0, _) => Mode::Answer,
            (_, []) => Mode::Free { budget: sampled },
            _ => Mode::Reason { budget: sampled },
        };
        let plan = Self::new(tokenizer, Form::Label, Vec::new(), mode, DecisionRule::default(), Sampling::default());
        // Without stops a random model cannot end a body early, so all items have the same number of tokens.
        Self { analysis: Vec::new(), opener: appended.to_vec(), stops: Vec::new(), ..plan }
    }

    /// Scores answers ahead on a ladder.
    #[must_use]
    pub fn with_ladder(self, ladder: Ladder) -> Self {
        Self { ladder: Some(ladder), ..self }
    }

    /// Returns the most cells that an item fills beyond its prefix, for a suffix of `suffix` tokens and at most `forks`
    /// forks at once.
    ///
    /// Admission relies on it: an item that filled more could overflow the KV cache.
    #[must_use]
    pub fn cells(&self, suffix: usize, forks: usize) -> usize {
        let answers = self.tree.depth() + self.opener.len();
        let scoring = self.tree.leaves().min(forks) * self.tree.depth();
        // The forks are cleared before the rationale begins.
        let behind = if self.rationale { scoring.max(self.tree.depth() + RATIONALE_BUDGET) } else { scoring };
        // The sums saturate, as a budget may be any number that a user wrote.
        suffix.saturating_add(match self.mode {
            Mode::Answer => answers + behind,
            // An answer before the last takes less, and is cleared before the next.
            Mode::Reason { budget } | Mode::Cascade { budget, .. } => {
                budget.saturating_add(self.analysis.len() + answers + behind)
            }
            Mode::Free { budget } => budget,
        })
    }

    /// Returns the number of sequences that an item reserves: its own, and the fork of an answer before the last one.
    pub(super) fn sequences(&self) -> usize {
        if matches!(self.mode, Mode::Cascade { .. }) || self.ladder.is_some() { 2 } else { 1 }
    }

    /// Returns the tokens that a body consists of.
    pub(super) fn ordinary(&self) -> Range<u32> {
        self.tokenizer.ordinary()
    }
}

/// Returns the tokens and nodes below a node up to the first choice.
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
