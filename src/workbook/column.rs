//! Columns by letters, as sheets name them: A, B, and AA after Z.

use super::MOST_COLUMNS;

/// Returns the letters of a column, which is counted from 0.
#[must_use]
pub fn letters(column: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        // There is no digit for zero, so each place counts from 1 to 26.
        letters.push(b'A' + u8::try_from((rest - 1) % 26).unwrap_or(0));
        rest = (rest - 1) / 26;
    }
    letters.reverse();
    letters.into_iter().map(char::from).collect()
}

/// Returns the column, from 0, of a cell's name such as `AB12`. `None` if a sheet has no such column.
#[must_use]
pub fn number(cell: &str) -> Option<usize> {
    let letters = cell.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number = letters.fold(0, |number, letter| number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1).filter(|column| *column < MOST_COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_numbers_name_the_same_columns() {
        for (column, name) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")] {
            assert_eq!(letters(column), name);
            assert_eq!(number(&format!("{name}12")), Some(column));
        }
        assert_eq!(number("b3"), Some(1));
        for wrong in ["XFE1", "AAAA1", "1", ""] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
