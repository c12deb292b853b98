//! Workbooks of Excel (.xlsx), read and written as a stream.
//!
//! A workbook is XML in a ZIP archive. A sheet is never held whole, so its length costs no memory. Every size that a
//! file states is doubted, and each part of a file has a limit.

mod archive;
mod book;
mod cell;
mod column;
mod error;
mod escapes;
mod formats;
mod sheet_rows;
mod sheet_writer;
mod sheets;
#[cfg(test)]
mod tests;
mod texts;
mod xml;
mod zip_writer;

pub use book::Workbook;
pub use cell::Value;
pub use column::{letters, number};
pub use error::WorkbookError;
pub use sheet_rows::{Row, SheetRows};
pub use sheet_writer::{Cell, SheetWriter};

/// Rows of a sheet, at most.
pub const MOST_ROWS: u64 = 1 << 20;

/// Columns of a sheet, at most.
pub const MOST_COLUMNS: usize = 1 << 14;

/// Characters of a cell, at most, each a unit of UTF-16.
pub const LONGEST_CELL: usize = 32_767;
