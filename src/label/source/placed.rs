//! A record, and its place among the inputs.

use std::sync::Arc;

use crate::label::records::Record;

/// A record, and its place among the inputs.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The input's name.
    pub input: Arc<str>,
    /// The number of the record among all inputs, from 1.
    pub number: u64,
    /// The number of the record in its input, from 1.
    pub row: u64,
    /// The record. Its `end` counts the bytes of all inputs as they are stored, packed or not.
    pub record: Record,
}
