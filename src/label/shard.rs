//! One of several shares of a run, for as many machines.
//!
//! The record alone decides its share, so machines that read the same inputs need not talk to each other.

use std::fmt;
use std::str::FromStr;

use super::source::Placed;
use crate::digest::Hash;

/// Share `index` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// Reports whether a record is of this share. Its id decides, or without one its place among all inputs.
    #[must_use]
    pub fn has(&self, placed: &Placed) -> bool {
        let hash = match &placed.record.id {
            Some(id) => Hash::of(id.get().as_bytes()),
            None => Hash::of(&placed.number.to_le_bytes()),
        };
        hash.short() % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `3/8`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if index >= 1 && index <= of => Ok(Self { index, of }),
            _ => Err("not of the form 3/8: the share, from 1, and how many there are".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.index, self.of)
    }
}
