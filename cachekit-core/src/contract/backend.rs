//! [`Backend`]: where entries are stored.

mod shared;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::abilities::Abilities;
use crate::{BackendFault, Error, ErrorCode, Key, Result, Ttl};

/// Stores opaque bytes under opaque keys, each with a time to live.
///
/// Implement [`name`](Self::name), [`get`](Self::get), [`set`](Self::set) and [`delete`](Self::delete); the rest has
/// default bodies that are correct, if slow. What a store can do beyond that is offered through
/// [`abilities`](Self::abilities).
///
/// # Contract
/// 1. After an acknowledged `set`, `get` yields that value or a later one, until the entry ends, is deleted or evicted.
///    A backend may evict whatever it likes at any time, but never goes back to an older value.
/// 2. An entry whose time to live has passed is not returned. A time to live is rounded up to the
///    [resolution](Limits::resolution), never down, and [`Ttl::Never`] never ends by time.
/// 3. A missing entry is `Ok(None)`, never an error, and deleting one is a success.
/// 4. Values return byte for byte, the empty one too; a backend neither inspects nor re-encodes them.
/// 5. After an acknowledged `delete`, `get` yields nothing until a later `set`.
/// 6. What [`Entry::remaining`] says is true when the request is answered, within the resolution: known, never, or
///    honestly [unknown](Remaining::Unknown).
/// 7. Batches answer for each element in the order asked, duplicates included; one bad element does not spoil the rest.
/// 8. Clones and reopened handles see the same entries.
/// 9. No call waits without bound: a backend has time limits of its own, and says so in its documentation.
///
/// # Errors
/// Each with a code: [`Error::backend`](crate::Error::backend) finds it from the kind of trouble. A value over
/// [`Limits::max_value`] is E022, before anything is sent. Neither `Debug` nor an error shows values, credentials, or
/// keys in full.
///
/// # Cancellation
/// Every future may be dropped at any await. A dropped write leaves the old entry or the new one, never part of one,
/// and may still land later.
///
/// # Concurrency and ordering
/// Any number of callers at once. No order is promised between keys, nor between overlapping calls on one key; a call
/// that begins after another on the same key was acknowledged comes after it.
///
/// # Wrappers
/// A wrapper forwards every method, or what it wraps does it slowly: let clippy's `missing_trait_methods` watch. It
/// never forwards [`abilities`](Self::abilities) as they are: it offers an ability only through itself.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// A short name for logs, metrics and errors: "redis", "redb".
    fn name(&self) -> &str;

    /// Returns the live entry under `key`. Clauses 1 to 4 and 6.
    async fn get(&self, key: &Key) -> Result<Option<Entry>>;

    /// Stores `value` under `key`, instead of what was there, its time to live included. Clauses 1, 2 and 4.
    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()>;

    /// Removes the entry under `key`, if there is one. Clauses 3 and 5.
    async fn delete(&self, key: &Key) -> Result<()>;

    /// Whether there is a live entry under `key`.
    async fn exists(&self, key: &Key) -> Result<bool> {
        Ok(self.get(key).await?.is_some())
    }

    /// [`get`](Self::get) for each of `keys`. Clause 7.
    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.get(key).await);
        }
        answers
    }

    /// [`set`](Self::set) for each of `writes`. Clause 7; of two writes to one key the later one stays.
    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            answers.push(self.set(&write.key, write.value.clone(), &write.options).await);
        }
        answers
    }

    /// [`delete`](Self::delete) for each of `keys`. Clause 7.
    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.delete(key).await);
        }
        answers
    }

    /// Looks whether the store answers, with a call of its own that changes nothing.
    ///
    /// The default body asks for a key that does not exist.
    ///
    /// # Errors
    /// The error that any other call would meet.
    async fn health(&self) -> Result<Health> {
        let probe = Key::new("cachekit:health")?;
        self.get(&probe).await.map(|_| Health::default())
    }

    /// What the store can take. Asked once, when a cache is built.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// What the store can do beyond this trait. Asked once, when a cache is built: the answer does not change.
    fn abilities(&self) -> Abilities<'_> {
        Abilities::none()
    }

    /// The code under which this store's troubles are told: [`BackendFault::code`] unless it has codes of its own, as Redis
    /// has. For wrappers that meet trouble on the store's behalf, such as a call that took too long.
    fn code_of(&self, fault: BackendFault) -> ErrorCode {
        fault.code()
    }

    /// Ends the connections and what runs in the background. Calls that come later may fail. The second call does
    /// nothing.
    async fn close(&self) {}
}

/// An entry as a backend returns it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The bytes, as they were stored.
    pub value: Bytes,
    /// How long the entry still lives.
    pub remaining: Remaining,
    /// Whether the store says that the entry is past its freshness and kept only for hard times.
    pub stale: bool,
}

