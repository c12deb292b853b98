//! Harmony, the message format of gpt-oss: its control tokens, roles and channels.
//!
//! The one idea: a prompt is a list of [`Segment`]s. A control token is a value of its own, and text is only ever text.
//! Token ids differ between vocabularies and are not known here.

pub mod completion;

use std::fmt;

/// A control token, identified by its name. The vocabulary gives it an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Control {
    /// `<|start|>` opens a message; a role follows.
    Start,
    /// `<|end|>` closes a message.
    End,
    /// `<|message|>` separates a message's header from its body.
    Message,
    /// `<|channel|>` announces a channel in the header.
    Channel,
    /// `<|constrain|>` announces a content type in the header.
    Constrain,
    /// `<|return|>` is produced by the model when its turn is over.
    Return,
    /// `<|call|>` is produced by the model when it calls a tool.
    Call,
    /// `<|endoftext|>` pads.
    EndOfText,
}

impl Control {
    /// All control tokens of a gpt-oss vocabulary.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::End,
        Self::Message,
        Self::Channel,
        Self::Constrain,
        Self::Return,
        Self::Call,
        Self::EndOfText,
    ];

    /// Returns the name, as in a template and in the vocabulary: `<|start|>`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "<|start|>",
            Self::End => "<|end|>",
            Self::Message => "<|message|>",
            Self::Channel => "<|channel|>",
            Self::Constrain => "<|constrain|>",
            Self::Return => "<|return|>",
            Self::Call => "<|call|>",
            Self::EndOfText => "<|endoftext|>",
        }
    }

    /// Returns the control token with a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == name)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A stretch of harmony: one control token, or ordinary text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// One control token.
    Control(Control),
    /// Text, tokenized as text even if it spells a control token's name.
    Text(String),
}
