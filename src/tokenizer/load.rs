//! The checks of a model file's vocabulary, before the tokenizer relies on it.
//!
//! The one idea: texts are compared in the alphabet of the file, so 446,189 merges cost one walk and no look-up.

use super::token::Token;
use super::token_index::{IndexError, TokenIndex};
use super::vocabulary::Vocabulary;
use crate::harmony::Control;
use crate::text::shown;

/// The most tokens of a vocabulary; gpt-oss has 201,088.
const MOST: usize = 1 << 18;
/// The most tokens that are not ordinary; gpt-oss has 1,090.
const MOST_OTHERS: usize = 1 << 16;

/// A vocabulary that is not that of a gpt-oss model. Ids count from 0, and long texts are cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The algorithm is another one.
    #[error("the tokenizer is of the kind `{0}`, not `gpt2`")]
    Model(String),
    /// The pre-tokenizer is another one.
    #[error("the pre-tokenizer is `{0}`, not `gpt-4o`, by which a gpt-oss model was trained")]
    Pre(String),
    /// The number of types differs from the number of tokens.
    #[error("there are {tokens} tokens but {types} token types")]
    Types {
        /// The number of tokens.
        tokens: usize,
        /// The number of types.
        types: usize,
    },
    /// A token has a type that gpt-oss vocabularies do not use.
    #[error("token {id} is of type {kind}; only normal (1), control (3), user-defined (4) and unused (5) are known")]
    Kind {
        /// The token.
        id: u32,
        /// Its type.
        kind: i32,
    },
    /// An ordinary token follows another token. Ordinary tokens must come first, so that ids are ranks.
    #[error("token {0} is an ordinary token after a control token")]
    Order(u32),
    /// A token's text is not in GPT-2's alphabet of bytes.
    #[error("token {id}, `{text}`, is not in the alphabet of bytes")]
    Bytes {
        /// The token.
        id: u32,
        /// Its text.
        text: String,
    },
    /// Two tokens have the same text.
    #[error("token {id} is the same as token {first}")]
    Duplicate {
        /// The later token.
        id: u32,
        /// The earlier token.
        first: u32,
    },
    /// No token is this single byte, so text with it could not be encoded.
    #[error("no token is the single byte {0}")]
    MissingByte(u8),
    /// A merge makes no token, or makes one before the token of the previous merge.
    #[error("merge {index}, `{merge}`, is not in the order of the tokens")]
    Merge {
        /// The merge's number, from 0.
        index: usize,
        /// The merge.
        merge: String,
    },
    /// Merging cannot reach a token: the list of merges belongs to another vocabulary.
    #[error("no merge makes token {id}, `{text}`")]
    Unmerged {
        /// The token.
        id: u32,
        /// Its text.
        text: String,
    },
    /// A control token of harmony is missing.
    #[error("the control token `{0}` is missing")]
    MissingControl(Control),
    /// The name of a control token looks like ordinary text.
    #[error("the name of control token {id}, `{name}`, does not start with `<|` or is not plain ASCII")]
    ControlName {
        /// The token.
        id: u32,
        /// Its text.
        name: String,
    },
    /// The vocabulary has many more tokens than gpt-oss.
    #[error("there are {tokens} tokens, {others} of them not ordinary, which is more than a gpt-oss model has")]
    TooMany {
        /// The number of tokens.
        tokens: usize,
        /// The number of tokens that are not ordinary.
        others: usize,
    },
    /// The vocabulary has more bytes than 32 bits can count.
    #[error("the vocabulary is too large")]
    TooLarge,
}

// Token types, by GGUF's numbers.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The parts of a tokenizer, from a checked vocabulary.
pub(super) struct Checked {
    pub index: TokenIndex,
    pub names: Vec<Box<str>>,
    pub controls: [Token; Control::ALL.len()],
}

/// Checks a vocabulary and builds the index over its ordinary tokens.
pub(super) fn check(vocabulary: &Vocabulary) -> Result<Checked, TokenizerError> {
    if vocabulary.model != "gpt2" {
        return Err(TokenizerError::Model(shown(&vocabulary.model)));
    }
    if vocabulary.pre != "gpt-4o" {
        return Err(TokenizerError::Pre(shown(&vocabulary.pre)));
    }
    let ordinary = ordinary(vocabulary)?;
    let index = index(vocabulary, ordinary)?;
    check_merges(vocabulary, ordinary)?;
    let (names, controls) = controls(vocabulary, &index)?;
    Ok(Checked { index, names, controls })
}

/// Returns the number of ordinary tokens, which are the first ones.
fn ordinary(vocabulary: &Vocabulary) -> Result<usize, TokenizerError> {
    let (tokens, types) = (vocabulary.tokens.len(), vocabulary.types.len());
    if tokens != types {
        return Err(TokenizerError::Types { tokens, types });
    }
    let ordinary = vocabulary.types.iter().take_while(|kind| **kind == NORMAL).count();
    let others = tokens - ordinary;
    if tokens > MOST || others > MOST_OTHERS {
        return Err(TokenizerError::TooMany { tokens, others });
    }
    for (id, &kind) in (0..).zip(&vocabulary.types).skip(ordinary) {
        match kind {
            CONTROL | USER_DEFINED | UNUSED => {}
            NORMAL => return Err(TokenizerError::Order(id)),
            _ => return Err(TokenizerError::Kind { id, kind }),
        }
    }
    Ok(ordinary)
}

