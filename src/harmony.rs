//! Harmony, the message format of gpt-oss: its control tokens, roles and channels.
//!
//! The one idea: a prompt is a list of [`Segment`]s, in which a control token is a value of its own and text is
//! only ever text. Nothing here knows token ids, which differ between vocabularies, nor where the words come from.

pub mod reply;

use std::fmt;

/// A control token, known by its name. Its id is the vocabulary's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Control {
    /// `<|start|>` opens a message; a role follows.
    Start,
    /// `<|end|>` closes a message.
    End,
    /// `<|message|>` parts a message's header from its body.
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
    /// All control tokens that a gpt-oss vocabulary must hold, each once.
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

    /// The name, as it stands in a template and in the vocabulary: `<|start|>`.
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

    /// The control token of that name.
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

/// A stretch of harmony: one control token, or ordinary text (whatever it looks like).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// One control token.
    Control(Control),
    /// Text, tokenized as text even where it spells a control token's name.
    Text(String),
}
