//! [`RedisConfig`]: which server, and with what limits.

mod environment;
mod url;

use std::time::Duration;

pub use self::url::RedisUrl;
use cachekit_core::{Error, ErrorCode, Result};

/// Which server to use, and with what limits: plain data, checked when a backend is made of it.
///
/// `Debug` shows no user information.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisConfig {
    /// The server, the database and the credentials.
    pub url: RedisUrl,
    /// How long making a connection may take: resolving the name, connecting, authenticating. 5 s by default, from 1 ms
    /// to a day.
    pub connect_timeout: Duration,
    /// How long one command may take, from handing it over to having the whole answer. 5 s by default, from 1 ms to a
    /// day.
    pub command_timeout: Duration,
    /// How many connections may be open at once. 4 by default, from 1 to 1,024. Each carries any number of commands at
    /// a time; a further one is opened only when those that are open are busy.
    pub connections: usize,
}

impl RedisConfig {
    /// The server of `url`, with the default limits.
    #[must_use]
    pub fn new(url: RedisUrl) -> Self {
        Self {
            url,
            connect_timeout: Self::DEFAULT_TIMEOUT,
            command_timeout: Self::DEFAULT_TIMEOUT,
            connections: Self::DEFAULT_CONNECTIONS,
        }
    }

    /// Refuses limits that are out of range.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, timeout) in [("connect_timeout", self.connect_timeout), ("command_timeout", self.command_timeout)] {
            if !(Self::SHORTEST_TIMEOUT..=Self::LONGEST_TIMEOUT).contains(&timeout) {
                let message = format!("{name}: expected 1 ms to a day, got {timeout:?}");
                return Err(Error::new(ErrorCode::E044, message));
            }
        }
        if !(1..=Self::MOST_CONNECTIONS).contains(&self.connections) {
            let message = format!("connections: expected 1 to {}, got {}", Self::MOST_CONNECTIONS, self.connections);
            return Err(Error::new(ErrorCode::E044, message));
        }
        Ok(())
    }

    pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    pub(crate) const DEFAULT_CONNECTIONS: usize = 4;
    const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
    const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);
    const MOST_CONNECTIONS: usize = 1_024;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let config = || RedisConfig::new("redis://localhost".parse().unwrap());
        assert!(config().check().is_ok());
        let refused = [
            (
                RedisConfig { connect_timeout: Duration::ZERO, ..config() },
                "connect_timeout: expected 1 ms to a day, got 0ns",
            ),
            (
                RedisConfig { command_timeout: Duration::from_secs(86_401), ..config() },
                "command_timeout: expected 1 ms to a day, got 86401s",
            ),
            (RedisConfig { connections: 0, ..config() }, "connections: expected 1 to 1024, got 0"),
            (RedisConfig { connections: 1_025, ..config() }, "connections: expected 1 to 1024, got 1025"),
        ];
        for (config, message) in refused {
            let error = config.check().unwrap_err();
            assert_eq!((error.code(), error.message()), (ErrorCode::E044, message));
        }
    }
}
