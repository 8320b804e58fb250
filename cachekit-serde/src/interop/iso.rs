//! Dates in ISO 8601, as Python's `isoformat` writes them.

use std::fmt::Write as _;

/// A date and a time, perhaps with an offset: `2026-02-03T04:05:06.789012+00:00`. `None` for anything else, and for what
/// is finer than a microsecond.
pub(super) fn datetime(text: &str) -> Option<String> {
    let (day, rest) = text.split_at_checked(10)?;
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    Some(format!("{}T{}", date(day)?, time(clock)?))
}

/// A date: `2026-02-03`.
pub(super) fn date(text: &str) -> Option<String> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let is_date = year > 0 && (1..=last).contains(&day);
    is_date.then(|| text.to_owned())
}

/// A time of day, perhaps with an offset: `04:05:06`.
pub(super) fn time(text: &str) -> Option<String> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some(format!("{}+00:00", clock_of(clock)?));
    }
    let Some(at) = text.find(['+', '-']) else { return clock_of(text) };
    let (clock, offset) = text.split_at(at);
    let (sign, offset) = offset.split_at(1);
    let colons = match offset.len() {
        2 => format!("{offset}:00"),
        4 if offset.is_ascii() => format!("{}:{}", &offset[..2], &offset[2..]),
        _ => offset.to_owned(),
    };
    let offset = clock_of(&colons)?;
    // Seconds of an offset are written where there are some.
    Some(format!(
        "{}{sign}{}",
        clock_of(clock)?,
        offset.strip_suffix(":00").filter(|rest| rest.len() == 5).unwrap_or(&offset)
    ))
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.f`, with any number of digits, as `HH:MM:SS[.ffffff]`.
fn clock_of(text: &str) -> Option<String> {
    let (text, fraction) = text.split_once('.').map_or((text, None), |(text, fraction)| (text, Some(fraction)));
    let mut parts = text.split(':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = match (parts.next(), fraction) {
        (Some(seconds), _) => digits(seconds, 2)?,
        (None, None) => 0,
        (None, Some(_)) => return None,
    };
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let mut clock = format!("{hours:02}:{minutes:02}:{seconds:02}");
    if let Some(fraction) = fraction {
        let (micros, finer) = fraction.split_at_checked(6).unwrap_or((fraction, ""));
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || finer.contains(|c| c != '0') {
            return None;
        }
        if micros.contains(|c| c != '0') {
            let _infallible = write!(clock, ".{micros:0<6}");
        }
    }
    Some(clock)
}

/// The number of exactly so many digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    let are_digits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_python_writes_its_own() {
        fn check(read: fn(&str) -> Option<String>, text: &str, expected: &str) {
            assert_eq!(read(text).as_deref(), Some(expected), "{text:?}");
            assert_eq!(read(expected).as_deref(), Some(expected), "what is written is read the same");
        }
        check(datetime, "2026-02-03T04:05:06.789012Z", "2026-02-03T04:05:06.789012+00:00");
        check(datetime, "2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789000+00:00");
        check(datetime, "2026-02-03T04:05:06.789000000+05:30", "2026-02-03T04:05:06.789000+05:30");
        check(datetime, "2026-02-03T04:05:06.000", "2026-02-03T04:05:06");
        check(datetime, "2026-02-03 04:05:06-0330", "2026-02-03T04:05:06-03:30");
        check(datetime, "2026-02-03t04:05z", "2026-02-03T04:05:00+00:00");
        check(datetime, "0001-01-01T00:00:00+01", "0001-01-01T00:00:00+01:00");
        check(datetime, "1900-01-01T00:00:00+00:19:32", "1900-01-01T00:00:00+00:19:32");
        check(date, "2024-02-29", "2024-02-29");
        check(time, "04:05", "04:05:00");
        check(time, "23:59:59.000001", "23:59:59.000001");
    }

    #[test]
    fn what_python_has_no_place_for_is_no_date() {
        for text in [
            "",
            "2026-02-03",
            "not a date",
            "2026-02-03T",
            "2026-13-03T04:05:06",
            "2026-02-30T04:05:06",
            "2023-02-29T04:05:06",
            "0000-01-01T00:00:00",
            "12026-02-03T04:05:06",
            "2026-02-03T24:00:00",
            "2026-02-03T04:60:06",
            "2026-02-03T04:05:60Z",
            "2026-02-03T04:05:06.7890121Z",
            "2026-02-03T04:05:06.Z",
            "2026-02-03T04:05.5",
            "2026-02-03T04:05:06.7x",
            "2026-02-03T04:05:06+25:00",
            "2026-02-03T04:05:06+1",
            "2026-02-03T04:05:06Z[Europe/Berlin]",
            "2026-02-03 04:05:06.0 +00:00:00",
            "2026-02-0\u{664}T04:05:06",
            "2026-02-03T04:05:06+\u{664}\u{664}",
            "2026-2-3T04:05:06",
        ] {
            assert_eq!(datetime(text), None, "{text:?}");
        }
        assert_eq!(date("2026-02-03T04:05:06"), None);
        assert_eq!(time("2026-02-03"), None);
    }
}
