//! [`RedisBackend`]: entries on a Redis server.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, Value};

use crate::builder::RedisBuilder;
use crate::config::{RedisConfig, RedisUrl};
use crate::error;
use crate::lanes::Lanes;
use cachekit_core::{
    Abilities, Backend, BackendFault, Entry, Error, ErrorCode, Expiring, Health, Key, Limits, Operation, Remaining,
    Result, SetOptions, Ttl, Write,
};

/// Entries on a Redis server. Clones are handles to the same connections.
///
/// Making one does no I/O: connections are opened when first needed, on the tokio runtime of the call that needs them,
/// and replaced when they die. [`connect`](Self::connect) and [`health`](Backend::health) look whether the server is
/// there.
///
/// # Limits
/// A call waits at most [`connect_timeout`](RedisConfig::connect_timeout) for a connection, where there is none, and
/// [`command_timeout`](RedisConfig::command_timeout) for the answer. Batches go in pieces of up to 1,000 keys or 16
/// MiB, each with that time; after a piece that got no answer the rest is not tried.
///
/// A value is at most 512 MiB, a time to live at most 146 million years, told in milliseconds. `get` does not say how
/// long an entry still lives ([`Remaining::Unknown`]): that would be a second command. [`Expiring::remaining`] does.
///
/// # Errors
/// - E010 not reachable, name not resolved, connection broken (what was sent may still have been done), not Redis.
///   While the server is down, calls fail with it at once, until the next attempt is due: at most half a second.
/// - E011 not connected, or no answer, in time. What was sent may still be done.
/// - E013 user or password refused, or not permitted to do so.
/// - E014 the server is loading, a replica, out of memory, has too many clients, or the like.
/// - E021 something else than a string is stored under the key. In `get_many` it counts as missing, as Redis has it.
/// - E022 the value is too large. E063 the time to live is too long. Nothing is sent.
/// - E036 the backend is closed.
/// - E044 the server has no such database, or is a node of a cluster.
/// - E066 anything else that the server answers.
///
/// # Cancellation
/// Any future may be dropped at any time: other calls over the same connection go on undisturbed.
#[derive(Clone)]
pub struct RedisBackend {
    pub(crate) lanes: Arc<Lanes>,
}

impl RedisBackend {
    /// Begins with settings other than the default ones.
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// The server of `url`, with the default settings. Does no I/O.
    ///
    /// # Errors
    /// E044 if `url` is no URL of a Redis server: see [`RedisUrl`].
    pub fn from_url(url: &str) -> Result<Self> {
        Self::from_config(RedisConfig::new(url.parse::<RedisUrl>()?))
    }

    /// What the environment says: `read` gives the value of a variable. See [`RedisConfig::from_env`]. Does no I/O.
    ///
    /// # Errors
    /// E040 if no URL is set; E041 for a value that cannot be.
    pub fn from_env(read: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        Self::from_config(RedisConfig::from_env(read)?)
    }

    /// What `config` says. Does no I/O.
    ///
    /// # Errors
    /// E044 if a setting is out of range.
    pub fn from_config(config: RedisConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { lanes: Arc::new(Lanes::new(config)) })
    }

    /// Connects now rather than with the first call.
    ///
    /// # Errors
    /// As for every call.
    pub async fn connect(&self) -> Result<()> {
        self.lanes.lease().await.map(|_| ()).map_err(|error| error.with_operation(Operation::Connect))
    }

    /// Sends `command` and reads the answer.
    async fn ask<T>(&self, command: &Cmd, read: impl FnOnce(Value) -> Answer<T>) -> Result<T> {
        let lease = self.lanes.lease().await?;
        match lease.send(command).await {
            Ok(Value::ServerError(refusal)) => Err(error::from_server(&refusal, self.lanes.address())),
            Ok(value) => read(value).map_err(|value| {
                // An answer of the wrong kind may be the answer to another command.
                self.lanes.retire(lease.connection());
                error::unexpected(&value, self.lanes.address())
            }),
            Err(failure) => {
                self.lanes.retire(lease.connection());
                Err(error::from_driver(&failure, self.lanes.address(), self.lanes.config().command_timeout))
            }
        }
    }

    /// [`ask`](Self::ask) for several commands at once: an answer for each, or one error if there were none.
    pub(crate) async fn ask_all<T>(
        &self,
        commands: &redis::Pipeline,
        read: impl Fn(Value) -> Answer<T>,
    ) -> Result<Vec<Result<T>>> {
        let lease = self.lanes.lease().await?;
        let answers = match lease.send_all(commands).await {
            Ok(answers) => answers,
            Err(failure) => {
                // A transaction that the server refused is whole: the connection is as good as before.
                if let Some([(_, refusal), ..]) = failure.clone().into_server_errors().as_deref() {
                    return Err(error::from_server(refusal, self.lanes.address()));
                }
                self.lanes.retire(lease.connection());
                return Err(error::from_driver(&failure, self.lanes.address(), self.lanes.config().command_timeout));
            }
        };
        let read = |answer| match answer {
            Value::ServerError(refusal) => Err(error::from_server(&refusal, self.lanes.address())),
            value => read(value).map_err(|value| {
                self.lanes.retire(lease.connection());
                error::unexpected(&value, self.lanes.address())
            }),
        };
        Ok(answers.into_iter().map(read).collect())
    }

    /// [`ask`](Self::ask) with the keys of an `MGET`.
    pub(crate) async fn ask_for(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        let mut command = command("MGET", keys.len(), keys.iter().map(|key| key.as_str().len() + OVERHEAD).sum());
        for key in keys {
            command.arg(key.as_str());
        }
        self.ask(&command, |value| match value {
            Value::Array(values) if values.len() == keys.len() => values.into_iter().map(entry).collect(),
            other => Err(other),
        })
        .await
    }
}

