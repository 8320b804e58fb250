//! What [`MemoryBackend`] can do beyond [`Backend`](crate::Backend): everything that there is a trait for.

use std::future::poll_fn;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::watchers::WatchId;
use super::{MemoryBackend, Shared};
use crate::sync::Arc;
use crate::{
    Acquired, Change, Clearable, Counting, Expiring, FenceToken, Fenced, Key, KeyPrefix, Operation, Remaining, Result,
    SetOptions, Ttl, Watch, Watchable,
};

#[async_trait]
impl Fenced for MemoryBackend {
    async fn acquire(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<Acquired> {
        self.step(Operation::Acquire, |store, _, now| store.acquire(key, token, lease, now))
    }

    async fn renew(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<bool> {
        self.step(Operation::Renew, |store, _, now| store.renew_fence(key, token, lease, now))
    }

    async fn release(&self, key: &Key, token: &FenceToken) -> Result<bool> {
        self.step(Operation::Release, |store, _, now| store.release(key, token, now))
    }

    async fn set_fenced(&self, key: &Key, token: &FenceToken, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.check_size(Operation::Set, key, &value)?;
        self.step(Operation::Set, |store, by, now| store.set_fenced(by, key, token, value, options.ttl, now))
    }

    async fn set_and_revoke(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.check_size(Operation::Set, key, &value)?;
        self.step(Operation::Set, |store, by, now| store.set_and_revoke(by, key, value, options.ttl, now))
    }

    async fn delete_and_revoke(&self, key: &Key) -> Result<()> {
        self.step(Operation::Delete, |store, by, now| store.delete_and_revoke(by, key, now))
    }
}

#[async_trait]
impl Expiring for MemoryBackend {
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>> {
        self.step(Operation::Ttl, |store, _, now| store.remaining(key, now))
    }

    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.step(Operation::Expire, |store, by, now| store.renew(by, key, ttl, now))
    }
}

#[async_trait]
impl Clearable for MemoryBackend {
    async fn clear(&self, prefix: &KeyPrefix) -> Result<()> {
        self.step(Operation::Clear, |store, by, _| store.clear(by, prefix))
    }
}

#[async_trait]
impl Counting for MemoryBackend {
    async fn epoch(&self, prefix: &KeyPrefix) -> Result<u64> {
        self.step(Operation::Epoch, |store, _, _| store.epoch(prefix))
    }

    async fn advance(&self, prefix: &KeyPrefix) -> Result<u64> {
        self.step(Operation::Epoch, |store, _, _| store.advance(prefix))
    }
}

#[async_trait]
impl Watchable for MemoryBackend {
    async fn watch(&self, prefix: &KeyPrefix) -> Result<Box<dyn Watch>> {
        let id = self.step(Operation::Watch, |store, by, _| store.watch(by, prefix))?;
        Ok(Box::new(MemoryWatch { id, shared: Arc::clone(&self.handle.shared) }))
    }
}

/// Its changes wait in the store until they are taken, so that dropping a `next` loses none.
struct MemoryWatch {
    id: WatchId,
    shared: Arc<Shared>,
}

#[async_trait]
impl Watch for MemoryWatch {
    async fn next(&mut self) -> Option<Change> {
        poll_fn(|context| {
            let waker = context.waker().clone();
            self.shared.step(|store| store.poll_watch(self.id, waker))
        })
        .await
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.shared.step(|store| store.end_watch(self.id));
    }
}