/// Builds the index over the ordinary tokens.
fn index(vocabulary: &Vocabulary, ordinary: usize) -> Result<TokenIndex, TokenizerError> {
    let alphabet = alphabet();
    let tokens = || vocabulary.tokens.iter().take(ordinary);
    // The exact capacity: each char is one byte.
    let mut bytes = Vec::with_capacity(tokens().map(|text| text.chars().count()).sum());
    let mut starts = Vec::with_capacity(ordinary + 1);
    starts.push(0);
    let mut longest = 0;
    for (id, text) in (0..).zip(tokens()) {
        let start = bytes.len();
        for char in text.chars() {
            match alphabet.get(char as usize) {
                Some(Some(byte)) => bytes.push(*byte),
                _ => {
                    return Err(TokenizerError::Bytes { id, text: shown(text) });
                }
            }
        }
        if bytes.len() == start {
            return Err(TokenizerError::Bytes { id, text: shown(text) });
        }
        longest = longest.max(bytes.len() - start);
        starts.push(u32::try_from(bytes.len()).map_err(|_| TokenizerError::TooLarge)?);
    }
    TokenIndex::from_arena(bytes, starts, longest).map_err(|error| match error {
        IndexError::Duplicate { id, first } => TokenizerError::Duplicate { id, first },
        IndexError::MissingByte(byte) => TokenizerError::MissingByte(byte),
        IndexError::TooLarge => TokenizerError::TooLarge,
    })
}

/// Checks that the order of the merges is the order of the tokens, so that merging by rank equals merging by the list.
///
/// Each merge must make the token of the previous merge or a later one, and no token may be left out.
fn check_merges(vocabulary: &Vocabulary, ordinary: usize) -> Result<(), TokenizerError> {
    let mut tokens = (0..).zip(vocabulary.tokens.iter().take(ordinary));
    let mut current = "";
    let unmerged = |id: u32, text: &str| TokenizerError::Unmerged { id, text: shown(text) };
    let single = |text: &str| text.chars().nth(1).is_none();
    for (index, merge) in vocabulary.merges.iter().enumerate() {
        let out_of_order = || TokenizerError::Merge { index, merge: shown(merge) };
        let (left, right) = merge.split_once(' ').ok_or_else(out_of_order)?;
        let makes = |token: &str| token.strip_prefix(left) == Some(right);
        if left.is_empty() || right.is_empty() {
            return Err(out_of_order());
        }
        while !makes(current) {
            let (id, text) = tokens.next().ok_or_else(out_of_order)?;
            if !makes(text) && !single(text) {
                // Either this merge is misplaced or that token has no merge; the first merge shows nothing about an
                // order.
                return Err(if index == 0 { unmerged(id, text) } else { out_of_order() });
            }
            current = text;
        }
    }
    match tokens.find(|(_, text)| !single(text)) {
        Some((id, text)) => Err(unmerged(id, text)),
        None => Ok(()),
    }
}

/// The names of the tokens that are not ordinary, and the ids of those that harmony needs, in the order of
/// [`Control::ALL`].
type Controls = (Vec<Box<str>>, [Token; Control::ALL.len()]);

fn controls(vocabulary: &Vocabulary, index: &TokenIndex) -> Result<Controls, TokenizerError> {
    let mut names = Vec::new();
    let mut ids = std::collections::HashMap::new();
    let kinds = vocabulary.tokens.iter().zip(&vocabulary.types);
    for (id, (name, &kind)) in (0..).zip(kinds).skip(index.len() as usize) {
        // An unused token only fills a gap: converters name it `[PAD200019]`. Printable ASCII is the same in the
        // alphabet, so the name can be looked up among the ordinary tokens directly.
        let recognizable = kind == UNUSED || name.starts_with("<|");
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !(recognizable && plain) {
            return Err(TokenizerError::ControlName { id, name: shown(name) });
        }
        if let Some(first) = ids.insert(name, Token(id)).map(|Token(first)| first).or(index.get(name.as_bytes())) {
            return Err(TokenizerError::Duplicate { id, first });
        }
        names.push(name.into());
    }
    let mut controls = [Token(0); Control::ALL.len()];
    for control in Control::ALL {
        let id = ids.get(control.name()).ok_or(TokenizerError::MissingControl(control))?;
        controls[control as usize] = *id;
    }
    Ok((names, controls))
}

/// Returns the byte of each char of GPT-2's alphabet. Printable bytes are their own chars; the others, in order, are
/// the chars from U+0100.
fn alphabet() -> [Option<u8>; 0x144] {
    let mut alphabet = [None; 0x144];
    let mut next = 0x100;
    for byte in 0..=255u8 {
        let place = if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
            usize::from(byte)
        } else {
            next += 1;
            next - 1
        };
        alphabet[place] = Some(byte);
    }
    alphabet
}
