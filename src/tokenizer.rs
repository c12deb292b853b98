//! The model's own tokenizer: text to ids and back, exactly as gpt-oss was trained.
//!
//! The one idea: ordinary text is looked up in a table that holds ordinary tokens only. A control token can be named by
//! a [`Segment::Control`] and by nothing else, whatever a text spells. llama.cpp's own tokenizer promises neither this
//! nor the exact pattern.
//!
//! It does no I/O and does not know where a [`Vocabulary`] comes from. Only byte-level BPE over the o200k pattern is
//! known, with the whole vocabulary or its first ranks, and control tokens at any ids behind them.

mod load;
mod merge;
mod pattern;
mod table;
mod vocabulary;

use std::borrow::Cow;
use std::ops::Range;

pub use load::TokenizerError;
pub use vocabulary::{Strings, Vocabulary};

use crate::harmony::{Control, Segment};
use pattern::Pieces;
use table::Table;

/// The id of a token in the model's vocabulary.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Token(pub u32);

/// Text to tokens and back. Cheap to share, expensive to make: see [`Tokenizer::new`].
pub struct Tokenizer {
    /// Ordinary tokens; their ids are their ranks.
    table: Table,
    /// The names of all other tokens, from the first id behind the ordinary ones.
    names: Vec<Box<str>>,
    /// By `Control as usize`.
    controls: [Token; Control::ALL.len()],
}

impl Tokenizer {
    /// A tokenizer over a vocabulary, checked. Takes tens of milliseconds for the whole of o200k.
    ///
    /// # Errors
    ///
    /// What is wrong with the vocabulary; see [`TokenizerError`].
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, TokenizerError> {
        load::load(vocabulary)
    }

    /// The tokens of ordinary text. None of them is a control token, whatever the text spells.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<Token> {
        let mut out = Vec::with_capacity(text.len() / 4 + 1);
        self.encode_into(text, &mut out);
        out
    }

    /// Appends what [`Self::encode`] returns.
    pub fn encode_into(&self, text: &str, out: &mut Vec<Token>) {
        for piece in Pieces::new(text) {
            // A whole piece that is a token is taken as it is, whether or not merging would lead there.
            match self.table.get(piece) {
                Some(id) => out.push(Token(id)),
                None => merge::merge(&self.table, piece, out),
            }
        }
    }

    /// The tokens of a prompt. Neighbouring texts are one text; each control is its token.
    #[must_use]
    pub fn encode_segments(&self, segments: &[Segment]) -> Vec<Token> {
        let mut out = Vec::new();
        let mut text = Cow::Borrowed("");
        for segment in segments {
            match segment {
                Segment::Text(more) if text.is_empty() => text = Cow::Borrowed(more),
                Segment::Text(more) => text.to_mut().push_str(more),
                Segment::Control(control) => {
                    self.encode_into(&text, &mut out);
                    text = Cow::Borrowed("");
                    out.push(self.control(*control));
                }
            }
        }
        self.encode_into(&text, &mut out);
        out
    }

    /// The token of a control.
    #[must_use]
    pub fn control(&self, control: Control) -> Token {
        self.controls[control as usize]
    }

    /// The name of a token that is not ordinary, `<|start|>`; none for an ordinary or unknown one.
    #[must_use]
    pub fn control_name(&self, token: Token) -> Option<&str> {
        let index = token.0.checked_sub(self.table.len())?;
        self.names.get(index as usize).map(AsRef::as_ref)
    }

    /// The bytes of an ordinary token, which need not be UTF-8 by themselves; the name of another; nothing for an id
    /// beyond the vocabulary.
    #[must_use]
    pub fn bytes(&self, token: Token) -> &[u8] {
        match self.control_name(token) {
            Some(name) => name.as_bytes(),
            None => self.table.bytes(token.0),
        }
    }

    /// The [bytes](Self::bytes) of all these tokens.
    #[must_use]
    pub fn decode(&self, tokens: &[Token]) -> Vec<u8> {
        tokens.iter().flat_map(|token| self.bytes(*token)).copied().collect()
    }

    /// The ids of the ordinary tokens: from 0, without gaps.
    #[must_use]
    pub fn ordinary(&self) -> Range<u32> {
        0..self.table.len()
    }

    /// The size of the whole vocabulary, control tokens included.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a vocabulary without tokens is refused")]
    pub fn len(&self) -> usize {
        self.table.len() as usize + self.names.len()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tokenizer")
            .field("ordinary", &self.table.len())
            .field("others", &self.names.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
