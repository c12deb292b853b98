//! The model's own tokenizer: text to ids and back, exactly as gpt-oss was trained.
//!
//! The one idea: ordinary text is looked up in an index that contains ordinary tokens only. Only a [`Segment::Control`]
//! can name a control token, even if a text spells one. llama.cpp's own tokenizer promises neither this nor the exact
//! pattern.
//!
//! The room does no I/O; the caller reads the [`Vocabulary`]. It supports byte-level BPE over the o200k pattern, with
//! the whole vocabulary or its first ranks, and control tokens at any ids behind them.

mod byte_pairs;
mod load;
mod pattern;
mod token;
mod token_index;
mod vocabulary;

use std::borrow::Cow;
use std::ops::Range;

pub use load::TokenizerError;
pub use token::Token;
pub use vocabulary::{Strings, Vocabulary};

use crate::harmony::{Control, Segment};
use pattern::Pieces;
use token_index::TokenIndex;

/// Converts text to tokens and back. Cheap to share, expensive to make: see [`Tokenizer::new`].
pub struct Tokenizer {
    /// Ordinary tokens; their ids are their ranks.
    index: TokenIndex,
    /// The names of all other tokens, from the first id behind the ordinary tokens.
    names: Vec<Box<str>>,
    /// The tokens of the controls, by `Control as usize`.
    controls: [Token; Control::ALL.len()],
}

impl Tokenizer {
    /// Makes a tokenizer of a vocabulary, after checking it. Takes tens of milliseconds for the whole of o200k.
    ///
    /// # Errors
    ///
    /// The vocabulary is not that of a gpt-oss model: see [`TokenizerError`].
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, TokenizerError> {
        let load::Checked { index, names, controls } = load::check(vocabulary)?;
        Ok(Self { index, names, controls })
    }

    /// Returns the tokens of ordinary text. They never include a control token, even if the text spells one.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<Token> {
        let mut out = Vec::with_capacity(text.len() / 4 + 1);
        self.encode_into(text, &mut out);
        out
    }

    /// Appends the tokens of ordinary text, as [`Self::encode`] returns them.
    pub fn encode_into(&self, text: &str, out: &mut Vec<Token>) {
        for piece in Pieces::new(text) {
            // The reference tokenizer takes a piece that is a token without merging.
            match self.index.get(piece) {
                Some(id) => out.push(Token(id)),
                None => byte_pairs::merge(&self.index, piece, out),
            }
        }
    }

    /// Returns the tokens of a prompt. Neighboring texts are one text, and each control is its token.
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

    /// Returns the token of a control.
    #[must_use]
    pub fn control(&self, control: Control) -> Token {
        self.controls[control as usize]
    }

    /// Returns the name of a token that is not ordinary: `<|start|>`. `None` for an ordinary or unknown token.
    #[must_use]
    pub fn control_name(&self, token: Token) -> Option<&str> {
        let index = token.0.checked_sub(self.index.len())?;
        self.names.get(index as usize).map(AsRef::as_ref)
    }

    /// Returns the bytes of an ordinary token, or the name of another token. Empty for an id beyond the vocabulary.
    ///
    /// The bytes of one token need not be valid UTF-8: a character may span tokens.
    #[must_use]
    pub fn bytes(&self, token: Token) -> &[u8] {
        match self.control_name(token) {
            Some(name) => name.as_bytes(),
            None => self.index.bytes(token.0),
        }
    }

    /// Returns the [bytes](Self::bytes) of all these tokens.
    #[must_use]
    pub fn decode(&self, tokens: &[Token]) -> Vec<u8> {
        tokens.iter().flat_map(|token| self.bytes(*token)).copied().collect()
    }

    /// Returns the ids of the ordinary tokens: from 0, without gaps.
    #[must_use]
    pub fn ordinary(&self) -> Range<u32> {
        0..self.index.len()
    }

    /// Returns the size of the whole vocabulary, control tokens included.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a vocabulary without tokens is refused")]
    pub fn len(&self) -> usize {
        self.index.len() as usize + self.names.len()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tokenizer")
            .field("ordinary", &self.index.len())
            .field("others", &self.names.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
