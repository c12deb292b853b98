//! Limits of a record.

/// Bytes of a record, at most: far more than any context holds.
pub const LARGEST: usize = 4 << 20;

/// Columns of a record, at most. Each costs about a hundred bytes of memory, even for a single comma.
pub const MOST_COLUMNS: usize = 1 << 16;
