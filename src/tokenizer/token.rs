//! The id of a token.

/// The id of a token in the model's vocabulary.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Token(pub u32);
