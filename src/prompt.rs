//! The prompt: policy and effort make its prefix, content makes its suffix.
//!
//! The one idea is the place of the cut. The prefix ends right after a control token and depends on nothing that belongs
//! to an item. So tokens(prefix) ++ tokens(suffix) are the tokens of the whole, and the engine decodes the prefix once.
//! The templates contain the wording, and [`crate::tokenizer`] makes the tokens.

mod template;

pub use template::{TemplateError, Templates};

use crate::harmony::Segment;
use crate::policy::{Body, Effort, Policy};
use crate::tokenizer::{Token, Tokenizer};

/// A prompt for one policy and effort, with a place for content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    prefix: Vec<Segment>,
    /// Text of the template before the content, in one message with it. Mostly empty.
    lead: String,
    /// Text of the template after the content, in one message with it.
    follow: String,
    tail: Vec<Segment>,
}

impl Prompt {
    /// Renders the prompt.
    ///
    /// `date` is printed unchanged, if the template has a place for it. With a date, each day has another prefix, which
    /// must be decoded again.
    ///
    /// # Errors
    ///
    /// A template fails, or does not print the policy or the content.
    pub fn new(
        templates: &Templates,
        policy: &Policy,
        effort: Effort,
        date: Option<&str>,
    ) -> Result<Self, TemplateError> {
        let text = policy_text(templates, policy)?;
        let rendered = templates.harmony(&text, named_effort(policy, effort).as_str(), date)?;
        let (mut prefix, mut tail) = (rendered.before, rendered.after);
        // Text beside the content may share a token with it, so it belongs to the suffix.
        let lead = match prefix.last() {
            Some(Segment::Text(_)) => text_of(prefix.pop()),
            _ => String::new(),
        };
        let follow = match tail.first() {
            Some(Segment::Text(_)) => text_of(Some(tail.remove(0))),
            _ => String::new(),
        };
        Ok(Self { prefix, lead, follow, tail })
    }

    /// Returns the prefix, which all items of this policy and effort share.
    #[must_use]
    pub fn prefix(&self) -> &[Segment] {
        &self.prefix
    }

    /// Returns the suffix of one item, up to the beginning of the model's turn.
    #[must_use]
    pub fn suffix(&self, content: &str) -> Vec<Segment> {
        let text = format!("{}{content}{}", self.lead, self.follow);
        let mut suffix = Vec::with_capacity(1 + self.tail.len());
        if !text.is_empty() {
            suffix.push(Segment::Text(text));
        }
        suffix.extend_from_slice(&self.tail);
        suffix
    }

    /// Returns the whole prompt around one content.
    #[must_use]
    pub fn segments(&self, content: &str) -> Vec<Segment> {
        [self.prefix.clone(), self.suffix(content)].concat()
    }

    /// Returns the tokens of the prefix.
    #[must_use]
    pub fn prefix_tokens(&self, tokenizer: &Tokenizer) -> Vec<Token> {
        tokenizer.encode_segments(&self.prefix)
    }

    /// Returns the tokens of one item's suffix.
    #[must_use]
    pub fn suffix_tokens(&self, tokenizer: &Tokenizer, content: &str) -> Vec<Token> {
        tokenizer.encode_segments(&self.suffix(content))
    }
}

/// Returns the effort that the prompt names. Without reasoning it names the effort to which the same sequence may be
/// escalated.
#[must_use]
pub fn named_effort(policy: &Policy, effort: Effort) -> Effort {
    match (effort, policy.effort) {
        (Effort::None, Effort::None) => Effort::Low,
        (Effort::None, escalation) => escalation,
        (effort, _) => effort,
    }
}

/// Returns the text of a policy that the model reads: a plain text word for word, else the policy template's output.
///
/// # Errors
///
/// The template fails.
pub fn policy_text(templates: &Templates, policy: &Policy) -> Result<String, TemplateError> {
    match (&policy.body, policy.context()) {
        (Body::Verbatim(text), _) => Ok(text.clone()),
        (Body::Structured(_), context) => templates.policy(&context),
    }
}

fn text_of(segment: Option<Segment>) -> String {
    match segment {
        Some(Segment::Text(text)) => text,
        _ => String::new(),
    }
}
