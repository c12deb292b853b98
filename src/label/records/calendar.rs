//! Days and times since 1970 in the form of ISO 8601.
//!
//! Every number of 64 bits has a date, so no number is an error. Today's calendar is extended without end
//! in both directions.

/// Returns a day, counted from 1970-01-01.
pub fn date(day: i64) -> String {
    // Years begin in March here, so that the leap day is the last; 400 years have 146,097 days.
    let shifted = i128::from(day) + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
    let year = era * 400 + year_of_era + i128::from(month <= 2);
    let year = if (0..=9999).contains(&year) { format!("{year:04}") } else { format!("{year:+05}") };
    format!("{year}-{month:02}-{day:02}")
}

/// Returns a time within its day. A second has `10^digits` units.
#[cfg_attr(not(any(feature = "parquet", feature = "xlsx")), allow(dead_code, reason = "only these have such times"))]
pub(super) fn time(units: i64, digits: u32) -> String {
    let per_second = 10_i64.pow(digits);
    let (seconds, rest) = (units.div_euclid(per_second), units.rem_euclid(per_second));
    let width = digits as usize;
    format!("{:02}:{:02}:{:02}.{rest:0width$}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Returns a moment since 1970. A second has `10^digits` units.
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "sheets have moments of their own"))]
pub(super) fn moment(units: i64, digits: u32) -> String {
    let per_day = 86_400 * 10_i64.pow(digits);
    format!("{} {} +00:00", date(units.div_euclid(per_day)), time(units.rem_euclid(per_day), digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_those_of_the_calendar() {
        for (day, expect) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (20_000, "2024-10-04"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (-719_528, "0000-01-01"),
            (-719_529, "-0001-12-31"),
            (2_932_897, "+10000-01-01"),
        ] {
            assert_eq!(date(day), expect);
        }
        assert_eq!(moment(1_500, 3), "1970-01-01 00:00:01.500 +00:00");
        assert_eq!(moment(-1, 6), "1969-12-31 23:59:59.999999 +00:00");
        assert_eq!(time(86_399_999, 3), "23:59:59.999");
    }

    #[test]
    fn every_number_has_a_date() {
        assert_eq!(moment(i64::MAX, 6), "+294247-01-10 04:00:54.775807 +00:00");
        for units in [i64::MIN, i64::MAX] {
            assert!(moment(units, 3).ends_with(" +00:00"));
            assert!(!date(units).is_empty() && !time(units, 6).is_empty());
        }
    }
}
