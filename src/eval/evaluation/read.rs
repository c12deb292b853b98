//! Reading an evaluation from its JSON.

use super::Evaluation;
use super::error::EvaluationError;
use crate::text::json_place;

impl Evaluation {
    /// Reads an evaluation from its JSON. Only the rows are trusted: every figure is computed again.
    ///
    /// # Errors
    ///
    /// [`EvaluationError`] if the JSON is something else, or if a row contains an impossible value.
    pub fn read(json: &[u8]) -> Result<Self, EvaluationError> {
        let mut all = Self::read_all(json)?;
        match all.pop() {
            Some(only) if all.is_empty() => Ok(only),
            _ => Err(EvaluationError::Several),
        }
    }

    /// Reads the evaluations in a JSON: a single one, or the list that several policies make. At least one.
    ///
    /// # Errors
    ///
    /// As [`Evaluation::read`].
    pub fn read_all(json: &[u8]) -> Result<Vec<Self>, EvaluationError> {
        let place = |error: serde_json::Error| EvaluationError::NoEvaluation { place: json_place(&error) };
        let written: Vec<Self> = match json.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(json).map_err(place)?,
            _ => vec![serde_json::from_slice(json).map_err(place)?],
        };
        if written.is_empty() {
            return Err(EvaluationError::NoEvaluation { place: "an empty list".to_owned() });
        }
        written.into_iter().map(Self::again).collect()
    }

    /// Computes the figures of an evaluation's rows again.
    fn again(self) -> Result<Self, EvaluationError> {
        let impossible = |probability: f64| !(0.0..=1.0).contains(&probability);
        if let Some(row) = self.rows.iter().find(|row| row.probability.is_some_and(impossible)) {
            return Err(EvaluationError::Probability { row: row.number });
        }
        let Self { about, rows, unknown, repeated, labels, date, titles, tokens, seconds, .. } = self;
        Ok(Self { unknown, repeated, labels, date, titles, tokens, seconds, ..Self::of_rows(about, rows) })
    }
}
