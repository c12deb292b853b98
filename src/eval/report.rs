//! Reports of an evaluation: as a page, as Markdown, as text.
//!
//! The page is one file that requests nothing. An untrusted text stays text in every format. Errors come first.

mod curve;
mod html;
mod ladder;
mod markdown;
mod terminal;
mod wording;

pub use html::{ReportError, html};
pub use markdown::markdown;
pub use terminal::{comparison, gate, mistakes, side_by_side, text};
