//! From what a model file says to what the tokenizer needs; everything that must hold is checked here, once.
//!
//! The one idea: texts are compared in the alphabet of the file, so that 446,189 merges cost a walk and no look-up.

use super::table::{Table, TableError};
use super::{Token, Tokenizer, Vocabulary};
use crate::harmony::Control;
use crate::text::shown;

/// The most tokens that there may be; gpt-oss has 201,088.
const MOST: usize = 1 << 18;
/// The most of them that may be no ordinary ones; gpt-oss has 1,090.
const MOST_OTHERS: usize = 1 << 16;

/// Why a vocabulary was refused. Ids count from 0, and texts are cut where they are long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// Another algorithm.
    #[error("the tokenizer is of the kind `{0}`, not `gpt2`")]
    Model(String),
    /// Another pre-tokenizer.
    #[error("the pre-tokenizer is `{0}`, not `gpt-4o`, by which a gpt-oss model was trained")]
    Pre(String),
    /// Not one kind for each token.
    #[error("there are {tokens} tokens but {types} token types")]
    Types {
        /// How many tokens there are.
        tokens: usize,
        /// How many types there are.
        types: usize,
    },
    /// A token of a kind that a gpt-oss vocabulary does not have.
    #[error("token {id} is of type {kind}; only normal (1), control (3), user-defined (4) and unused (5) are known")]
    Kind {
        /// The token.
        id: u32,
        /// Its type.
        kind: i32,
    },
    /// Ordinary tokens must be the first ones, so that ids are ranks.
    #[error("token {0} is an ordinary token after a control token")]
    Order(u32),
    /// Not in GPT-2's alphabet of bytes.
    #[error("token {id}, `{text}`, does not stand for bytes")]
    Bytes {
        /// The token.
        id: u32,
        /// Its text.
        text: String,
    },
    /// Two tokens of the same text.
    #[error("token {id} is the same as token {first}")]
    Duplicate {
        /// The later token.
        id: u32,
        /// The earlier one.
        first: u32,
    },
    /// Text with this byte could not be written.
    #[error("no token stands for the single byte {0}")]
    MissingByte(u8),
    /// A merge that does not make a token, or a token before the one made by the merge before.
    #[error("merge {index}, `{merge}`, is not in the order of the tokens")]
    Merge {
        /// The merge's number.
        index: usize,
        /// The merge.
        merge: String,
    },
    /// A token that merging cannot reach: the list of merges is not this vocabulary's.
    #[error("no merge makes token {id}, `{text}`")]
    Unmerged {
        /// The token.
        id: u32,
        /// Its text.
        text: String,
    },
    /// A control token that harmony needs.
    #[error("the control token `{0}` is missing")]
    MissingControl(Control),
    /// A control token by whose name text cannot be told from markup.
    #[error("the name of control token {id}, `{name}`, does not start with `<|` or is not plain ASCII")]
    ControlName {
        /// The token.
        id: u32,
        /// Its text.
        name: String,
    },
    /// Many more tokens than gpt-oss has.
    #[error("there are {tokens} tokens, {others} of them not ordinary, which is more than a gpt-oss model has")]
    TooMany {
        /// How many tokens there are.
        tokens: usize,
        /// How many of them are not ordinary.
        others: usize,
    },
    /// More bytes than can be counted.
    #[error("the vocabulary is too large")]
    TooLarge,
}

// Token types, by GGUF's numbers.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

pub(super) fn load(vocabulary: &Vocabulary) -> Result<Tokenizer, TokenizerError> {
    if vocabulary.model != "gpt2" {
        return Err(TokenizerError::Model(shown(&vocabulary.model)));
    }
    if vocabulary.pre != "gpt-4o" {
        return Err(TokenizerError::Pre(shown(&vocabulary.pre)));
    }
    let ordinary = ordinary(vocabulary)?;
    let table = table(vocabulary, ordinary)?;
    merges(vocabulary, ordinary)?;
    let (names, controls) = controls(vocabulary, &table)?;
    Ok(Tokenizer { table, names, controls })
}

/// How many tokens are ordinary: the first ones.
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

fn table(vocabulary: &Vocabulary, ordinary: usize) -> Result<Table, TokenizerError> {
    let alphabet = alphabet();
    let tokens = || vocabulary.tokens.iter().take(ordinary);
    // No more than is needed: each char is a byte.
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
    Table::from_arena(bytes, starts, longest).map_err(|error| match error {
        TableError::Duplicate { id, first } => TokenizerError::Duplicate { id, first },
        TableError::MissingByte(byte) => TokenizerError::MissingByte(byte),
        TableError::TooLarge => TokenizerError::TooLarge,
    })
}

/// Each merge makes the token that the merge before made, or a later one; and no token is left out. So the order of
/// the merges is the order of the tokens, and merging by rank is merging by this list.
fn merges(vocabulary: &Vocabulary, ordinary: usize) -> Result<(), TokenizerError> {
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
                // Either this merge is misplaced or that token has none: name what is at hand.
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

fn controls(vocabulary: &Vocabulary, table: &Table) -> Result<Controls, TokenizerError> {
    let mut names = Vec::new();
    let mut ids = std::collections::HashMap::new();
    let kinds = vocabulary.tokens.iter().zip(&vocabulary.types);
    for (id, (name, &kind)) in (0..).zip(kinds).skip(table.len() as usize) {
        // An unused token only fills a gap: converters name it `[PAD200019]`. Printable ASCII stands for itself in the
        // alphabet, so that the name can be looked up among the ordinary tokens as it is.
        let told = kind == UNUSED || name.starts_with("<|");
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !(told && plain) {
            return Err(TokenizerError::ControlName { id, name: shown(name) });
        }
        if let Some(first) = ids.insert(name, Token(id)).map(|Token(first)| first).or(table.get(name.as_bytes())) {
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

/// The byte that each char of GPT-2's alphabet stands for: printable bytes stand for themselves, the others, in order,
/// for the chars from U+0100.
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
