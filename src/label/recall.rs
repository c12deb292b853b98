//! The record of an entry, with its text found again in the columns that it keeps.
//!
//! An entry holds the digest of its text and not the text itself, which is one of its columns or made of several.

use std::collections::HashSet;
use std::sync::Arc;

use super::columns::{Columns, text};
use super::config::COLUMNS_TO_JUDGE;
use super::entry::Entry;
use super::records::{Record, Text, text_of};
use super::row::{self, Row};
use super::source::Placed;
use crate::calibration::terms::Terms;
use crate::content::Content;
use crate::digest::Hash;

/// The way in which a run made its texts of columns.
#[derive(Clone, Debug)]
pub struct Recall(Text);

impl Recall {
    /// Returns the way of the run with these terms.
    #[must_use]
    pub fn of(terms: &Terms) -> Self {
        let term = terms.0.get(COLUMNS_TO_JUDGE).and_then(|reading| reading.get("text"));
        let term = term.and_then(serde_json::Value::as_str).unwrap_or_default();
        let template = term.strip_prefix("template ").and_then(|template| template.parse().ok());
        let pair = term.strip_prefix("pair ").and_then(|pair| pair.split_once(','));
        Self(match (template, pair) {
            (Some(template), _) => Text::Template(template),
            (_, Some((prompt, answer))) => Text::Pair { prompt: prompt.to_owned(), answer: answer.to_owned() },
            _ if !term.is_empty() => Text::Column(term.to_owned()),
            _ => Text::Unsaid,
        })
    }

    /// Returns the text of an entry. `None` if its columns do not contain it.
    #[must_use]
    pub fn text(&self, entry: &Entry) -> Option<String> {
        let is_it = |text: &String| Hash::of(text.as_bytes()) == entry.hash;
        let mut values = entry.columns.0.iter().map(|(_, value)| text(value));
        values.find(is_it).or_else(|| Some(self.composed(&entry.columns)).filter(is_it))
    }

    fn composed(&self, columns: &Columns) -> String {
        let value = |name: &str| columns.at(name).map_or_else(String::new, |found| text_of(name, found.value()));
        self.0.compose(self.0.columns().into_iter().map(value).collect())
    }

    /// Returns the record of an entry, which began on this line. `None` if its text cannot be found.
    #[must_use]
    pub fn placed(&self, entry: &Entry, line: u64) -> Option<Placed> {
        // The text was judged, so it passes the gate again.
        let content = Ok(Content::of(self.text(entry)?).ok()?);
        let columns = own_names(&entry.columns, &row::rows(&entry.verdicts));
        let record = Record { number: line, end: 0, raw: Vec::new(), id: entry.id.clone(), columns, content };
        Some(Placed { input: Arc::clone(&entry.input), number: entry.number, row: entry.row, record })
    }
}

/// Returns an entry's columns under the names that they had in the input. A run renames a column that has the name of a
/// row's field.
fn own_names(columns: &Columns, rows: &[Row]) -> Columns {
    let ours: HashSet<String> = row::names(rows.iter().map(|row| row.policy.id.as_str())).into_iter().collect();
    let own = |name: &str| {
        let own = name.trim_start_matches("input_");
        let is_renamed = own != name && ours.contains(own) && columns.names().all(|other| other != own);
        if is_renamed { own.to_owned() } else { name.to_owned() }
    };
    Columns(columns.0.iter().map(|(name, value)| (own(name), value.clone())).collect())
}
