//! Records: a stream, cut into the texts to judge, each with its other columns.
//!
//! A damaged record does no harm to its neighbors. Each record is returned once, with its bytes; a record without a text
//! carries a defect with the reason.

mod array;
mod batch;
mod calendar;
mod conversation;
mod cut;
mod defect;
mod dialect;
mod document;
mod encoding;
mod format;
mod json;
mod jsonl;
mod layout;
mod limits;
mod lines;
mod names;
mod notice;
mod numbers;
#[cfg(feature = "parquet")]
pub mod parquet;
mod reader;
mod record;
mod record_fields;
mod seen;
mod separated;
#[cfg(feature = "xlsx")]
mod sheet_columns;
#[cfg(feature = "xlsx")]
mod sheet_value;
mod start;
mod table;
mod text;
#[cfg(feature = "xlsx")]
pub mod xlsx;

pub(super) use array::each as each_element;
pub(crate) use batch::MODERATIONS;
pub(super) use calendar::date;
pub(super) use conversation::text_of;
pub use defect::Defect;
pub(super) use encoding::Census;
pub use encoding::Encoding;
pub(super) use format::BYTE_ORDER_MARK;
pub use format::InputFormat;
pub(super) use layout::Layout;
pub use limits::{LARGEST, MOST_COLUMNS};
pub use names::likely as likely_text;
pub(super) use names::{Names, did_you_mean, in_quotes, shown};
pub use notice::Notice;
pub use reader::{Records, RecordsError};
pub use record::Record;
pub use record_fields::{Quote, RecordFields};
pub(super) use seen::Seen;
pub(super) use start::not_a_text;
pub use text::{Template, Text, dialogue};
