//! The ladder of an evaluation: quality, flips and tokens by effort, by the sureness that ends the reasoning, and by rung.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::evaluated_row::EvaluatedRow;
use super::metrics::Confusion;
use crate::calibration::stop::{Degree, Traced, tested};
use crate::policy::{Effort, Verdict};

/// The accepted shares of changed verdicts for which a degree of sureness is looked for, and the accepted risk.
const ALPHAS: [f64; 3] = [0.01, 0.02, 0.05];
const DELTA: f64 = 0.1;

/// The degrees of sureness in tables and plots.
const SHOWN: [f64; 8] = [0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7];

/// The figures of a policy on a golden set, by the length of the reasoning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LadderFigures {
    /// The effort that the others are compared with.
    pub full: Effort,
    /// The figures of each effort.
    pub efforts: Vec<Rung>,
    /// The figures where a verdict this sure ends the reasoning of the full effort.
    pub sure: Vec<Rung>,
    /// The figures where the reasoning of the full effort ends after this number of tokens.
    pub tokens: Vec<Rung>,
    /// The loosest degree of sureness for each accepted share of changed verdicts. `None` if there are too few texts or too
    /// many changes.
    pub certified: Vec<(f64, Option<Degree>)>,
}

/// The figures of one length of the reasoning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// The effort, the degree of sureness or the number of tokens, in words.
    pub name: String,
    /// The number of texts.
    pub texts: u64,
    /// The share of right verdicts. A text without a verdict is wrong.
    pub accuracy: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// Texts whose verdict differs from that of the full effort.
    pub flips: u64,
    /// Tokens of reasoning for each text, on average, without the tokens of the rungs.
    pub reasoning: f64,
    /// The number of rungs for each text, on average.
    pub rungs: f64,
}

/// The verdict on a text, the tokens of its reasoning, and the rungs that were passed.
type End = (Option<Verdict>, usize, usize);

impl LadderFigures {
    /// Computes the figures of the rows of the same golden set at each effort. The rows at the effort `full` have the
    /// answers at the rungs.
    #[must_use]
    pub fn new(efforts: &[(Effort, &[EvaluatedRow])], full: Effort) -> Self {
        let rows = efforts.iter().find(|(effort, _)| *effort == full).map_or(&[][..], |(_, rows)| *rows);
        let by_number: HashMap<u64, &EvaluatedRow> = rows.iter().map(|row| (row.number, row)).collect();
        let traces: Vec<Traced> = rows.iter().map(trace).collect();
        let by_sureness = |sure: f64| {
            let ends = rows.iter().zip(&traces).map(|(row, traced)| {
                let (verdict, tokens) = traced.at(sure);
                (row, (verdict, tokens, row.rungs.iter().filter(|rung| rung.tokens <= tokens).count()))
            });
            Rung::of(sure.to_string(), ends)
        };
        let mut rungs: Vec<usize> = rows.iter().flat_map(|row| &row.rungs).map(|rung| rung.tokens).collect();
        rungs.sort_unstable();
        rungs.dedup();
        let at_rung = |tokens: usize| Rung::of(tokens.to_string(), rows.iter().map(|row| (row, cut(row, tokens))));
        let certified = |alpha: f64| {
            let tested = tested(&traces, alpha, DELTA);
            (alpha, tested.into_iter().rev().find(|degree| degree.bound <= alpha))
        };
        let of_effort = |(effort, judged): &(Effort, &[EvaluatedRow])| {
            let of = |row: &EvaluatedRow| (row.verdict, row.reasoning_tokens.unwrap_or(0), 0);
            let same = |row: &EvaluatedRow| by_number.get(&row.number).copied();
            Rung::of(effort.to_string(), judged.iter().filter_map(|row| Some((same(row)?, of(row)))))
        };
        Self {
            full,
            efforts: efforts.iter().map(of_effort).collect(),
            sure: SHOWN.into_iter().map(by_sureness).collect(),
            tokens: rungs.into_iter().map(at_rung).collect(),
            certified: ALPHAS.map(certified).to_vec(),
        }
    }
}

