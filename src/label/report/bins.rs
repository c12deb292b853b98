//! Counts in bins: of probabilities, and of verdicts over the input.

use crate::label::row::RowVerdict;

/// The number of rows by probability, in bins of equal width.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    pub bins: [u64; Histogram::BINS],
}

impl Histogram {
    pub const BINS: usize = 20;

    pub fn add(&mut self, probability: f64) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a probability is from 0 to 1"
        )]
        let bin = (probability * Self::BINS as f64) as usize;
        self.bins[bin.min(Self::BINS - 1)] += 1;
    }
}

/// The number of records by verdict, in stretches of the input of equal length. There are [`Timeline::MOST`] of them at most,
/// so their length doubles as the input goes on.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// Records of a stretch.
    pub length: u64,
    /// The counts of each stretch: violation, review, safe, undecided.
    pub stretches: Vec<[u64; 4]>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { length: 1, stretches: Vec::new() }
    }
}

impl Timeline {
    pub const MOST: usize = 100;

    /// Counts the record of a number, from 1.
    pub fn add(&mut self, number: u64, verdict: RowVerdict) {
        let place = |length: u64| usize::try_from(number.saturating_sub(1) / length).unwrap_or(usize::MAX);
        while place(self.length) >= Self::MOST {
            let pairs = self.stretches.chunks(2);
            self.stretches = pairs.map(|pair| pair.iter().fold([0; 4], sum)).collect();
            self.length = self.length.saturating_mul(2);
        }
        let place = place(self.length);
        if self.stretches.len() <= place {
            self.stretches.resize(place + 1, [0; 4]);
        }
        let kind = match verdict {
            RowVerdict::Violation => 0,
            RowVerdict::Review => 1,
            RowVerdict::Safe => 2,
            RowVerdict::Undecided => 3,
        };
        self.stretches[place][kind] += 1;
    }
}

fn sum(mut one: [u64; 4], other: &[u64; 4]) -> [u64; 4] {
    one.iter_mut().zip(other).for_each(|(one, other)| *one += other);
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probability_has_a_bin() {
        let mut histogram = Histogram::default();
        for probability in [0.0, 0.049, 0.05, 0.999, 1.0] {
            histogram.add(probability);
        }
        assert_eq!((histogram.bins[0], histogram.bins[1], histogram.bins[19]), (2, 1, 2));
    }

    #[test]
    fn stretches_grow_with_the_input_and_lose_no_record() {
        for records in [1_u64, 99, 100, 101, 12_345] {
            let mut timeline = Timeline::default();
            for number in (1..=records).rev() {
                timeline.add(number, if number % 3 == 0 { RowVerdict::Violation } else { RowVerdict::Safe });
            }
            let total: u64 = timeline.stretches.iter().flatten().sum();
            let violations: u64 = timeline.stretches.iter().map(|counts| counts[0]).sum();
            assert_eq!((total, violations), (records, records / 3));
            assert!(timeline.stretches.len() <= Timeline::MOST);
            assert!(timeline.length * (Timeline::MOST as u64) < 2 * records + 200);
        }
    }
}
