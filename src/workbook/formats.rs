//! Formats of numbers: the number behind a date is known to be one only by its cell's format.

use std::collections::HashMap;

use super::archive::Unpacked;
use super::error::WorkbookError;
use super::xml::{Piece, Xml};

/// The kind of number that a format shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NumberKind {
    #[default]
    Plain,
    Date,
    /// A date with a time.
    Moment,
    Time,
    /// A span of time, which may be longer than a day.
    Span,
}

/// The kinds of the cells' styles, by number.
#[derive(Default)]
pub(super) struct Formats(Vec<NumberKind>);

/// Styles of a workbook, at most. Excel has 65,490.
const MOST: usize = 1 << 16;

impl Formats {
    pub fn read(part: Unpacked) -> Result<Self, WorkbookError> {
        let (mut kinds, mut own, mut xml) = (Vec::new(), HashMap::new(), Xml::new(part));
        let mut of_cells = false;
        loop {
            match xml.next()? {
                Piece::Open(tag) => match tag.name() {
                    "cellXfs" => of_cells = true,
                    "numFmt" => {
                        if let (Some(id), Some(code)) = (tag.number("numFmtId"), tag.value("formatCode")) {
                            own.insert(id, kind(&code));
                        }
                    }
                    "xf" if of_cells => {
                        let id = tag.number("numFmtId").unwrap_or(0);
                        kinds.push(own.get(&id).copied().unwrap_or_else(|| built_in(id)));
                    }
                    _ => {}
                },
                Piece::Close("cellXfs") => of_cells = false,
                Piece::End => return Ok(Self(kinds)),
                Piece::Close(_) | Piece::Text(_) => {}
            }
            if kinds.len() > MOST || own.len() > MOST {
                return Err(WorkbookError::too_large(format_args!("it has more than {MOST} styles")));
            }
        }
    }

    /// Returns the kind of a style's numbers.
    pub fn kind(&self, style: Option<u64>) -> NumberKind {
        let style = style.and_then(|style| usize::try_from(style).ok()).unwrap_or(0);
        self.0.get(style).copied().unwrap_or_default()
    }
}

/// Returns the kind of a format that is not written in the file. Source: ECMA-376, part 1, 18.8.30.
fn built_in(id: u64) -> NumberKind {
    match id {
        14..=17 | 27..=31 | 36 | 50..=58 => NumberKind::Date,
        18..=21 | 32..=35 | 45 | 47 => NumberKind::Time,
        22 => NumberKind::Moment,
        46 => NumberKind::Span,
        _ => NumberKind::Plain,
    }
}

/// Returns the kind of a format from its code, such as `yyyy\-mm\-dd hh:mm`.
fn kind(code: &str) -> NumberKind {
    let (mut letters, mut in_brackets, mut quoted) = (String::new(), None::<String>, false);
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match (character, &mut in_brackets) {
            ('"', None) => quoted = !quoted,
            _ if quoted => {}
            (']', Some(inside)) => {
                let unit = inside.to_ascii_lowercase();
                if matches!(unit.as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss") {
                    return NumberKind::Span;
                }
                in_brackets = None;
            }
            (other, Some(inside)) => inside.push(other),
            ('[', None) => in_brackets = Some(String::new()),
            // The next character is itself, or a blank of its width, or a filling.
            ('\\' | '_' | '*', None) => {
                characters.next();
            }
            // Other sections are for negative numbers, zeros and texts.
            (';', None) => break,
            (other, None) => letters.push(other.to_ascii_lowercase()),
        }
    }
    if letters.contains("general") || letters.contains('@') {
        return NumberKind::Plain;
    }
    let letters = letters.replace("am/pm", "").replace("a/p", "");
    let has = |some: &[char]| letters.contains(some);
    match (has(&['y', 'd']) || (has(&['m']) && !has(&['h', 's'])), has(&['h', 's'])) {
        (true, true) => NumberKind::Moment,
        (true, false) => NumberKind::Date,
        (false, true) => NumberKind::Time,
        (false, false) => NumberKind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_of_dates_is_known_by_its_letters() {
        for (code, expect) in [
            ("yyyy\\-mm\\-dd", NumberKind::Date),
            ("[$-409]d\\-mmm\\-yy;@", NumberKind::Date),
            ("mmmm", NumberKind::Date),
            ("DD/MM/YYYY HH:MM", NumberKind::Moment),
            ("yyyy/m/d\\ h:mm AM/PM", NumberKind::Moment),
            ("mm:ss.0", NumberKind::Time),
            ("[h]:mm:ss", NumberKind::Span),
            ("General", NumberKind::Plain),
            ("0.00E+00", NumberKind::Plain),
            ("#,##0.00 \"days\"", NumberKind::Plain),
            ("[Red]-0.0%;0", NumberKind::Plain),
            ("#,##0_d\\y", NumberKind::Plain),
            ("@", NumberKind::Plain),
        ] {
            assert_eq!(kind(code), expect, "{code}");
        }
    }
}