#[async_trait]
impl Backend for RedisBackend {
    fn name(&self) -> &str {
        error::NAME
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let found = self.ask(&about("GET", key), entry).await;
        found.map_err(|error| error.with_operation(Operation::Get).with_key(key))
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        let done = match write(key, &value, options) {
            Ok(command) => self.ask(&command, done).await,
            Err(error) => Err(error),
        };
        done.map_err(|error| error.with_operation(Operation::Set).with_key(key))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let count = self.ask(&remove(key), number).await;
        count.map(|_| ()).map_err(|error| error.with_operation(Operation::Delete).with_key(key))
    }

    async fn exists(&self, key: &Key) -> Result<bool> {
        let count = self.ask(&about("EXISTS", key), number).await;
        count.map(|count| count > 0).map_err(|error| error.with_operation(Operation::Exists).with_key(key))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.get_in_pieces(keys).await
    }

    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        self.set_in_pieces(writes).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        self.delete_in_pieces(keys).await
    }

    /// Asks with PING, and with INFO for the version, the role and the use of memory. Without them if the user may not
    /// INFO.
    async fn health(&self) -> Result<Health> {
        let look = async {
            self.ask(&redis::cmd("PING"), done).await?;
            match self.ask(&redis::cmd("INFO"), bytes).await {
                Ok(info) => Ok(health(&String::from_utf8_lossy(&info))),
                Err(error) if matches!(error.code(), ErrorCode::E013 | ErrorCode::E066) => Ok(Health::default()),
                Err(error) => Err(error),
            }
        };
        look.await.map_err(|error: Error| error.with_operation(Operation::Health))
    }

    fn limits(&self) -> Limits {
        Limits::default().with_max_value(MAX_VALUE).with_max_ttl(MAX_TTL)
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::none().with_expiring(self)
    }

    /// E011 for a call that took too long, E010 for a server that is not reached, E013 for refused credentials, E014 for
    /// what the server reports of itself.
    fn code_of(&self, fault: BackendFault) -> ErrorCode {
        match fault {
            BackendFault::Timeout => ErrorCode::E011,
            BackendFault::Unreachable => ErrorCode::E010,
            BackendFault::Authentication => ErrorCode::E013,
            BackendFault::Server => ErrorCode::E014,
            other => other.code(),
        }
    }

    async fn close(&self) {
        self.lanes.close();
    }
}

#[async_trait]
impl Expiring for RedisBackend {
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>> {
        let millis = self.ask(&about("PTTL", key), number).await;
        let remaining = millis.map(|millis| match millis {
            -1 => Some(Remaining::Never),
            millis => u64::try_from(millis).ok().map(|millis| Remaining::For(Duration::from_millis(millis))),
        });
        remaining.map_err(|error| error.with_operation(Operation::Ttl).with_key(key))
    }

    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let found = match ttl.as_duration() {
            Some(life) => match millis(life) {
                Ok(millis) => self.ask(about("PEXPIRE", key).arg(millis), number).await.map(|count| count > 0),
                Err(error) => Err(error),
            },
            None => self.persist(key).await,
        };
        found.map_err(|error| error.with_operation(Operation::Expire).with_key(key))
    }
}

impl RedisBackend {
    /// Takes the end of an entry away. PERSIST alone does not tell an entry without an end from none at all.
    async fn persist(&self, key: &Key) -> Result<bool> {
        let mut both = redis::pipe();
        both.atomic().add_command(about("PERSIST", key)).add_command(about("EXISTS", key));
        let answers = self.ask_all(&both, |value| match value {
            Value::Array(mut values) => values.pop().ok_or(Value::Nil).and_then(number),
            other => number(other),
        });
        let found = answers.await?.pop().unwrap_or(Ok(0));
        found.map(|count| count > 0)
    }
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisBackend").field(self.lanes.config()).finish()
    }
}