impl Entry {
    /// A fresh entry that still lives for `remaining`.
    #[must_use]
    pub fn new(value: Bytes, remaining: Remaining) -> Self {
        Self { value, remaining, stale: false }
    }

    /// The same entry, past its freshness.
    #[must_use]
    pub fn stale(self) -> Self {
        Self { stale: true, ..self }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, remaining, stale } = self;
        f.debug_struct("Entry")
            .field("value", &format_args!("{} bytes", value.len()))
            .field("remaining", remaining)
            .field("stale", stale)
            .finish()
    }
}

/// How long an entry still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remaining {
    /// So long.
    For(Duration),
    /// It does not end by time.
    Never,
    /// The store does not say.
    Unknown,
}

/// How an entry is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    /// How long the entry lives.
    pub ttl: Ttl,
}

impl SetOptions {
    /// Stores for as long as `ttl` says.
    #[must_use]
    pub fn new(ttl: Ttl) -> Self {
        Self { ttl }
    }
}

/// One element of [`Backend::set_many`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Write {
    /// Where.
    pub key: Key,
    /// What.
    pub value: Bytes,
    /// How.
    pub options: SetOptions,
}

impl Write {
    /// Stores `value` under `key`.
    #[must_use]
    pub fn new(key: Key, value: Bytes, options: SetOptions) -> Self {
        Self { key, value, options }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, options } = self;
        f.debug_struct("Write")
            .field("key", key)
            .field("value", &format_args!("{} bytes", value.len()))
            .field("options", options)
            .finish()
    }
}

/// What a store can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest value in bytes, if there is a limit.
    pub max_value: Option<usize>,
    /// The longest time to live, if there is a limit; a longer one is refused with E063.
    pub max_ttl: Option<Duration>,
    /// To what a time to live is rounded up, and within what a remaining life is told.
    ///
    /// A store whose clock ticks, say once a second, ends an entry up to a tick early. Its backend asks for so much more,
    /// and counts that in here.
    pub resolution: Duration,
}

impl Default for Limits {
    /// No limits, a resolution of a millisecond.
    fn default() -> Self {
        Self { max_value: None, max_ttl: None, resolution: Duration::from_millis(1) }
    }
}

impl Limits {
    /// With a largest value of so many bytes.
    #[must_use]
    pub fn with_max_value(self, bytes: usize) -> Self {
        Self { max_value: Some(bytes), ..self }
    }

    /// With a longest time to live.
    #[must_use]
    pub fn with_max_ttl(self, ttl: Duration) -> Self {
        Self { max_ttl: Some(ttl), ..self }
    }

    /// With another resolution.
    #[must_use]
    pub fn with_resolution(self, resolution: Duration) -> Self {
        Self { resolution, ..self }
    }

    /// Refuses what is over a limit: the first line of a `set`, in a backend that has limits. `backend` is its name.
    ///
    /// # Errors
    /// E022 for a value of more than `max_value` bytes, E063 for a time to live over `max_ttl`, with the figures.
    pub fn check(&self, backend: &'static str, bytes: usize, ttl: Ttl) -> Result<()> {
        let refuse = |code, message: String| Err(Error::new(code, message).with_backend(backend));
        match (self.max_value, self.max_ttl, ttl.as_duration()) {
            (Some(most), ..) if bytes > most => {
                refuse(ErrorCode::E022, format!("value: expected at most {most} bytes, got {bytes}"))
            }
            (_, Some(longest), Some(life)) if life > longest => {
                refuse(ErrorCode::E063, format!("time to live: expected at most {longest:?}, got {life:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// What a healthy store says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The version of the server, where it tells.
    pub version: Option<String>,
    /// Name and value of whatever else is worth knowing: role, memory, entries.
    pub details: Vec<(&'static str, String)>,
}

impl Health {
    /// With the version of the server.
    #[must_use]
    pub fn with_version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// With one more detail.
    #[must_use]
    pub fn with_detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_refuse_what_is_over_them_and_nothing_else() {
        let refused =
            |limits: Limits, bytes, ttl| limits.check("shelf", bytes, ttl).err().map(|error| error.to_string());
        let minute = Duration::from_secs(60);
        let limits = Limits::default().with_max_value(8).with_max_ttl(minute);
        assert_eq!(refused(limits, 8, Ttl::secs(60)), None);
        assert_eq!(refused(limits, 0, Ttl::Never), None);
        assert_eq!(refused(Limits::default(), usize::MAX, Ttl::secs(u64::MAX)), None);
        let large = "E022 SerializationError: value: expected at most 8 bytes, got 9 (backend shelf)";
        assert_eq!(refused(limits, 9, Ttl::millis(60_001)).as_deref(), Some(large));
        let long = "E063 BackendError: time to live: expected at most 60s, got 60.001s (backend shelf)";
        assert_eq!(refused(limits, 8, Ttl::millis(60_001)).as_deref(), Some(long));
    }
}
