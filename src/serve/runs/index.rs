//! The index of a run's rows: for each record its place in the journal, its verdict and its probability, in 16 bytes.
//!
//! So a table of a million rows is filtered and sorted without reading them.

use std::path::Path;

use super::counts::Counts;
use crate::label::journal::{JournalError, Ordered};
use crate::label::row::{Row, RowVerdict, rows};

/// The index of a run's rows.
#[derive(Debug, Default)]
pub struct Index {
    /// By the number of the record, from 1.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// The place of the line. 0 for a record that is not done: the first line of a journal is no row.
    at: u64,
    /// The probability, or NaN.
    probability: f32,
    verdict: RowVerdict,
}

/// A choice of rows, and their order.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The verdict. `None` for all.
    pub verdict: Option<RowVerdict>,
    /// The lowest and the highest probability. Rows without one are chosen only by the whole range.
    pub range: [f32; 2],
    /// The highest probability first. Else the order of the file.
    pub by_probability: bool,
    /// The rows that are left out at the beginning, and the most after them.
    pub part: [usize; 2],
}

impl Index {
    /// Reads the rows of a journal. It is empty if there is no journal.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or is damaged.
    pub fn of(journal: &Path) -> Result<Self, JournalError> {
        let mut index = Self::default();
        if journal.exists() {
            let mut entries = Ordered::open(journal)?;
            while let Some((at, entry)) = entries.next_placed()? {
                index.put(entry.number, at, &rows(&entry.verdicts));
            }
        }
        Ok(index)
    }

    /// Notes the rows of a record. Returns the verdict that it had before.
    pub fn put(&mut self, number: u64, at: u64, rows: &[Row]) -> Option<RowVerdict> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        if self.places.len() <= place {
            let none = Place { at: 0, probability: f32::NAN, verdict: RowVerdict::Undecided };
            self.places.resize(place + 1, none);
        }
        #[allow(clippy::cast_possible_truncation, reason = "a row has all digits")]
        let probability = worst(rows).and_then(|row| row.probability).map_or(f32::NAN, |share| share as f32);
        let new = Place { at, probability, verdict: RowVerdict::of(rows) };
        let before = std::mem::replace(&mut self.places[place], new);
        (before.at != 0).then_some(before.verdict)
    }

    /// Returns the number of rows by verdict.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.places.iter().filter(|place| place.at != 0).for_each(|place| counts.add(place.verdict, None));
        counts
    }

    /// Returns the number of chosen rows, and the places of the wanted part.
    #[must_use]
    pub fn choose(&self, choice: &Choice) -> (usize, Vec<u64>) {
        let [min, max] = choice.range;
        let is_whole = min <= 0.0 && max >= 1.0;
        let is_chosen = |place: &&Place| {
            place.at != 0
                && choice.verdict.is_none_or(|verdict| place.verdict == verdict)
                && (is_whole || (min..=max).contains(&place.probability))
        };
        let chosen = self.places.iter().filter(is_chosen);
        let [offset, limit] = choice.part;
        if !choice.by_probability {
            let part = chosen.clone().skip(offset).take(limit).map(|place| place.at).collect();
            return (chosen.count(), part);
        }
        let mut sorted: Vec<&Place> = chosen.collect();
        // A row without a probability comes last. Equal ones keep the order of the file.
        let key = |place: &Place| if place.probability.is_nan() { -1.0 } else { place.probability };
        sorted.sort_by(|one, other| key(other).total_cmp(&key(one)));
        let part = sorted.iter().skip(offset).take(limit).map(|place| place.at).collect();
        (sorted.len(), part)
    }
}

/// Returns the row that decides on a record: the worst one, and of those the one with the highest probability.
#[must_use]
pub fn worst(rows: &[Row]) -> Option<&Row> {
    let key = |row: &&Row| (RowVerdict::of_row(row), row.probability.map_or(0.0, |share| -share));
    rows.iter().min_by(|one, other| {
        let (one, other) = (key(one), key(other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: &str, probability: Option<f64>) -> Row {
        let probability = probability.map_or_else(|| "null".to_owned(), |share| share.to_string());
        let status = if verdict == "null" { "error" } else { "ok" };
        let verdict = if verdict == "null" { "null".to_owned() } else { format!("\"{verdict}\"") };
        let json = format!(
            "{{\"status\":\"{status}\",\"verdict\":{verdict},\"probability\":{probability},\"policy\":{{\"id\":\"p\"}}}}"
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn rows_are_chosen_by_verdict_and_probability_in_both_orders() {
        let mut index = Index::default();
        for (number, at, verdict, share) in [
            (4, 40, "violation", Some(0.9)),
            (1, 10, "safe", Some(0.2)),
            (2, 20, "null", None),
            (6, 60, "violation", Some(0.7)),
            (2, 25, "null", None),
        ] {
            index.put(number, at, &[row(verdict, share)]);
        }
        let all = Choice { verdict: None, range: [0.0, 1.0], by_probability: false, part: [0, 10] };
        assert_eq!(index.choose(&all), (4, vec![10, 25, 40, 60]));
        assert_eq!(index.choose(&Choice { part: [1, 2], ..all }), (4, vec![25, 40]));
        assert_eq!(index.choose(&Choice { by_probability: true, ..all }), (4, vec![40, 60, 10, 25]));
        assert_eq!(index.choose(&Choice { verdict: Some(RowVerdict::Violation), ..all }), (2, vec![40, 60]));
        assert_eq!(index.choose(&Choice { range: [0.1, 0.8], ..all }), (2, vec![10, 60]));
        assert_eq!(index.choose(&Choice { part: [9, 9], ..all }), (4, vec![]));
        assert_eq!(index.counts(), Counts { done: 4, violation: 2, review: 0, safe: 1, undecided: 1 });
        assert_eq!(size_of::<Place>(), 16);
    }

    #[test]
    fn the_worst_row_of_a_record_decides() {
        let rows = [row("safe", Some(0.1)), row("violation", Some(0.6)), row("violation", Some(0.8))];
        assert_eq!(worst(&rows).unwrap().probability, Some(0.8));
        assert!(worst(&[]).is_none());
    }
}
