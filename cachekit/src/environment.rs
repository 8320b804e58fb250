//! [`Environment`]: the environment variables, handed in rather than looked up.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cachekit_core::{Error, ErrorCode, Result};

/// The environment variables of a process, or those that a test makes up.
///
/// `Debug` shows names only: values may be secrets.
#[derive(Clone)]
pub struct Environment(Arc<BTreeMap<OsString, OsString>>);

impl Environment {
    /// The variables of this process as they are now.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`, as it is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value of `name` unless it is blank: for keys and URLs, where blank means unset.
    ///
    /// E041 if it is not UTF-8.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.to_str() {
            Some(value) if value.trim().is_empty() => Ok(None),
            Some(value) => Ok(Some(value)),
            None => Err(Error::invalid(ErrorCode::E041, name, "UTF-8", "other bytes")),
        }
    }

    /// The value of `name` as a whole number from `least` to `most`.
    ///
    /// E041 for anything else, blank included.
    pub(crate) fn whole<N: FromStr + PartialOrd + fmt::Display>(
        &self,
        name: &str,
        least: N,
        most: N,
    ) -> Result<Option<N>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.to_str().and_then(|text| text.trim().parse().ok()) {
            Some(number) if number >= least && number <= most => Ok(Some(number)),
            _ => {
                let expected = format_args!("a whole number from {least} to {most}");
                Err(Error::invalid(ErrorCode::E041, name, expected, format_args!("{value:?}")))
            }
        }
    }

    /// The value of `name` as one of the words for yes and no: `1 0 true false yes no on off t f y n`, in whatever case.
    ///
    /// E041 for anything else, blank included.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.to_str().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            Some("1" | "true" | "yes" | "on" | "t" | "y") => Ok(Some(true)),
            Some("0" | "false" | "no" | "off" | "f" | "n") => Ok(Some(false)),
            _ => {
                let expected = "one of 1 0 true false yes no on off t f y n";
                Err(Error::invalid(ErrorCode::E041, name, expected, format_args!("{value:?}")))
            }
        }
    }

    /// Looks for names that were meant for CacheKit but are not read: E041 where that would be fatal, else a warning
    /// each.
    pub(crate) fn check_names(&self) -> Result<()> {
        for name in self.0.keys().filter_map(|name| name.to_str()) {
            if let Some(rest) = name.strip_prefix("CACHE_") {
                let right = format!("CACHEKIT_{rest}");
                if MISTAKEN.contains(&name) && self.text(&right)?.is_none() {
                    return Err(Error::invalid(
                        ErrorCode::E041,
                        name,
                        format_args!("the name {right}"),
                        "the prefix CACHE_",
                    ));
                }
                if KNOWN.contains(&right.as_str()) {
                    tracing::warn!(
                        name,
                        right,
                        "environment variable not read: for CacheKit its name would be another"
                    );
                }
            } else if name.starts_with("CACHEKIT_") && !KNOWN.contains(&name) {
                let nearest = KNOWN.iter().max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)));
                tracing::warn!(name, nearest, "environment variable not read: no CacheKit client knows it");
            }
        }
        Ok(())
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(Arc::new(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Names with the wrong prefix that would silently leave a program without its cache or its encryption.
const MISTAKEN: [&str; 4] = ["CACHE_API_KEY", "CACHE_API_URL", "CACHE_MASTER_KEY", "CACHE_REDIS_URL"];

/// Every name that some CacheKit client reads, this one or another that shares the machine.
const KNOWN: [&str; 36] = [
    "CACHEKIT_ALLOW_CUSTOM_HOST",
    "CACHEKIT_API_KEY",
    "CACHEKIT_API_URL",
    "CACHEKIT_ARROW_COMPRESSION",
    "CACHEKIT_CONNECTION_POOL_SIZE",
    "CACHEKIT_DEPLOYMENT_UUID",
    "CACHEKIT_DEV_MODE",
    "CACHEKIT_DISABLE_HIREDIS",
    "CACHEKIT_ENCRYPTION_FAIL_CLOSED",
    "CACHEKIT_FILE_CACHE_DIR",
    "CACHEKIT_FILE_DIR_PERMISSIONS",
    "CACHEKIT_FILE_LOCK_TIMEOUT_SECONDS",
    "CACHEKIT_FILE_MAX_ENTRY_COUNT",
    "CACHEKIT_FILE_MAX_SIZE_MB",
    "CACHEKIT_FILE_MAX_VALUE_MB",
    "CACHEKIT_FILE_PERMISSIONS",
    "CACHEKIT_INVALIDATION_LISTENER_ENABLED",
    "CACHEKIT_L1_CLEANUP_INTERVAL_SECONDS",
    "CACHEKIT_L1_MAX_SIZE_MB",
    "CACHEKIT_LOG_SAMPLING_RATE",
    "CACHEKIT_MASTER_KEY",
    "CACHEKIT_MAX_RETRIES",
    "CACHEKIT_MAX_VALUE_SIZE",
    "CACHEKIT_MEMCACHED_CONNECT_TIMEOUT",
    "CACHEKIT_MEMCACHED_KEY_PREFIX",
    "CACHEKIT_MEMCACHED_MAX_ITEM_SIZE_BYTES",
    "CACHEKIT_MEMCACHED_MAX_POOL_SIZE",
    "CACHEKIT_MEMCACHED_RETRY_ATTEMPTS",
    "CACHEKIT_MEMCACHED_SERVERS",
    "CACHEKIT_MEMCACHED_TIMEOUT",
    "CACHEKIT_PREVIOUS_MASTER_KEYS",
    "CACHEKIT_REDIS_URL",
    "CACHEKIT_SOCKET_CONNECT_TIMEOUT",
    "CACHEKIT_SOCKET_KEEPALIVE",
    "CACHEKIT_SOCKET_TIMEOUT",
    "CACHEKIT_TIMEOUT",
];
