//! Limits on headers: a hostile file may state any number, and costs no more memory than these allow.

/// Most bytes that the headers of a model take, all parts together, with [`ENTRY`] for each key, tensor and part.
/// A header with the whole vocabulary takes 13 MB. The values that are read from a header need as many bytes, and twice
/// as many for a moment.
pub(super) const LIMIT: u64 = 24 << 20;

/// Most bytes that an entry takes in memory, apart from its text.
pub(super) const ENTRY: u64 = 512;
