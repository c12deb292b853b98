//! The columns of a record that have a meaning.

use serde::Serialize;

use super::encoding::Encoding;
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
    /// The quote of CSV and TSV.
    #[serde(skip_serializing_if = "Quote::is_usual")]
    pub quote: Quote,
    /// The ASCII character between the fields of CSV and TSV [default: found from the input's beginning].
    // Records keep their columns, so a journal recognizes them under any separator and encoding.
    #[serde(skip)]
    pub separator: Option<u8>,
    /// The encoding of the input [default: guessed from its bytes].
    #[serde(skip)]
    pub encoding: Option<Encoding>,
    /// The sheet of a workbook, by name or by number from 1 [default: the first that is not hidden].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
}

impl RecordFields {
    /// Reports whether a setting names columns or belongs to tables.
    pub(in crate::label) fn want_columns(&self) -> bool {
        self.text != Text::Unsaid || self.id.is_some() || self.no_header || self.quote != Quote::Double
    }
}

/// The quote of CSV and TSV, around fields that hold separators and line ends. Two of it in such a field are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quote {
    /// The double quote, as in RFC 4180.
    #[default]
    Double,
    /// No character: each line is a record, and quotes are ordinary characters.
    None,
    /// Another ASCII character.
    Other(u8),
}

impl Quote {
    pub(super) fn byte(self) -> Option<u8> {
        match self {
            Self::Double => Some(b'"'),
            Self::None => None,
            Self::Other(byte) => Some(byte),
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "how serde calls it")]
    fn is_usual(&self) -> bool {
        *self == Self::Double
    }
}
