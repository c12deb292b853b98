//! The survey of a dry run: every record is counted, and an evenly spread sample is kept to be measured.

use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::io;

use serde::Serialize;

use super::shard::Shard;
use super::source::Placed;
use crate::digest::Hash;
use crate::tokenizer::Tokenizer;

/// The contents of inputs.
#[derive(Debug, Default, Serialize)]
pub struct Survey {
    /// Records of this share.
    pub rows: u64,
    /// Records without a text to judge, by reason.
    pub defects: BTreeMap<&'static str, u64>,
    /// Texts, equal ones counted once.
    pub texts: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Tokens of the longest.
    pub longest: u64,
    /// Some of the records.
    #[serde(skip)]
    pub sample: Vec<Placed>,
}

impl Survey {
    /// Reads all records of a share, and keeps a sample of this size.
    ///
    /// # Errors
    ///
    /// When the inputs cannot be read.
    pub fn of(
        source: impl Iterator<Item = io::Result<Placed>>,
        tokenizer: &Tokenizer,
        shard: Option<Shard>,
        sample: usize,
    ) -> io::Result<Self> {
        let mut survey = Self::default();
        // Half a digest of each: eight bytes a text.
        let mut seen = HashSet::new();
        let mut chosen = BinaryHeap::new();
        let mut kept = BTreeMap::new();
        for placed in source {
            let placed = placed?;
            if shard.is_some_and(|shard| !shard.has(&placed)) {
                continue;
            }
            survey.rows += 1;
            let text = match &placed.record.content {
                Ok(content) => content.text(),
                Err(defect) => {
                    *survey.defects.entry(defect.code).or_default() += 1;
                    continue;
                }
            };
            let hash = Hash::of(text.as_bytes());
            if !seen.insert(hash.short()) {
                continue;
            }
            let tokens = tokenizer.encode(text).len() as u64;
            survey.texts += 1;
            survey.tokens += tokens;
            survey.longest = survey.longest.max(tokens);
            // The lowest digests are an even sample, in whichever order the texts come.
            chosen.push((hash.short(), placed.number));
            kept.insert(placed.number, placed);
            if chosen.len() > sample
                && let Some((_, number)) = chosen.pop()
            {
                kept.remove(&number);
            }
        }
        survey.sample = kept.into_values().collect();
        Ok(survey)
    }
}
