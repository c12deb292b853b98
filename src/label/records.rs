//! Records: a stream, cut into the texts to judge, each with its other columns.
//!
//! A damaged record does no harm to its neighbors. Each record is returned once, with its bytes; a record without a text
//! carries a defect with the reason.

mod batch;
#[cfg(feature = "parquet")]
mod calendar;
mod cut;
mod defect;
mod format;
mod jsonl;
mod limits;
mod lines;
mod notice;
#[cfg(feature = "parquet")]
pub mod parquet;
mod reader;
mod record;
mod record_fields;
mod seen;
mod separated;
mod start;
mod table;
mod text;

pub(crate) use batch::MODERATIONS;
pub use defect::Defect;
pub(super) use defect::{Names, did_you_mean, shown};
pub(super) use format::BYTE_ORDER_MARK;
pub use format::InputFormat;
pub use limits::{LARGEST, MOST_COLUMNS};
pub use notice::Notice;
pub use reader::{Records, RecordsError};
pub use record::Record;
pub use record_fields::RecordFields;
pub(super) use seen::Seen;
pub(super) use start::{guess, not_a_text};
pub use text::{Template, Text};
