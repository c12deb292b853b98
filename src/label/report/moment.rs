//! Moments in the columns of an input: dates and times as people and programs write them.

use serde_json::value::RawValue;

use crate::label::columns::{self, Columns};

/// The column with the moment of each record, found in the first record that has one.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    column: Option<String>,
}

/// Words in the names of columns with moments.
const WORDS: [&str; 10] =
    ["date", "time", "timestamp", "datetime", "created", "posted", "published", "sent", "day", "when"];

impl Clock {
    /// Returns the name of the column.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// Returns the moment of a record, in seconds since 1970.
    pub fn moment(&mut self, columns: &Columns) -> Option<i64> {
        if self.column.is_none() {
            let has_moment = |value: &RawValue| moment(&columns::text(value)).is_some();
            let named = columns.0.iter().find(|(name, value)| is_named(name) && has_moment(value));
            // Without a name that tells, a number could be anything.
            let is_written = |value: &RawValue| written(columns::text(value).trim()).is_some();
            let found = named.or_else(|| columns.0.iter().find(|(_, value)| is_written(value)));
            self.column = found.map(|(name, _)| name.clone());
        }
        columns.named(self.column.as_deref()?).next().and_then(|value| moment(&columns::text(value)))
    }
}

/// Reports whether a column has the name of one with moments.
fn is_named(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    name.ends_with("_at") || words.any(|word| WORDS.contains(&word))
}

/// Reads a moment: a date or a time of ISO 8601, or the seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<i64> {
    /// The seconds from which on a number is taken for a moment: those of 2001 to 2128.
    const SECONDS: std::ops::Range<i64> = 1_000_000_000..5_000_000_000;
    let text = text.trim();
    written(text).or_else(|| {
        let number = text.split('.').next()?.parse::<i64>().ok()?;
        [number, number / 1000].into_iter().find(|seconds| SECONDS.contains(seconds))
    })
}

/// Reads a date, and the time behind it if there is one: `2026-11-30T09:15:00+01:00`.
fn written(text: &str) -> Option<i64> {
    let number = |part: Option<&str>| {
        let part = part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i64>().ok()
    };
    let (year, month, day) = (number(text.get(0..4))?, number(text.get(5..7))?, number(text.get(8..10))?);
    let separator = text.get(4..5)?;
    if !["-", "/", "."].contains(&separator) || text.get(7..8) != Some(separator) {
        return None;
    }
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day) * 86_400;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(midnight);
    }
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (hours, minutes) = (number(time.get(0..2))?, number(time.get(3..5))?);
    if time.get(2..3) != Some(":") || hours > 24 || minutes > 59 {
        return None;
    }
    let mut zone = time.get(5..)?;
    let mut seconds = 0;
    if let Some(after) = zone.strip_prefix(':') {
        seconds = number(after.get(0..2)).filter(|seconds| *seconds <= 60)?;
        zone = after.get(2..)?;
    }
    let zone = zone.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == ',').trim();
    Some(midnight + hours * 3600 + minutes * 60 + seconds - offset(zone)?)
}

/// Returns the seconds by which a zone is ahead: `Z`, `+01:00`, `-0530`, or nothing.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return (zone.len() < 2).then_some(0),
        Some('+') => 1,
        Some('-') => -1,
        Some(_) => return None,
    };
    let digits: String = zone[1..].chars().filter(|letter| *letter != ':').collect();
    let number = |from: usize| digits.get(from..from + 2).map_or(Some(0), |part| part.parse::<i64>().ok());
    let is_plain = digits.len() >= 2 && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then_some(())?;
    Some(sign * (number(0)? * 3600 + number(2)? * 60))
}

/// Returns the days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_numbers_are_moments() {
        for (text, seconds) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2026-11-30T09:15:00Z", Some(1_796_030_100)),
            ("2026-11-30T10:15:00.123+01:00", Some(1_796_030_100)),
            ("2026-11-30 03:45:00 -0530", Some(1_796_030_100)),
            ("2026/11/30 09:15", Some(1_796_030_100)),
            ("1970-01-01 00:00:01.500 +00:00", Some(1)),
            ("1796030100", Some(1_796_030_100)),
            ("1796030100123", Some(1_796_030_100)),
            ("1796030100.5", Some(1_796_030_100)),
            ("42", None),
            ("2026-13-01", None),
            ("2026-11-30x", None),
            ("2026-11-30T09:15é", None),
            ("ünïcödé-text", None),
            ("", None),
        ] {
            assert_eq!(moment(text), seconds, "{text}");
        }
    }

    #[test]
    fn the_column_with_moments_is_found_by_its_name_and_else_by_its_values() {
        let columns = |json: &str| serde_json::from_str::<Columns>(json).unwrap();
        let mut clock = Clock::default();
        assert_eq!(clock.moment(&columns(r#"{"n":1796030100,"text":"hello"}"#)), None);
        let record = columns(r#"{"born":"1970-01-02","posted_at":1796030100}"#);
        assert_eq!((clock.moment(&record), clock.column()), (Some(1_796_030_100), Some("posted_at")));
        assert_eq!(clock.moment(&columns(r#"{"born":"1970-01-02"}"#)), None);
        assert_eq!(Clock::default().moment(&columns(r#"{"x":"1970-01-02"}"#)), Some(86_400));
    }
}