/// What an answer means, or the answer itself if the command never has such a one.
pub(crate) type Answer<T> = std::result::Result<T, Value>;

fn entry(value: Value) -> Answer<Option<Entry>> {
    match value {
        Value::Nil => Ok(None),
        found => bytes(found).map(|value| Some(Entry::new(value, Remaining::Unknown))),
    }
}

fn bytes(value: Value) -> Answer<Bytes> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.into()),
        Value::VerbatimString { text, .. } => Ok(text.into()),
        other => Err(other),
    }
}

pub(crate) fn done(value: Value) -> Answer<()> {
    match value {
        Value::Okay | Value::SimpleString(_) => Ok(()),
        other => Err(other),
    }
}

pub(crate) fn number(value: Value) -> Answer<i64> {
    match value {
        Value::Int(number) => Ok(number),
        other => Err(other),
    }
}

/// The command that stores, or the error for what Redis would not take.
pub(crate) fn write(key: &Key, value: &Bytes, options: &SetOptions) -> Result<Cmd> {
    if value.len() > MAX_VALUE {
        let message = format!("value: expected at most {MAX_VALUE} bytes, got {}", value.len());
        return Err(Error::new(ErrorCode::E022, message).with_backend(error::NAME));
    }
    let mut set = command("SET", 4, key.as_str().len() + value.len() + 2 * OVERHEAD);
    set.arg(key.as_str()).arg(&value[..]);
    if let Some(life) = options.ttl.as_duration() {
        set.arg("PX").arg(millis(life)?);
    }
    Ok(set)
}

/// The command that removes, and lets the server free the memory in its own time.
pub(crate) fn remove(key: &Key) -> Cmd {
    about("UNLINK", key)
}

fn about(name: &str, key: &Key) -> Cmd {
    let mut command = command(name, 2, key.as_str().len() + OVERHEAD);
    command.arg(key.as_str());
    command
}

fn command(name: &str, arguments: usize, bytes: usize) -> Cmd {
    let mut command = Cmd::with_capacity(arguments + 1, name.len() + bytes);
    command.arg(name);
    command
}

/// A time to live in milliseconds, rounded up.
fn millis(life: Duration) -> Result<u64> {
    if life > MAX_TTL {
        let message = format!("time to live: expected at most {MAX_TTL:?}, got {life:?}");
        return Err(Error::new(ErrorCode::E063, message).with_backend(error::NAME));
    }
    Ok(u64::try_from(life.as_nanos().div_ceil(1_000_000)).expect("the longest time to live fits in 64 bits"))
}

/// What INFO says: `name:value` in lines.
fn health(info: &str) -> Health {
    let value = |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let mut health = Health::default();
    if let Some(version) = value("valkey_version").or_else(|| value("redis_version")) {
        health = health.with_version(version);
    }
    for name in ["role", "used_memory", "maxmemory", "maxmemory_policy", "connected_clients", "evicted_keys"] {
        if let Some(value) = value(name) {
            health = health.with_detail(name, value);
        }
    }
    health
}

/// The most that a Redis server takes as it comes (`proto-max-bulk-len`).
pub(crate) const MAX_VALUE: usize = 512 << 20;
/// Redis adds it to the present time in milliseconds, and both have to fit in a signed number of 64 bits.
const MAX_TTL: Duration = Duration::from_millis(1 << 62);
/// What the protocol adds to an argument, at most.
const OVERHEAD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_are_rounded_up_to_milliseconds() {
        let cases = [(1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (1_999_999, 2), (60_000_000_000, 60_000)];
        for (nanos, expected) in cases {
            assert_eq!(millis(Duration::from_nanos(nanos)).unwrap(), expected);
        }
        assert_eq!(millis(MAX_TTL).unwrap(), 1 << 62);
        assert_eq!(millis(MAX_TTL + Duration::from_nanos(1)).unwrap_err().code(), ErrorCode::E063);
    }

    #[test]
    fn info_is_read_as_far_as_it_goes() {
        let told =
            health("# Server\r\nredis_version:7.0.15\r\nredis_version_next:8\r\n\r\n# Memory\r\nused_memory:1024\r\n");
        assert_eq!(told, Health::default().with_version("7.0.15").with_detail("used_memory", "1024"));
        assert_eq!(health("redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n").version.as_deref(), Some("8.1.0"));
        assert_eq!(health("garbage"), Health::default());
    }
}
