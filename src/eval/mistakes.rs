//! Mistakes: the rows with a wrong answer, counted by kind and ordered by how far the answer is off.

use std::fmt;

use super::evaluated_row::EvaluatedRow;
use crate::policy::Verdict;

/// The kind of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// A violation that was not found.
    Missed,
    /// Another text that was called a violation.
    FalseAlarm,
    /// A verdict for review in place of another, or another in place of review.
    Review,
    /// No verdict.
    Undecided,
}

impl Mistake {
    /// Returns the kind of a row's mistake. `None` for a right answer.
    #[must_use]
    pub fn of(row: &EvaluatedRow) -> Option<Self> {
        match (row.expected.verdict, row.verdict) {
            (_, None) => Some(Self::Undecided),
            (expected, Some(verdict)) if expected == verdict => None,
            (Verdict::Violation, Some(_)) => Some(Self::Missed),
            (_, Some(Verdict::Violation)) => Some(Self::FalseAlarm),
            _ => Some(Self::Review),
        }
    }

    /// Returns the kind in words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::FalseAlarm => "false alarm",
            Self::Review => "review",
            Self::Undecided => "undecided",
        }
    }
}

/// The numbers of right answers and of each mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Right answers.
    pub right: u64,
    /// Violations that were not found.
    pub missed: u64,
    /// Other texts that were called violations.
    pub false_alarms: u64,
    /// Verdicts for review in place of another, or the reverse.
    pub review: u64,
    /// Rows without a verdict.
    pub undecided: u64,
}

impl Counts {
    /// Counts rows.
    #[must_use]
    pub fn of<'row>(rows: impl IntoIterator<Item = &'row EvaluatedRow>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            let count = match Mistake::of(row) {
                None => &mut counts.right,
                Some(Mistake::Missed) => &mut counts.missed,
                Some(Mistake::FalseAlarm) => &mut counts.false_alarms,
                Some(Mistake::Review) => &mut counts.review,
                Some(Mistake::Undecided) => &mut counts.undecided,
            };
            *count += 1;
        }
        counts
    }

    /// Returns the number of mistakes.
    #[must_use]
    pub fn mistakes(&self) -> u64 {
        self.missed + self.false_alarms + self.review + self.undecided
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { right, missed, false_alarms, review, undecided } = *self;
        let plural = if false_alarms == 1 { "" } else { "s" };
        write!(out, "{right} right, {missed} missed, {false_alarms} false alarm{plural}")?;
        if review > 0 {
            write!(out, ", {review} between review and another verdict")?;
        }
        if undecided > 0 {
            write!(out, ", {undecided} undecided")?;
        }
        Ok(())
    }
}

/// Returns the distance of a row's answer from the expected one: the probability of the wrong side, from 0 to 1.
fn distance(row: &EvaluatedRow) -> f64 {
    match row.probability {
        Some(probability) if row.expected.verdict == Verdict::Violation => 1.0 - probability,
        Some(probability) => probability,
        None => f64::from(u8::from(row.verdict.is_some())),
    }
}

/// Returns the rows with a wrong answer: the surest mistakes first, and rows without a verdict last.
#[must_use]
pub fn worst(rows: &[EvaluatedRow]) -> Vec<&EvaluatedRow> {
    let mut wrong: Vec<&EvaluatedRow> = rows.iter().filter(|row| row.is_wrong()).collect();
    wrong.sort_by(|one, other| {
        let rank = |row: &EvaluatedRow| row.verdict.is_none();
        rank(one).cmp(&rank(other)).then(distance(other).total_cmp(&distance(one))).then(one.number.cmp(&other.number))
    });
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted_by_kind_and_the_surest_come_first() {
        use Verdict::{Review, Safe, Violation};
        let row = EvaluatedRow::sample;
        let rows = [
            row(1, Violation, Some(Violation), Some(0.9)),
            row(2, Violation, Some(Safe), Some(0.4)),
            row(3, Safe, Some(Violation), Some(0.95)),
            row(4, Violation, None, None),
            row(5, Safe, Some(Review), Some(0.5)),
            row(6, Violation, Some(Safe), Some(0.01)),
        ];
        let counts = Counts::of(&rows);
        let expected = "1 right, 2 missed, 1 false alarm, 1 between review and another verdict, 1 undecided";
        assert_eq!((counts.to_string().as_str(), counts.mistakes()), (expected, 5));
        let order: Vec<u64> = worst(&rows).iter().map(|row| row.number).collect();
        assert_eq!(order, [6, 3, 2, 5, 4]);
        assert_eq!(Counts::of(&rows[..1]).to_string(), "1 right, 0 missed, 0 false alarms");
        assert_eq!(rows[0].place(), "row 2");
    }
}
