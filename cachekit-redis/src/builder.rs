//! [`RedisBuilder`]: makes a [`RedisBackend`] of settings.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{RedisConfig, RedisUrl};
use crate::{Error, RedisBackend, Result};
use cachekit_core::ErrorCode;

/// Makes a [`RedisBackend`] of settings, which [`build`](Self::build) checks.
///
/// ```
/// # use std::time::Duration;
/// use cachekit_redis::RedisBackend;
///
/// let redis = RedisBackend::builder()
///     .url("redis://localhost")
///     .command_timeout(Duration::from_millis(250))
///     .build()?;
/// # Ok::<(), cachekit_redis::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder makes nothing until `build`"]
pub struct RedisBuilder {
    url: Option<SecretString>,
    connect_timeout: Option<Duration>,
    command_timeout: Option<Duration>,
    connections: Option<usize>,
}

impl RedisBuilder {
    /// The server: see [`RedisUrl`]. Has to be said.
    pub fn url(self, url: &str) -> Self {
        Self { url: Some(url.into()), ..self }
    }

    /// [`RedisConfig::connect_timeout`].
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: Some(limit), ..self }
    }

    /// [`RedisConfig::command_timeout`].
    pub fn command_timeout(self, limit: Duration) -> Self {
        Self { command_timeout: Some(limit), ..self }
    }

    /// [`RedisConfig::connections`].
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: Some(connections), ..self }
    }

    /// Makes the backend, without any I/O.
    ///
    /// # Errors
    /// E044 if there is no URL, or a setting cannot be.
    pub fn build(self) -> Result<RedisBackend> {
        let Some(url) = &self.url else {
            return Err(Error::new(ErrorCode::E044, "Redis URL: expected one by `url`, got none"));
        };
        let url: RedisUrl = url.expose_secret().parse()?;
        let mut config = RedisConfig::new(url);
        config.connect_timeout = self.connect_timeout.unwrap_or(config.connect_timeout);
        config.command_timeout = self.command_timeout.unwrap_or(config.command_timeout);
        config.connections = self.connections.unwrap_or(config.connections);
        RedisBackend::from_config(config)
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("url", &self.url)
            .field("connect_timeout", &self.connect_timeout)
            .field("command_timeout", &self.command_timeout)
            .field("connections", &self.connections)
            .finish()
    }
}
