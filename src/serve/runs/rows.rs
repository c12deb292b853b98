//! The rows of a run, as a table shows them: a part of them, chosen and sorted by the index, and read from the journal.

use std::sync::PoisonError;

use schemars::JsonSchema;
use serde::Serialize;

use super::index::worst;
use super::{Runs, unreadable};
use crate::label::journal::entry_at;
use crate::label::row::{RowVerdict, rows};
use crate::serve::api_error::ApiError;
use crate::text::cut;

pub use super::index::Choice;

/// A part of a run's rows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RowPage {
    /// The number of rows that were chosen.
    total: usize,
    /// The rows of this part.
    rows: Vec<ShownRow>,
}

/// A row of the table: that of the policy that decides on the record.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownRow {
    /// The number of the record in the file, from 1.
    number: u64,
    /// The text, shortened.
    text: String,
    /// The verdict over all policies.
    verdict: RowVerdict,
    /// The code of the category.
    category: Option<String>,
    /// Its title.
    category_title: Option<String>,
    /// P(violation).
    probability: Option<f64>,
    /// The model's reason.
    rationale: Option<String>,
    /// The reason why there is no verdict.
    error: Option<String>,
    /// The id of the policy that decides.
    policy: Option<String>,
}

/// Characters of a text, at most.
const LONGEST: usize = 2000;

impl Runs {
    /// Returns a part of a run's rows.
    ///
    /// # Errors
    ///
    /// Status 404, or 500 if the journal cannot be read.
    pub fn rows(&self, id: &str, choice: &Choice) -> Result<RowPage, ApiError> {
        let index = self.index(id)?;
        let chosen = index.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|index| index.choose(choice));
        let (Some((total, places)), Some(journal)) = (chosen, self.journal(id)) else {
            return Ok(RowPage { total: 0, rows: Vec::new() });
        };
        let mut shown = Vec::with_capacity(places.len());
        for place in places {
            let entry = entry_at(&journal, place).map_err(|error| unreadable(&error))?;
            let damaged = || unreadable(&std::io::Error::other("a line of the journal is damaged"));
            let entry = entry.ok_or_else(damaged)?;
            let rows = rows(&entry.verdicts);
            let verdict = RowVerdict::of(&rows);
            let row = worst(&rows).cloned();
            shown.push(ShownRow {
                number: entry.number,
                text: cut(&entry.text(), LONGEST),
                verdict,
                category: row.as_ref().and_then(|row| row.category.clone()),
                category_title: row.as_ref().and_then(|row| row.category_title.clone()),
                probability: row.as_ref().and_then(|row| row.probability),
                rationale: row.as_ref().and_then(|row| row.rationale.clone()),
                error: row.as_ref().and_then(|row| row.error.as_ref()).map(|error| error.message.clone()),
                policy: row.map(|row| row.policy.id),
            });
        }
        Ok(RowPage { total, rows: shown })
    }
}
