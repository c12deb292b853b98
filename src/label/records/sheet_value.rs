//! The values of a sheet's cells, as text and as JSON. Dates are in the form of ISO 8601.

use serde_json::value::{RawValue, to_raw_value};

use super::calendar;
use crate::workbook::Value;

/// Returns a value as people read it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Number(text) | Value::Formula(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Date(day) => calendar::date(*day),
        Value::Moment(day, units) => format!("{}T{}", calendar::date(*day), time(*units)),
        Value::Time(units) => time(*units),
    }
}

/// Returns a value as JSON.
pub(super) fn json(value: &Value) -> Box<RawValue> {
    let own = match value {
        Value::Number(digits) => RawValue::from_string(digits.clone()).ok(),
        Value::Boolean(value) => to_raw_value(value).ok(),
        _ => None,
    };
    own.unwrap_or_else(|| to_raw_value(&text(value)).expect("a text can always be written as JSON"))
}

/// Returns a time, with a fraction of a second only if there is one.
fn time(units: i64) -> String {
    let time = calendar::time(units, 3);
    time.strip_suffix(".000").map_or_else(|| time.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_all_else_is_text() {
        for (value, expect) in [
            (Value::Text("=1+1".into()), "\"=1+1\""),
            (Value::Number("0.5".into()), "0.5"),
            (Value::Boolean(true), "true"),
            (Value::Date(19_787), "\"2024-03-05\""),
            (Value::Moment(19_787, 52_200_000), "\"2024-03-05T14:30:00\""),
            (Value::Moment(19_787, 1), "\"2024-03-05T00:00:00.001\""),
            (Value::Time(95_400_000), "\"26:30:00\""),
        ] {
            assert_eq!(json(&value).get(), expect);
        }
    }
}
