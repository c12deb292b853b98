//! The distinct texts of a golden set, with their answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::digest::Hash;
use crate::eval::expected::Expected;
use crate::label::source::Placed;

/// A text and its expected answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The record's number among all inputs, from 1.
    pub number: u64,
    /// The record's row in a spreadsheet of its input, or its line.
    pub line: u64,
    /// The input's name, if there are several.
    pub input: Option<String>,
    /// The record's id, if it has one.
    pub id: Option<String>,
    pub text: String,
    pub hash: Hash,
    pub slice: Option<String>,
    /// One answer for each policy, `None` where it is not known.
    pub expected: Vec<Option<Expected>>,
}

/// The distinct texts of a set, in the order of their first records.
#[derive(Debug, Default)]
pub(super) struct Texts {
    positions: HashMap<Hash, usize>,
    pub texts: Vec<DistinctText>,
}

/// A text, with the first record that has it.
#[derive(Debug)]
pub(super) struct DistinctText {
    /// The names of the input and of the record, for messages.
    place: String,
    pub record: Placed,
    pub answer: Answer,
    /// True if a later record contradicts the answer.
    pub contradicted: bool,
}

/// The relation of a record to the earlier ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Its text is new.
    New,
    /// An earlier record has the same text, and no other answer.
    Repeated,
    /// An earlier record has the same text and another answer. The first contradiction of a text has a message.
    Contradiction(Option<String>),
}

impl Texts {
    /// Adds a record.
    pub(super) fn add(&mut self, place: String, record: Placed, answer: Answer) -> Relation {
        match self.positions.entry(answer.hash) {
            Entry::Vacant(entry) => {
                entry.insert(self.texts.len());
                self.texts.push(DistinctText { place, record, answer, contradicted: false });
                Relation::New
            }
            Entry::Occupied(entry) => {
                let first = &mut self.texts[*entry.get()];
                if first.answer.merge(answer) {
                    return Relation::Repeated;
                }
                let is_first = !std::mem::replace(&mut first.contradicted, true);
                let message = || format!("{} and {place} have the same text and different answers", first.place);
                Relation::Contradiction(is_first.then(message))
            }
        }
    }
}

impl Answer {
    /// Merges another record's answers to the same text. Returns false if two verdicts contradict each other.
    fn merge(&mut self, other: Self) -> bool {
        let mut pairs = self.expected.iter().zip(&other.expected);
        if pairs.any(|pair| matches!(pair, (Some(one), Some(other)) if one.verdict != other.verdict)) {
            return false;
        }
        for (ours, theirs) in self.expected.iter_mut().zip(other.expected) {
            match (ours.as_mut(), theirs) {
                // The verdict is certain, the category is not.
                (Some(one), Some(other)) if *one != other => (one.category, one.knows_category) = (None, false),
                (None, theirs) => *ours = theirs,
                _ => {}
            }
        }
        true
    }
}
