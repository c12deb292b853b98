//! The columns of a record that have a meaning.

use serde::Serialize;

use super::text::Text;

/// The columns of a record that have a meaning. Plain lines have just one, `text`. A column of a table has a name, and a
/// number from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordFields {
    /// The text to judge.
    pub text: Text,
    /// The column of the id [default: `id`, which may be missing].
    pub id: Option<String>,
    /// Reads the first record of CSV or TSV as a record. The columns then have no names.
    pub no_header: bool,
    /// The number of records to skip at the start, before the header if there is one.
    pub skip: usize,
    /// Reads quotes in CSV and TSV as ordinary characters.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unquoted: bool,
}
