//! The parts that the pages of all reports share.
//!
//! A page has exactly one style element with [`STYLE`] and one script element with [`SCRIPT`], byte for byte. So a
//! server can allow both by their digests, and nothing else.

/// The style sheet.
pub const STYLE: &str = include_str!("../../../templates/page/style.css");

/// The script, which draws the rows in the element `data`.
pub const SCRIPT: &str = include_str!("../../../templates/page/rows.js");
