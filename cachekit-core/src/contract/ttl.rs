//! [`Ttl`]: how long an entry lives.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, ErrorCode, Result};

/// How long an entry lives: a time, or for ever, said on purpose.
///
/// It is never zero: an entry that lives no time is not stored, and a caller who writes `0` meant something else.
///
/// As text it is a count with a unit (`ms`, `s`, `m`, `h`, `d`), several of them from the largest unit to the smallest,
/// a bare number of seconds, or `never`. `us` and `ns` are read too, so that what [`Display`](fmt::Display) writes can
/// always be read back; backends that count milliseconds or seconds round them up.
///
/// ```
/// use cachekit_core::Ttl;
///
/// assert_eq!("1h30m".parse::<Ttl>()?, Ttl::secs(5400));
/// assert_eq!("300".parse::<Ttl>()?, Ttl::secs(300));
/// assert_eq!("never".parse::<Ttl>()?, Ttl::Never);
/// assert_eq!(Ttl::secs(5400).to_string(), "1h30m");
/// # Ok::<(), cachekit_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// So long, counted from when the write is made. Never zero.
    For(NonZeroDuration),
    /// Until it is deleted or evicted.
    Never,
}

/// A duration above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonZeroDuration(Duration);

impl NonZeroDuration {
    /// Takes `duration` unless it is zero.
    #[must_use]
    pub const fn new(duration: Duration) -> Option<Self> {
        if duration.is_zero() { None } else { Some(Self(duration)) }
    }

    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Ttl {
    /// So long, in whole seconds.
    ///
    /// # Panics
    /// If `seconds` is zero; in a constant that is a compile error.
    #[must_use]
    pub const fn secs(seconds: u64) -> Self {
        Self::known(Duration::from_secs(seconds))
    }

    /// So long, in milliseconds.
    ///
    /// # Panics
    /// If `milliseconds` is zero; in a constant that is a compile error.
    #[must_use]
    pub const fn millis(milliseconds: u64) -> Self {
        Self::known(Duration::from_millis(milliseconds))
    }

    /// The time, or `None` for [`Ttl::Never`].
    #[must_use]
    pub const fn as_duration(self) -> Option<Duration> {
        match self {
            Self::For(duration) => Some(duration.get()),
            Self::Never => None,
        }
    }

    /// The time in whole `unit`s, rounded up as the contract of backends asks, or `None` for [`Ttl::Never`]. What is
    /// beyond 2⁶⁴ − 1 of them is as many.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use cachekit_core::Ttl;
    ///
    /// assert_eq!(Ttl::millis(1_001).whole(Duration::from_secs(1)), Some(2));
    /// assert_eq!(Ttl::millis(1_001).whole(Duration::from_millis(1)), Some(1_001));
    /// assert_eq!(Ttl::Never.whole(Duration::from_secs(1)), None);
    /// ```
    #[must_use]
    pub fn whole(self, unit: Duration) -> Option<u64> {
        let units = self.as_duration()?.as_nanos().div_ceil(unit.as_nanos().max(1));
        Some(u64::try_from(units).unwrap_or(u64::MAX))
    }

    const fn known(duration: Duration) -> Self {
        match NonZeroDuration::new(duration) {
            Some(duration) => Self::For(duration),
            None => panic!("a time to live is above zero"),
        }
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = Error;

    /// # Errors
    /// E043 for zero.
    fn try_from(duration: Duration) -> Result<Self> {
        NonZeroDuration::new(duration)
            .map(Self::For)
            .ok_or_else(|| invalid("more than zero (\"never\" for an entry that does not end)", "zero"))
    }
}

impl TryFrom<&str> for Ttl {
    type Error = Error;

    /// # Errors
    /// As [`FromStr`].
    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl From<NonZeroDuration> for Ttl {
    fn from(duration: NonZeroDuration) -> Self {
        Self::For(duration)
    }
}

impl FromStr for Ttl {
    type Err = Error;

    /// Reads `"250ms"`, `"30s"`, `"5m"`, `"12h"`, `"7d"`, `"1h30m"`, a bare number of seconds, or `"never"`.
    ///
    /// # Errors
    /// E043 for zero, for 2⁶⁴ seconds and more, and for anything else.
    fn from_str(text: &str) -> Result<Self> {
        if text == "never" {
            return Ok(Self::Never);
        }
        parse_duration(text)?.try_into()
    }
}

impl fmt::Display for Ttl {
    /// Writes what [`FromStr`] reads, in the largest units: `1h30m`, `250ms`, `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(duration) = self else { return f.write_str("never") };
        let mut rest = duration.get().as_nanos();
        for (name, nanos) in UNITS {
            let count = rest / nanos;
            if count > 0 {
                write!(f, "{count}{name}")?;
            }
            rest %= nanos;
        }
        Ok(())
    }
}

/// The units from the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

fn parse_duration(text: &str) -> Result<Duration> {
    if let Some(count) = count(text) {
        return count.map(Duration::from_secs).ok_or_else(|| too_long(text));
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| malformed(text))?;
        let letters = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len() - digits);
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        rest = &rest[digits + letters..];
        let count = count(number).ok_or_else(|| malformed(text))?.ok_or_else(|| too_long(text))?;
        // Each unit is looked for among the smaller ones only, so that "5m5m" and "30m1h", likely slips, are refused.
        let &(_, nanos) = units.find(|&&(name, _)| name == unit).ok_or_else(|| malformed(text))?;
        total = nanos
            .checked_mul(u128::from(count))
            .and_then(from_nanos)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| too_long(text))?;
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

/// The number that `text` is: nothing if it is none, `Some(None)` if it is one beyond all bounds.
fn count(text: &str) -> Option<Option<u64>> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())
}

fn from_nanos(nanos: u128) -> Option<Duration> {
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

fn malformed(text: &str) -> Error {
    let expected = "a number of seconds, or counts with the units d, h, m, s, ms as in \"5m\", \"1h30m\", \"1500ms\", or \"never\"";
    invalid(expected, &quoted(text))
}

fn too_long(text: &str) -> Error {
    invalid("a time that can be counted (\"never\" for an entry that does not end)", &quoted(text))
}

fn invalid(expected: &str, got: &str) -> Error {
    Error::new(ErrorCode::E043, format!("time to live: expected {expected}, got {got}"))
}

/// The text in quotes, cut where it is long.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{:?}… ({} bytes)", &text[..at], text.len()),
        None => format!("{text:?}"),
    }
}
