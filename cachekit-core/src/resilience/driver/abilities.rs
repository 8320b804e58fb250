//! What [`ResilientBackend`] offers: the abilities of the backend that it wraps, each through the policies.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::ResilientBackend;
use crate::{
    Abilities, Acquired, Clearable, Counting, Error, ErrorCode, Expiring, FenceToken, Fenced, Key, KeyPrefix,
    Operation, Remaining, Result, SetOptions, Ttl, Watch, Watchable,
};

impl ResilientBackend {
    /// The same abilities as the backend's, through itself.
    pub(super) fn offered(&self) -> Abilities<'_> {
        let inner = self.driver.inner.abilities();
        Abilities {
            fenced: inner.fenced.map(|_| self as _),
            expiring: inner.expiring.map(|_| self as _),
            clearable: inner.clearable.map(|_| self as _),
            watchable: inner.watchable.map(|_| self as _),
            counting: inner.counting.map(|_| self as _),
        }
    }

    fn fenced(&self) -> Result<&dyn Fenced> {
        self.driver.inner.abilities().fenced.ok_or_else(|| self.absent("fenced"))
    }

    fn expiring(&self) -> Result<&dyn Expiring> {
        self.driver.inner.abilities().expiring.ok_or_else(|| self.absent("expiring"))
    }

    fn clearable(&self) -> Result<&dyn Clearable> {
        self.driver.inner.abilities().clearable.ok_or_else(|| self.absent("clearable"))
    }

    fn watchable(&self) -> Result<&dyn Watchable> {
        self.driver.inner.abilities().watchable.ok_or_else(|| self.absent("watchable"))
    }

    fn counting(&self) -> Result<&dyn Counting> {
        self.driver.inner.abilities().counting.ok_or_else(|| self.absent("counting"))
    }

    /// Only who calls the trait by its name gets here: the ability is not offered.
    fn absent(&self, ability: &str) -> Error {
        let message = format!("the backend below is not {ability}");
        Error::new(ErrorCode::E047, message).with_backend(self.driver.inner.name().to_owned())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Fenced for ResilientBackend {
    async fn acquire(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<Acquired> {
        let fenced = self.fenced()?;
        self.call(Operation::Acquire, || fenced.acquire(key, token, lease)).await
    }

    async fn renew(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<bool> {
        let fenced = self.fenced()?;
        self.call(Operation::Renew, || fenced.renew(key, token, lease)).await
    }

    async fn release(&self, key: &Key, token: &FenceToken) -> Result<bool> {
        let fenced = self.fenced()?;
        self.call(Operation::Release, || fenced.release(key, token)).await
    }

    async fn set_fenced(&self, key: &Key, token: &FenceToken, value: Bytes, options: &SetOptions) -> Result<bool> {
        let fenced = self.fenced()?;
        self.call(Operation::Set, || fenced.set_fenced(key, token, value.clone(), options)).await
    }

    async fn set_and_revoke(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        let fenced = self.fenced()?;
        self.call(Operation::Set, || fenced.set_and_revoke(key, value.clone(), options)).await
    }

    async fn delete_and_revoke(&self, key: &Key) -> Result<()> {
        let fenced = self.fenced()?;
        self.call(Operation::Delete, || fenced.delete_and_revoke(key)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Expiring for ResilientBackend {
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>> {
        let expiring = self.expiring()?;
        self.call(Operation::Ttl, || expiring.remaining(key)).await
    }

    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let expiring = self.expiring()?;
        self.call(Operation::Expire, || expiring.renew(key, ttl)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Clearable for ResilientBackend {
    async fn clear(&self, prefix: &KeyPrefix) -> Result<()> {
        let clearable = self.clearable()?;
        self.call(Operation::Clear, || clearable.clear(prefix)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Watchable for ResilientBackend {
    /// Beginning to watch passes the policies; what the watch tells does not.
    async fn watch(&self, prefix: &KeyPrefix) -> Result<Box<dyn Watch>> {
        let watchable = self.watchable()?;
        self.call(Operation::Watch, || watchable.watch(prefix)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Counting for ResilientBackend {
    async fn epoch(&self, prefix: &KeyPrefix) -> Result<u64> {
        let counting = self.counting()?;
        self.call(Operation::Epoch, || counting.epoch(prefix)).await
    }

    async fn advance(&self, prefix: &KeyPrefix) -> Result<u64> {
        let counting = self.counting()?;
        self.call(Operation::Epoch, || counting.advance(prefix)).await
    }
}
