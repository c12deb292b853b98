//! Counts in bins: of probabilities, and of verdicts over the input or over time.

use std::collections::BTreeMap;

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
    pub const MOST: usize = 50;

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
        self.stretches[place][kind(verdict)] += 1;
    }
}

/// The number of records by verdict in spans of time of equal length. There are [`Timeline::MOST`] of them at most, so
/// spans become longer as further times occur.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// The place of the length in [`SPANS`].
    span: usize,
    /// The counts by the number of the span since 1970.
    spans: BTreeMap<i64, [u64; 4]>,
    /// Records with a moment.
    pub records: u64,
}

/// The lengths of spans, in seconds: from a minute to some centuries. Each is a multiple of the one before.
const SPANS: [i64; 16] = [
    60,
    300,
    900,
    3_600,
    10_800,
    43_200,
    DAY,
    7 * DAY,
    28 * DAY,
    84 * DAY,
    336 * DAY,
    1_680 * DAY,
    3_360 * DAY,
    16_800 * DAY,
    84_000 * DAY,
    840_000 * DAY,
];
const DAY: i64 = 86_400;

impl Times {
    /// Counts a record of a moment, in seconds since 1970.
    pub fn add(&mut self, moment: i64, verdict: RowVerdict) {
        self.records += 1;
        self.spans.entry(moment.div_euclid(self.length())).or_default()[kind(verdict)] += 1;
        while self.width() > Timeline::MOST as u64 && self.span + 1 < SPANS.len() {
            let factor = SPANS[self.span + 1] / SPANS[self.span];
            self.span += 1;
            for (number, counts) in std::mem::take(&mut self.spans) {
                let sum_of = self.spans.entry(number.div_euclid(factor)).or_default();
                *sum_of = sum(*sum_of, &counts);
            }
        }
    }

    /// Returns the number of spans from the first to the last.
    fn width(&self) -> u64 {
        match (self.spans.first_key_value(), self.spans.last_key_value()) {
            (Some((first, _)), Some((last, _))) => first.abs_diff(*last) + 1,
            _ => 0,
        }
    }

    /// Returns the seconds of a span.
    pub fn length(&self) -> i64 {
        SPANS[self.span]
    }

    /// Returns the begin of each span in seconds since 1970, and its counts. Empty spans between others are there, too.
    pub fn all(&self) -> Vec<(i64, [u64; 4])> {
        let (Some((first, _)), Some((last, _))) = (self.spans.first_key_value(), self.spans.last_key_value()) else {
            return Vec::new();
        };
        let counts = |number: i64| self.spans.get(&number).copied().unwrap_or_default();
        (*first..=*last).take(Timeline::MOST).map(|number| (number * self.length(), counts(number))).collect()
    }
}

/// Returns the place of a verdict in counts.
fn kind(verdict: RowVerdict) -> usize {
    match verdict {
        RowVerdict::Violation => 0,
        RowVerdict::Review => 1,
        RowVerdict::Safe => 2,
        RowVerdict::Undecided => 3,
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
    fn spans_of_time_become_longer_and_lose_no_record() {
        let mut times = Times::default();
        for day in [20_000, 20_003, 20_001, 20_003] {
            times.add(day * DAY + 7, RowVerdict::Violation);
        }
        assert_eq!((times.length(), times.all().len()), (10_800, 25));
        for day in 20_000..20_365 {
            times.add(day * DAY, RowVerdict::Safe);
        }
        assert_eq!(times.length(), 28 * DAY);
        let all = times.all();
        let total = |kind: usize| all.iter().map(|(_, counts)| counts[kind]).sum::<u64>();
        assert_eq!((total(0), total(2), times.records), (4, 365, 369));
        times.add(i64::from(i32::MIN) * 1_000, RowVerdict::Safe);
        assert!(times.all().len() <= Timeline::MOST);
        assert!(SPANS.windows(2).all(|pair| pair[1] % pair[0] == 0));
        assert!(Times::default().all().is_empty());
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
