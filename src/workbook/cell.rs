//! The value of a cell, and the dates behind numbers.

use super::formats::NumberKind;

/// The value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, or the name of an error such as `#N/A`.
    Text(String),
    /// A number, as JSON.
    Number(String),
    /// A truth value.
    Boolean(bool),
    /// A day, counted from 1970-01-01.
    Date(i64),
    /// A day, counted from 1970-01-01, and milliseconds in it.
    Moment(i64, i64),
    /// Milliseconds: a time of day, or a span.
    Time(i64),
    /// A formula whose result is not in the file.
    Formula(String),
}

const DAY: f64 = 86_400_000.0;
const MILLIS: i64 = 86_400_000;

/// The first day after the last one that Excel has, in its count.
const END: f64 = 2_958_466.0;

/// Returns the value of a number in the form that its format shows. `None` if it is no number.
pub(super) fn of_number(digits: &str, kind: NumberKind, from_1904: bool) -> Option<Value> {
    let digits = digits.trim();
    let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
    let plain = Value::Number(if is_json_integer(digits) { digits.to_owned() } else { shortest(number) });
    if kind == NumberKind::Plain || !(0.0..END).contains(&number) {
        return Some(plain);
    }
    if kind == NumberKind::Span {
        return Some(Value::Time(millis(number)));
    }
    let units = millis(number);
    let (day, time) = (units.div_euclid(MILLIS), units.rem_euclid(MILLIS));
    Some(match (kind, date(day, from_1904)) {
        (NumberKind::Time, _) if day == 0 => Value::Time(time),
        (_, None) => plain,
        (NumberKind::Date, Some(date)) if time == 0 => Value::Date(date),
        (_, Some(date)) => Value::Moment(date, time),
    })
}

/// Returns milliseconds. Excel keeps times as binary fractions of a day, which are hardly ever whole.
#[allow(clippy::cast_possible_truncation, reason = "at most the year 9999")]
fn millis(days: f64) -> i64 {
    (days * DAY).round() as i64
}

/// Returns a day of Excel's count as a day since 1970. `None` for the day 0, and for a leap day that 1900 did not have.
fn date(day: i64, from_1904: bool) -> Option<i64> {
    match day {
        _ if from_1904 => Some(day - 24_107),
        1..=59 => Some(day - 25_568),
        61.. => Some(day - 25_569),
        _ => None,
    }
}

fn is_json_integer(digits: &str) -> bool {
    let plain = digits.strip_prefix('-').unwrap_or(digits);
    let is_digits = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && (plain == "0" || !plain.starts_with('0'))
}

/// Returns a number in its shortest digits, and a whole one without a fraction.
fn shortest(number: f64) -> String {
    const WHOLE: f64 = 1e15;
    if number.fract() == 0.0 && number.abs() < WHOLE {
        // A negative zero is zero.
        return format!("{}", number + 0.0);
    }
    serde_json::to_string(&number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_and_whole_ones_have_no_fraction() {
        let plain = |digits: &str| match of_number(digits, NumberKind::Plain, false) {
            Some(Value::Number(digits)) => digits,
            other => format!("{other:?}"),
        };
        for (digits, expect) in [
            ("1", "1"),
            ("1.0", "1"),
            ("0.10000000000000001", "0.1"),
            ("-0.0", "0"),
            ("12345678901234567890", "12345678901234567890"),
            ("1E+2", "100"),
            ("1e300", "1e+300"),
            ("007", "7"),
            ("x", "None"),
            ("NaN", "None"),
            ("1e999", "None"),
        ] {
            assert_eq!(plain(digits), expect);
        }
    }

    #[test]
    fn a_number_in_a_format_of_dates_is_a_date() {
        let of = |digits: &str, kind| of_number(digits, kind, false).unwrap();
        assert_eq!(of("1", NumberKind::Date), Value::Date(-25_567), "1900-01-01");
        assert_eq!(of("59", NumberKind::Date), Value::Date(-25_509), "1900-02-28");
        assert_eq!(of("60", NumberKind::Date), Value::Number("60".into()), "a day that was not");
        assert_eq!(of("61", NumberKind::Date), Value::Date(-25_508), "1900-03-01");
        assert_eq!(of("45356", NumberKind::Date), Value::Date(19_787), "2024-03-05");
        assert_eq!(of("45356.604166666664", NumberKind::Date), Value::Moment(19_787, 52_200_000), "no time is lost");
        assert_eq!(of("45356", NumberKind::Moment), Value::Moment(19_787, 0));
        assert_eq!(of("0.604166666666667", NumberKind::Time), Value::Time(52_200_000));
        assert_eq!(of("45356.5", NumberKind::Time), Value::Moment(19_787, 43_200_000));
        assert_eq!(of("1.5", NumberKind::Span), Value::Time(129_600_000));
        assert_eq!(of("0.99999999999", NumberKind::Time), Value::Moment(-25_567, 0));
        assert_eq!(of("-1", NumberKind::Date), Value::Number("-1".into()));
        assert_eq!(of("1e9", NumberKind::Date), Value::Number("1000000000".into()));
        assert_eq!(of_number("0", NumberKind::Date, true).unwrap(), Value::Date(-24_107), "1904-01-01");
    }
}
