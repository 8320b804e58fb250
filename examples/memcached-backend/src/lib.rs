//! [`Memcached`]: memcached as a CacheKit backend, to read when you write one for a networked store of your own.

use std::fmt;
use std::io::ErrorKind::InvalidInput;
use std::time::Duration;

use async_memcached::{Client, Error as Trouble, ErrorKind, MetaProtocol, Status};
use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Abilities, Backend, BackendFault, Entry, Error, ErrorCode, Expiring, Health, Key, Limits, Remaining, Result,
    SetOptions, Ttl,
};
use tokio::sync::{Mutex, Semaphore};

/// One memcached server, version 1.6 or newer.
///
/// Values have at most 1,047,552 bytes: memcached's mebibyte, less what it keeps beside a value. A time to live is at
/// most two seconds short of 30 days, for memcached reads a longer one as a date. It is rounded up to the second, and
/// because the server's clock lags by up to two, an entry lives for up to two seconds longer; never for less.
///
/// A call ends within two seconds, waiting for one of the 16 connections included, with E064. The first call after the
/// server has been restarted fails with E065 where an old connection is left, and takes the others with it.
pub struct Memcached {
    address: String,
    slots: Semaphore,
    idle: Mutex<Vec<Client>>,
}

impl Memcached {
    /// The server at `address`, as in "127.0.0.1:11211". The first call connects.
    #[must_use]
    pub fn new(address: impl AsRef<str>) -> Self {
        Self {
            address: format!("tcp://{}", address.as_ref()),
            slots: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
        }
    }

    /// Makes one request, on a connection that is idle or new. One that did not end well is not used again.
    async fn ask<T>(&self, request: impl AsyncFnOnce(&mut Client) -> Answer<T>) -> Result<T> {
        let asked = tokio::time::timeout(TIME_LIMIT, async {
            let _slot = self.slots.acquire().await;
            let idle = self.idle.lock().await.pop();
            let mut client = match idle {
                Some(client) => client,
                None => Client::new(&self.address).await?,
            };
            let answer = request(&mut client).await;
            match client.is_closed() {
                true => self.idle.lock().await.clear(), // the same server has the others, too
                false => self.idle.lock().await.push(client),
            }
            answer
        });
        let no_answer = |_| Error::backend(NAME, BackendFault::Timeout, format!("no answer within {TIME_LIMIT:?}"));
        asked.await.map_err(no_answer)?.map_err(|trouble| told(&trouble))
    }
}

#[async_trait]
impl Backend for Memcached {
    fn name(&self) -> &str {
        NAME
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let found =
            self.ask(async |client| client.meta_get(key.as_str(), false, None, Some(&["v", "t"])).await).await?;
        Ok(found.map(|found| Entry::new(found.data.unwrap_or_default().into(), remaining(found.ttl_remaining))))
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        if value.len() > MAX_VALUE {
            let message = format!("expected at most {MAX_VALUE} bytes, got {}", value.len());
            return Err(Error::new(ErrorCode::E022, message).with_backend(NAME));
        }
        let life = life(options.ttl)?;
        self.ask(async |client| client.meta_set(key.as_str(), &value[..], false, None, Some(&[&life])).await).await?;
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let delete = async |client: &mut Client| match client.meta_delete(key.as_str(), false, None, None).await {
            Ok(_) | Err(Trouble::Protocol(Status::NotFound)) => Ok(()),
            Err(trouble) => Err(trouble),
        };
        self.ask(delete).await
    }

    async fn health(&self) -> Result<Health> {
        self.ask(async |client| client.version().await).await.map(|version| Health::default().with_version(version))
    }

    fn limits(&self) -> Limits {
        Limits::default().with_max_value(MAX_VALUE).with_max_ttl(MAX_TTL).with_resolution(LAG)
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::none().with_expiring(self)
    }

    async fn close(&self) {
        self.idle.lock().await.clear();
    }
}

#[async_trait]
impl Expiring for Memcached {
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>> {
        let found = self.ask(async |client| client.meta_get(key.as_str(), false, None, Some(&["t"])).await).await?;
        Ok(found.map(|found| remaining(found.ttl_remaining)))
    }

    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let life = life(ttl)?;
        // Asking for the life as well tells an entry from none: without a flag that has an answer, the driver does not.
        let found = self.ask(async |client| client.meta_get(key.as_str(), false, None, Some(&["t", &life])).await);
        Ok(found.await?.is_some())
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The flag that sets the life of an entry; zero is for ever.
fn life(ttl: Ttl) -> Result<String> {
    let Some(life) = ttl.as_duration() else { return Ok("T0".to_owned()) };
    if life > MAX_TTL {
        let message = format!("expected a time to live of at most {MAX_TTL:?}, got {life:?}");
        return Err(Error::backend(NAME, BackendFault::Permanent, message));
    }
    let whole = life.as_secs() + u64::from(life.subsec_nanos() > 0);
    Ok(format!("T{}", whole + LAG.as_secs()))
}

/// What is left of the life that was asked for: [`life`] backwards.
fn remaining(seconds: Option<i64>) -> Remaining {
    match seconds.map(u64::try_from) {
        Some(Ok(seconds)) => Remaining::For(Duration::from_secs(seconds).saturating_sub(LAG)),
        Some(Err(_)) => Remaining::Never, // -1
        None => Remaining::Unknown,
    }
}

fn told(trouble: &Trouble) -> Error {
    let fault = match trouble {
        Trouble::Connect(cause) if cause.kind() == InvalidInput => BackendFault::Permanent, // not an address
        Trouble::Connect(_) | Trouble::Io(_) | Trouble::ConnectionClosed => BackendFault::Unreachable,
        Trouble::Protocol(Status::Error(ErrorKind::Server(_))) => BackendFault::Server,
        Trouble::Protocol(Status::Error(ErrorKind::Client(_))) => BackendFault::Permanent,
        _ => BackendFault::Unknown,
    };
    Error::backend(NAME, fault, trouble.to_string())
}

type Answer<T> = std::result::Result<T, Trouble>;

const NAME: &str = "memcached";
const CONNECTIONS: usize = 16;
const TIME_LIMIT: Duration = Duration::from_secs(2);
const MAX_VALUE: usize = (1 << 20) - (1 << 10);
/// The server's clock shows whole seconds and is set once a second, so it is up to two behind.
const LAG: Duration = Duration::from_secs(2);
const MAX_TTL: Duration = Duration::from_secs(30 * 86_400 - LAG.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_told_a_life_that_its_clock_cannot_cut_short() {
        for (asked, told) in [(1, "T3"), (1_000, "T3"), (1_001, "T4"), (59_999, "T62")] {
            assert_eq!(life(Ttl::millis(asked)).unwrap(), told, "{asked} ms");
        }
        assert_eq!(life(Ttl::For(cachekit_core::NonZeroDuration::new(MAX_TTL).unwrap())).unwrap(), "T2592000");
        assert_eq!(remaining(Some(62)), Remaining::For(Duration::from_secs(60)));
        assert_eq!(remaining(Some(1)), Remaining::For(Duration::ZERO));
    }
}
