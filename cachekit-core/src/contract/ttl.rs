//! [`Ttl`]: how long an entry lives.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, ErrorCode, Result};

/// How long an entry lives: a time, or for ever, said on purpose.
///
/// It is never zero: an entry that lives no time is not stored, and a caller who writes `0` meant something else.
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
        match NonZeroDuration::new(Duration::from_secs(seconds)) {
            Some(duration) => Self::For(duration),
            None => panic!("a time to live is above zero"),
        }
    }

    /// The time, or `None` for [`Ttl::Never`].
    #[must_use]
    pub const fn as_duration(self) -> Option<Duration> {
        match self {
            Self::For(duration) => Some(duration.get()),
            Self::Never => None,
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
            .ok_or_else(|| Error::new(ErrorCode::E043, "time to live: expected more than zero, got zero"))
    }
}

impl TryFrom<&str> for Ttl {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Ttl {
    type Err = Error;

    /// Reads `"250ms"`, `"30s"`, `"5m"`, `"12h"`, `"7d"`, `"1h30m"`, a bare number of seconds, or `"never"`.
    ///
    /// # Errors
    /// E043 for zero, and for anything else.
    fn from_str(text: &str) -> Result<Self> {
        if text == "never" {
            return Ok(Self::Never);
        }
        parse_duration(text)?.try_into()
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(duration) => write!(f, "{:?}", duration.get()),
            Self::Never => f.write_str("never"),
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration> {
    let malformed = || {
        let message = format!(
            "time to live: expected a number of seconds or a text like \"250ms\", \"5m\", \"1h30m\", \"never\", got {text:?}"
        );
        Error::new(ErrorCode::E043, message)
    };
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let count: u64 = rest[..digits].parse().map_err(|_| malformed())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            "d" => Duration::from_secs(86_400),
            _ => return Err(malformed()),
        };
        rest = &rest[letters..];
        let part = unit.checked_mul(u32::try_from(count).map_err(|_| malformed())?).ok_or_else(malformed)?;
        total = total.checked_add(part).ok_or_else(malformed)?;
    }
    Ok(total)
}