impl Rung {
    /// Computes the figures of texts, each with its row at the full effort and the end of its reasoning here.
    fn of<'rows>(name: String, ends: impl Iterator<Item = (&'rows EvaluatedRow, End)>) -> Self {
        let (mut texts, mut right, mut flips, mut reasoning, mut rungs) = (0, 0, 0, 0, 0);
        let mut confusion = Confusion::default();
        for (full, (verdict, tokens, passed)) in ends {
            texts += 1;
            right += u64::from(verdict == Some(full.expected.verdict));
            flips += u64::from(verdict != full.verdict);
            reasoning += tokens;
            rungs += passed;
            let expected = full.expected.verdict == Verdict::Violation;
            // A text without a verdict is called what it is not.
            let answer = verdict.map_or(!expected, |verdict| verdict == Verdict::Violation);
            confusion = confusion.with(expected, answer, 1.0);
        }
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation and their tokens")]
        let each = |count: usize| count as f64 / texts.max(1) as f64;
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let accuracy = right as f64 / texts.max(1) as f64;
        Self { name, texts, accuracy, f1: confusion.f1(), flips, reasoning: each(reasoning), rungs: each(rungs) }
    }
}

/// Returns the whole reasoning of a row, and the answers on the way.
fn trace(row: &EvaluatedRow) -> Traced {
    Traced { verdict: row.verdict, tokens: row.reasoning_tokens.unwrap_or(0), rungs: row.rungs.clone() }
}

/// Returns the end of a reasoning that is cut at a rung. A shorter one ends by itself.
fn cut(row: &EvaluatedRow, tokens: usize) -> End {
    let full = (row.verdict, row.reasoning_tokens.unwrap_or(0), 1);
    row.rungs.iter().find(|rung| rung.tokens == tokens).map_or(full, |rung| (rung.verdict, rung.tokens, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::ladder::Probe;

    fn row(number: u64, verdict: Verdict, tokens: usize, rungs: &[(usize, f64)]) -> EvaluatedRow {
        let expected = if number.is_multiple_of(2) { Verdict::Violation } else { Verdict::Safe };
        let probe = |&(tokens, probability): &(usize, f64)| {
            let verdict = Some(if probability >= 0.5 { Verdict::Violation } else { Verdict::Safe });
            Probe { tokens, verdict, probability, share: f64::max(probability, 1.0 - probability) }
        };
        EvaluatedRow {
            reasoning_tokens: Some(tokens),
            rungs: rungs.iter().map(probe).collect(),
            ..EvaluatedRow::sample(number, expected, Some(verdict), Some(0.5))
        }
    }

    #[test]
    fn flips_and_tokens_follow_from_the_rungs() {
        let full = vec![
            row(1, Verdict::Safe, 200, &[(0, 0.6), (32, 0.4), (64, 0.05), (96, 0.04), (128, 0.01), (192, 0.01)]),
            row(2, Verdict::Violation, 40, &[(0, 0.99), (32, 0.99)]),
            row(
                3,
                Verdict::Violation,
                300,
                &[(0, 0.3), (32, 0.3), (64, 0.3), (96, 0.3), (128, 0.02), (192, 0.6), (256, 0.9)],
            ),
        ];
        let unreasoned = |row: &EvaluatedRow| EvaluatedRow {
            reasoning_tokens: Some(0),
            verdict: Some(Verdict::Violation),
            ..row.clone()
        };
        let none: Vec<EvaluatedRow> = full.iter().map(unreasoned).collect();
        let figures = LadderFigures::new(&[(Effort::None, &none), (Effort::Medium, &full)], Effort::Medium);
        let of = |rung: &Rung| (rung.flips, rung.reasoning * 3.0);
        assert_eq!(figures.efforts.iter().map(of).collect::<Vec<_>>(), [(1, 0.0), (0, 540.0)]);
        let sure = |name: &str| figures.sure.iter().find(|rung| rung.name == name).unwrap();
        // The third text is sure of the wrong verdict at 128 tokens.
        assert_eq!(of(sure("0.98")), (1, 128.0 + 32.0 + 128.0));
        assert_eq!(of(sure("0.999")), (0, 540.0));
        assert!((sure("0.98").accuracy - 1.0).abs() < 1e-9, "and is right by it");
        assert_eq!(of(&figures.tokens[0]), (2, 0.0));
        assert_eq!(figures.tokens.last().map(|rung| rung.name.as_str()), Some("256"));
        assert!(figures.certified.iter().all(|(_, degree)| degree.is_none()), "three texts certify nothing");
    }
}
