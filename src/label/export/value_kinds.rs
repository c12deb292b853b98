//! The kind of a table's column, from all its values.

use crate::label::row::ColumnKind;

/// The kinds of a column's values so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ValueKinds {
    /// The kind of the values; `None` if all are null.
    kind: Option<ColumnKind>,
    /// Set once a number would lose digits as a double.
    inexact: bool,
}

impl ValueKinds {
    pub fn add(&mut self, json: &str) {
        let kind = match json.as_bytes().first() {
            Some(b'n') => return,
            Some(b't' | b'f') => ColumnKind::Boolean,
            Some(b'-' | b'0'..=b'9') => {
                self.inexact |= !fits_a_double(json);
                if json.parse::<i64>().is_ok() { ColumnKind::Integer } else { ColumnKind::Number }
            }
            _ => ColumnKind::Text,
        };
        self.kind = Some(match self.kind {
            None => kind,
            Some(held) if held == kind => held,
            Some(ColumnKind::Integer | ColumnKind::Number)
                if matches!(kind, ColumnKind::Integer | ColumnKind::Number) =>
            {
                ColumnKind::Number
            }
            Some(_) => ColumnKind::Text,
        });
    }

    /// Returns the kind for all values: text if a number would lose digits.
    pub fn kind(self) -> ColumnKind {
        match self.kind {
            Some(ColumnKind::Number) if self.inexact => ColumnKind::Text,
            kind => kind.unwrap_or(ColumnKind::Text),
        }
    }
}

/// Reports whether the nearest double is written with the same digits as a number.
fn fits_a_double(json: &str) -> bool {
    fn digits(number: &str) -> String {
        let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    }
    json.parse::<f64>().is_ok_and(|value| value.is_finite() && digits(&format!("{value:e}")) == digits(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_what_holds_all_its_values_to_the_last_digit() {
        for (values, kind) in [
            (&["1", "null", "-2"][..], ColumnKind::Integer),
            (&["9007199254740993"], ColumnKind::Integer),
            (&["1", "0.5", "1e300", "0.30000000000000004"], ColumnKind::Number),
            (&["9007199254740993", "0.5"], ColumnKind::Text),
            (&["1", "9223372036854775809"], ColumnKind::Text),
            (&["18446744073709551615"], ColumnKind::Text),
            (&["12345678901234567890.12"], ColumnKind::Text),
            (&["1e400"], ColumnKind::Text),
            (&["1e-400"], ColumnKind::Text),
            (&["true", "null"], ColumnKind::Boolean),
            (&["true", "1"], ColumnKind::Text),
            (&["1", "\"a\""], ColumnKind::Text),
            (&["null"], ColumnKind::Text),
            (&["10", "1.50", "0"], ColumnKind::Number),
        ] {
            let mut held = ValueKinds::default();
            for value in values {
                held.add(value);
            }
            assert_eq!(held.kind(), kind, "{values:?}");
        }
    }
}
