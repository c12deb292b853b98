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
        let written: Self = serde_json::from_slice(json).map_err(|error| match json.trim_ascii_start().first() {
            Some(b'[') => EvaluationError::Several,
            _ => EvaluationError::NoEvaluation { place: json_place(&error) },
        })?;
        let impossible = |probability: f64| !(0.0..=1.0).contains(&probability);
        if let Some(row) = written.rows.iter().find(|row| row.probability.is_some_and(impossible)) {
            return Err(EvaluationError::Probability { row: row.number });
        }
        let Self { about, rows, unknown, repeated, tokens, seconds, .. } = written;
        Ok(Self { unknown, repeated, tokens, seconds, ..Self::of_rows(about, rows) })
    }
}
