//! `POST /v1/figures`: the figures of `eval` for rows that the page has judged, and their comparison with earlier rows.

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::stored::blocking;
use super::{Route, handler};
use crate::eval::comparison::mcnemar;
use crate::eval::metrics::{Confusion, Figure, Metrics, Prediction};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};

/// Rows with their expected answers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The rows.
    rows: Vec<JudgedRow>,
}

/// A row. Each answer is `true` for a violation.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JudgedRow {
    /// The expected answer.
    expected: bool,
    /// The answer. `null` if the row is undecided.
    given: Option<bool>,
    /// P(violation), from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    probability: Option<f64>,
    /// The answer of an earlier version. `null` if it did not judge the row.
    before: Option<bool>,
}

/// The figures of rows.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Reply {
    /// The figures over the rows with an answer.
    figures: Figures,
    /// The numbers of right and wrong answers.
    counts: Counts,
    /// The comparison with an earlier version. `null` if no row has an earlier answer.
    comparison: Option<Comparison>,
}

/// Figures with their intervals. `null` for a figure that is not defined.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Figures {
    precision: Option<Interval>,
    recall: Option<Interval>,
    f1: Option<Interval>,
    accuracy: Option<Interval>,
}

/// A figure with its interval of 95 %.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Interval {
    value: f64,
    low: f64,
    high: f64,
}

/// The numbers of right answers and of each mistake.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct Counts {
    right: u64,
    missed: u64,
    false_alarms: u64,
    undecided: u64,
}

/// The comparison of two versions on the rows that both judged.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Comparison {
    /// Rows on which both are right.
    both: u64,
    /// Rows on which the earlier one alone is right.
    first: u64,
    /// Rows on which the later one alone is right.
    second: u64,
    /// Rows on which neither is right.
    neither: u64,
    /// The p-value of McNemar's exact test.
    p_value: f64,
}

pub(super) fn routes() -> Vec<Route> {
    let route = Route::new(
        Method::POST,
        "/v1/figures",
        "Computes precision, recall and F1 of judged rows, and compares two versions",
        handler!(figures),
    );
    vec![Route {
        request: Some(SchemaGenerator::subschema_for::<Request>),
        response: Some(SchemaGenerator::subschema_for::<Reply>),
        ..route
    }]
}

async fn figures(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let Request { rows } = call.json(body).await?;
    let is_share = |row: &JudgedRow| row.probability.is_none_or(|share| (0.0..=1.0).contains(&share));
    if !rows.iter().all(is_share) {
        return Err(ApiError::invalid("invalid_value", "a probability is from 0 to 1").of("probability"));
    }
    // Intervals take a thousand passes over the rows.
    Ok(json(&blocking(move || Ok(Reply::of(&rows))).await?))
}

impl Reply {
    fn of(rows: &[JudgedRow]) -> Self {
        let decided: Vec<Prediction> = rows
            .iter()
            .filter_map(|row| {
                let JudgedRow { expected, given, probability, .. } = *row;
                Some(Prediction { expected, answer: given?, probability })
            })
            .collect();
        Self { figures: Figures::of(&decided), counts: Counts::of(rows), comparison: Comparison::of(rows) }
    }
}

impl Figures {
    fn of(decided: &[Prediction]) -> Self {
        let metrics = Metrics::of(decided);
        let confusion = decided
            .iter()
            .fold(Confusion::default(), |counts, prediction| counts.with(prediction.expected, prediction.answer, 1.0));
        let figure = |name| {
            let Figure { value, low, high } = metrics.named(name).filter(|_| confusion.defines(name))?;
            Some(Interval { value, low, high })
        };
        Self {
            precision: figure("precision"),
            recall: figure("recall"),
            f1: figure("f1"),
            accuracy: figure("accuracy"),
        }
    }
}

impl Counts {
    fn of(rows: &[JudgedRow]) -> Self {
        let mut counts = Self::default();
        for row in rows {
            *match (row.expected, row.given) {
                (_, None) => &mut counts.undecided,
                (expected, Some(given)) if expected == given => &mut counts.right,
                (true, _) => &mut counts.missed,
                (false, _) => &mut counts.false_alarms,
            } += 1;
        }
        counts
    }
}

impl Comparison {
    /// Compares the two answers of each row that has an earlier one. An undecided row is wrong.
    fn of(rows: &[JudgedRow]) -> Option<Self> {
        let pair = |row: &JudgedRow| Some((row.before? == row.expected, row.given == Some(row.expected)));
        let pairs: Vec<(bool, bool)> = rows.iter().filter_map(pair).collect();
        let count = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count() as u64;
        let (first, second) = (count((true, false)), count((false, true)));
        (!pairs.is_empty()).then(|| Self {
            both: count((true, true)),
            first,
            second,
            neither: count((false, false)),
            p_value: mcnemar(first, second),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expected: bool, given: Option<bool>, before: Option<bool>) -> JudgedRow {
        JudgedRow { expected, given, probability: None, before }
    }

    #[test]
    fn a_figure_without_its_rows_is_not_defined() {
        let reply = Reply::of(&[row(false, Some(false), None), row(true, None, None)]);
        assert_eq!((&reply.figures.precision, &reply.figures.recall, &reply.figures.f1), (&None, &None, &None));
        assert_eq!(reply.figures.accuracy.unwrap().value.to_bits(), 1.0_f64.to_bits());
        assert_eq!(reply.counts, Counts { right: 1, undecided: 1, ..Counts::default() });
        assert_eq!(reply.comparison, None);
        assert_eq!(Reply::of(&[]).figures.accuracy, None);
    }

    #[test]
    fn the_comparison_counts_only_rows_that_both_judged() {
        let rows = [
            row(true, Some(true), Some(false)),
            row(true, Some(true), Some(true)),
            row(false, None, Some(false)),
            row(false, Some(true), Some(true)),
            row(false, Some(true), None),
        ];
        let reply = Reply::of(&rows);
        let expect = Comparison { both: 1, first: 1, second: 1, neither: 1, p_value: 1.0 };
        assert_eq!(reply.comparison, Some(expect));
        assert_eq!(reply.counts, Counts { right: 2, missed: 0, false_alarms: 2, undecided: 1 });
    }
}
