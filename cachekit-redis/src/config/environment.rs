//! Reading [`RedisConfig`] from an environment that is handed in.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::{RedisConfig, RedisUrl};
use cachekit_core::{Error, ErrorCode, Result};

impl RedisConfig {
    /// Reads the environment: `read` gives the value of a variable.
    ///
    /// | variable | meaning | default |
    /// | --- | --- | --- |
    /// | `CACHEKIT_REDIS_URL`, then `REDIS_URL` | [`url`](Self::url); empty is as if unset | none: E040 |
    /// | `CACHEKIT_SOCKET_CONNECT_TIMEOUT` | [`connect_timeout`](Self::connect_timeout) in seconds, fractions allowed | 5 |
    /// | `CACHEKIT_SOCKET_TIMEOUT` | [`command_timeout`](Self::command_timeout) in seconds, fractions allowed | 5 |
    /// | `CACHEKIT_CONNECTION_POOL_SIZE` | [`connections`](Self::connections) | 4 |
    ///
    /// # Errors
    /// E040 if no URL is set; E041 for a value that cannot be, an empty number among them.
    pub fn from_env(read: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let set = |name| read(name).filter(|value| !value.is_empty());
        let url = URLS.into_iter().find_map(|name| set(name).map(|value| RedisUrl::from_variable(name, &value)));
        let Some(url) = url else {
            let message = "the URL of the Redis server: expected CACHEKIT_REDIS_URL or REDIS_URL, got neither";
            return Err(Error::new(ErrorCode::E040, message));
        };
        let mut config = Self::new(url?);
        if let Some(value) = read(CONNECT_TIMEOUT) {
            config.connect_timeout = seconds(CONNECT_TIMEOUT, &value)?;
        }
        if let Some(value) = read(COMMAND_TIMEOUT) {
            config.command_timeout = seconds(COMMAND_TIMEOUT, &value)?;
        }
        if let Some(value) = read(CONNECTIONS) {
            config.connections = connections(&value)?;
        }
        Ok(config)
    }
}

fn seconds(name: &str, value: &OsStr) -> Result<Duration> {
    let range = RedisConfig::SHORTEST_TIMEOUT.as_secs_f64()..=RedisConfig::LONGEST_TIMEOUT.as_secs_f64();
    let seconds =
        value.to_str().and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| range.contains(number));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| impossible(name, format_args!("seconds from {} to {}", range.start(), range.end()), value))
}

fn connections(value: &OsStr) -> Result<usize> {
    let range = 1..=RedisConfig::MOST_CONNECTIONS;
    let number = value.to_str().and_then(|text| text.trim().parse().ok()).filter(|number| range.contains(number));
    number.ok_or_else(|| {
        impossible(CONNECTIONS, format_args!("a whole number from {} to {}", range.start(), range.end()), value)
    })
}

fn impossible(name: &str, expected: std::fmt::Arguments<'_>, value: &OsStr) -> Error {
    let got = match value.to_str() {
        Some("") => "nothing".to_owned(),
        Some(text) if text.len() <= LONGEST_SHOWN => format!("{text:?}"),
        Some(text) => format!("a text of {} bytes", text.len()),
        None => "bytes that are not UTF-8".to_owned(),
    };
    Error::new(ErrorCode::E041, format!("{name}: expected {expected}, got {got}"))
}

const URLS: [&str; 2] = ["CACHEKIT_REDIS_URL", "REDIS_URL"];
const CONNECT_TIMEOUT: &str = "CACHEKIT_SOCKET_CONNECT_TIMEOUT";
const COMMAND_TIMEOUT: &str = "CACHEKIT_SOCKET_TIMEOUT";
const CONNECTIONS: &str = "CACHEKIT_CONNECTION_POOL_SIZE";
const LONGEST_SHOWN: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<RedisConfig> {
        RedisConfig::from_env(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_first_url_that_is_set_wins() {
        let host = |variables: &[_]| read(variables).unwrap().url.host().to_owned();
        assert_eq!(host(&[("CACHEKIT_REDIS_URL", "redis://ours"), ("REDIS_URL", "redis://theirs")]), "ours");
        assert_eq!(host(&[("REDIS_URL", "redis://theirs")]), "theirs");
        assert_eq!(host(&[("CACHEKIT_REDIS_URL", ""), ("REDIS_URL", "redis://theirs")]), "theirs");
        for none in [&[][..], &[("REDIS_URL", "")], &[("REDIS_URL", ""), ("CACHEKIT_REDIS_URL", "")]] {
            assert_eq!(read(none).unwrap_err().code(), ErrorCode::E040);
        }
    }

    #[test]
    fn numbers_are_read() {
        let config = read(&[
            ("REDIS_URL", "redis://localhost"),
            (CONNECT_TIMEOUT, "0.25"),
            (COMMAND_TIMEOUT, " 86400 "),
            (CONNECTIONS, "1024"),
        ])
        .unwrap();
        assert_eq!(config.connect_timeout, Duration::from_millis(250));
        assert_eq!(config.command_timeout, Duration::from_secs(86_400));
        assert_eq!(config.connections, 1_024);
        let config = read(&[("REDIS_URL", "redis://localhost")]).unwrap();
        assert_eq!(config.connect_timeout, Duration::from_secs(5));
        assert_eq!(config.command_timeout, Duration::from_secs(5));
        assert_eq!(config.connections, 4);
    }

    #[test]
    fn impossible_values_are_refused_by_the_name_of_the_variable() {
        let long = "9".repeat(400);
        for name in [CONNECT_TIMEOUT, COMMAND_TIMEOUT] {
            for value in ["", "soon", "0", "-1", "0.0000001", "86400.1", "NaN", "inf", "1e400", "5s", &long] {
                let error = read(&[("REDIS_URL", "redis://localhost"), (name, value)]).unwrap_err();
                assert_eq!(error.code(), ErrorCode::E041, "{value}");
                let start = format!("{name}: expected seconds from 0.001 to 86400, got ");
                assert!(error.message().starts_with(&start), "{error}");
                assert!(error.message().len() < 120, "{error}");
            }
        }
        for value in ["", "0", "-1", "1025", "2.5", "many", &long] {
            let error = read(&[("REDIS_URL", "redis://localhost"), (CONNECTIONS, value)]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::E041, "{value}");
            let start = format!("{CONNECTIONS}: expected a whole number from 1 to 1024, got ");
            assert!(error.message().starts_with(&start), "{error}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_by_the_name_of_the_variable() {
        for name in URLS {
            let error = read(&[(name, "redis://user:hunter2@localhost:0")]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::E041);
            assert_eq!(error.message(), format!("{name}: port: expected 1 to 65535, got 0"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_refused() {
        use std::os::unix::ffi::OsStringExt;
        for name in [URLS[0], URLS[1], CONNECT_TIMEOUT, COMMAND_TIMEOUT, CONNECTIONS] {
            let error = RedisConfig::from_env(|asked| {
                if asked == name {
                    return Some(OsString::from_vec(b"5\xff".to_vec()));
                }
                (asked == "REDIS_URL").then(|| "redis://localhost".into())
            })
            .unwrap_err();
            assert_eq!(error.code(), ErrorCode::E041, "{name}");
            assert!(error.message().starts_with(name), "{error}");
            assert!(error.message().ends_with("got bytes that are not UTF-8"), "{error}");
        }
    }
}
