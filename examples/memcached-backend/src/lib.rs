//! [`Memcached`]: memcached as a CacheKit backend, to read when you write one for a networked store of your own.

use std::fmt;
use std::time::Duration;

use async_memcached::{Client, Error as Trouble, MetaProtocol, Status};
use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{Backend, BackendFault, Entry, Error, Key, Limits, Remaining, Result, SetOptions};
use deadpool::unmanaged::Pool;

/// One memcached server, version 1.6 or newer.
///
/// Values have at most 1,047,552 bytes: memcached's mebibyte, less what it keeps beside a value. A time to live is at
/// most two seconds short of 30 days, for memcached reads a longer one as a date. It is rounded up to the second, and
/// because the server's clock lags by up to two, an entry lives for up to two seconds longer; never for less.
///
/// A call ends within two seconds, waiting for one of the 16 connections included, with E064. After the server has been
/// restarted a call fails with E065 for each connection that was open.
pub struct Memcached {
    address: String,
    connections: Pool<Option<Client>>,
}

impl Memcached {
    /// The server at `address`, as in "127.0.0.1:11211". The first call connects.
    pub fn new(address: &str) -> Self {
        Self { address: format!("tcp://{address}"), connections: Pool::from([const { None }; 16]) }
    }

    /// Makes one request, on a connection that is idle or new. One that did not end well is not used again.
    /// Where there is nothing, the answer is nothing.
    async fn ask<T: Default>(&self, request: impl AsyncFnOnce(&mut Client) -> Result<T, Trouble>) -> Result<T> {
        let asked = async {
            let mut place = self.connections.get().await.map_err(|_| Trouble::ConnectionClosed)?;
            let client = match place.take().filter(|client| !client.is_closed()) {
                Some(idle) => idle,
                None => Client::new(&self.address).await?,
            };
            request(place.insert(client)).await
        };
        let (fault, told) = match tokio::time::timeout(Duration::from_secs(2), asked).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(Trouble::Protocol(Status::NotFound))) => return Ok(T::default()),
            Ok(Err(trouble @ Trouble::Protocol(_))) => (BackendFault::Server, trouble.to_string()),
            Ok(Err(trouble)) => (BackendFault::Unreachable, trouble.to_string()),
            Err(_) => (BackendFault::Timeout, "no answer within 2 s".to_owned()),
        };
        Err(Error::backend(NAME, fault, told))
    }
}

#[async_trait]
impl Backend for Memcached {
    fn name(&self) -> &str {
        NAME
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let found = self.ask(async |client| client.meta_get(key.as_str(), false, None, Some(&["v"])).await).await?;
        Ok(found.map(|found| Entry::new(found.data.unwrap_or_default().into(), Remaining::Unknown)))
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.limits().check(NAME, value.len(), options.ttl)?;
        let life = options.ttl.whole(Duration::from_secs(1)).map_or(0, |seconds| seconds + LAG.as_secs());
        let ttl = &*format!("T{life}");
        self.ask(async |client| client.meta_set(key.as_str(), &*value, false, None, Some(&[ttl])).await).await.map(drop)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.ask(async |client| client.meta_delete(key.as_str(), false, None, None).await).await.map(drop)
    }

    fn limits(&self) -> Limits {
        Limits::default().with_max_value(1_047_552).with_max_ttl(Duration::from_secs(2_591_998)).with_resolution(LAG)
    }

    async fn close(&self) {
        self.connections.close();
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached").field("address", &self.address).finish_non_exhaustive()
    }
}

const NAME: &str = "memcached";
/// The server's clock shows whole seconds and is set once a second, so it is up to two behind.
const LAG: Duration = Duration::from_secs(2);
