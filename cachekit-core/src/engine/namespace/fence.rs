//! Fences: one process at a time loads a key, and a late one cannot overwrite.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, join_all, select};

use super::Namespace;
use super::load::Wish;
use super::read::{Copy, Found};
use crate::engine::cache::Engine;
use crate::engine::local_key::LocalKey;
use crate::engine::settings::LEASE;
use crate::engine::spans::{self, tell};
use crate::engine::staleness::Loads;
use crate::{Acquired, Error, ErrorCode, FenceToken, Fenced, Key, Operation, Result, SetOptions};

/// How trying to take a fence ended.
pub(super) enum Taken<T> {
    /// It is held.
    Held(Fence),
    /// Another process had loaded in the meantime.
    Found(Copy<T>),
    /// What is stored is not to be touched: [`Found::Newer`].
    Newer,
    /// What is stored is left in place, and the caller is told: the namespace [refuses](Namespace::refuses) it.
    Refused(Error),
    /// It is not held: the time is up, or the backend failed. The work is done without, and not stored.
    Without(Error),
}

/// A fence that is held. Dropped before it was used up, it is released in the background.
pub(super) struct Fence {
    engine: Arc<Engine>,
    key: Key,
    token: FenceToken,
    lost: AtomicBool,
    /// Whether there is nothing to release any more.
    over: bool,
}

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// Takes the fence of a key, waiting for other processes at most as long as the `lock_timeout` says.
    /// `wish` says what ends the search.
    pub(super) async fn take_fence(&self, fenced: &dyn Fenced, local: &LocalKey, key: &Key, wish: Wish) -> Taken<T> {
        let began = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let fence = Fence::new(&self.engine, key);
            let doubted = self.doubts(local, key);
            match self.call(Operation::Acquire, key, fence.take(fenced)).await {
                Ok(Acquired::Granted { found: Some(entry) }) if !doubted => match self.understand(key, &entry) {
                    Ok(Found::Live(copy)) if self.fulfils(&copy, wish) => return Taken::Found(copy),
                    Ok(Found::Newer) => return Taken::Newer,
                    Err(error) if self.refuses(&error) => return Taken::Refused(error),
                    // What cannot be read is overwritten.
                    Ok(Found::Live(_) | Found::Stale(_) | Found::Nothing) | Err(_) => return Taken::Held(fence),
                },
                Ok(Acquired::Granted { .. }) => return Taken::Held(fence),
                Ok(Acquired::Held) => fence.forget(),
                Err(error) => return Taken::Without(fence.not_taken(error)),
            }
            let left = self.settings.lock_timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                let limit = self.settings.lock_timeout;
                let error = Error::new(ErrorCode::E050, format!("another process holds it, waited {limit:?}"));
                self.core.stats.error(error.code());
                return Taken::Without(error.with_operation(Operation::Acquire).with_key(key));
            }
            tokio::time::sleep(self.with_chance(pause).min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.look(local).await {
                Ok(Found::Live(copy)) if self.fulfils(&copy, wish) => return Taken::Found(copy),
                Ok(Found::Newer) => return Taken::Newer,
                Ok(Found::Live(_) | Found::Stale(_) | Found::Nothing) => {}
                Err(error) if self.refuses(&error) => return Taken::Refused(error),
                Err(error) => return Taken::Without(error),
            }
        }
    }

    /// Half of `pause` to all of it, so that those who wait do not come at once.
    fn with_chance(&self, pause: Duration) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "53 bits of chance are plenty")]
        let chance = (self.engine.entropy.next() >> 11) as f64 / (1_u64 << 53) as f64;
        pause.mul_f64(0.5 + chance / 2.0)
    }
}

impl Fence {
    /// A fence that is about to be taken. Made before the request leaves, so that a caller who is dropped meanwhile
    /// leaves nothing behind.
    pub(super) fn new(engine: &Arc<Engine>, key: &Key) -> Self {
        let random = u128::from(engine.entropy.next()) << 64 | u128::from(engine.entropy.next());
        let token = FenceToken::from_random(random);
        Self { engine: Arc::clone(engine), key: key.clone(), token, lost: AtomicBool::new(false), over: false }
    }

    /// Tries once to take it.
    pub(super) async fn take(&self, fenced: &dyn Fenced) -> Result<Acquired> {
        fenced.acquire(&self.key, &self.token, LEASE).await
    }

    /// Another holds it: there is nothing to release.
    pub(super) fn forget(mut self) {
        self.over = true;
    }

    /// It is not known whether it is held: then it is released. Where the request never left, there is nothing to
    /// release, and the backend is spared.
    pub(super) fn not_taken(mut self, error: Error) -> Error {
        self.over = error.is_unsent();
        error
    }

    /// Does `work`, renewing all of `fences` meanwhile.
    pub(super) async fn hold_all_during<R>(
        fences: impl Iterator<Item = &Self>,
        fenced: Option<&dyn Fenced>,
        work: impl Future<Output = R>,
    ) -> R {
        let Some(fenced) = fenced else { return work.await };
        let renewing = async {
            join_all(fences.map(|fence| fence.renew(fenced))).await;
            std::future::pending::<Infallible>().await
        };
        match select(std::pin::pin!(work), std::pin::pin!(renewing)).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    /// Stores if the fence still holds. Says whether it did.
    pub(super) async fn store(mut self, fenced: &dyn Fenced, value: Bytes, options: &SetOptions) -> Result<bool> {
        if self.lost.load(Ordering::Acquire) {
            self.over = true;
            return Ok(false);
        }
        let stored = fenced.set_fenced(&self.key, &self.token, value, options).await;
        // Either answer says that the fence is over; an error leaves that open. A backend that is not called any more is
        // not asked to release it either: it lapses by itself.
        self.over = stored.as_ref().map_or_else(|error| error.code() == ErrorCode::E030, |_| true);
        stored
    }

    async fn renew(&self, fenced: &dyn Fenced) -> Infallible {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            // An error is no loss yet: the lease runs on, and the next turn may succeed.
            let span = spans::call(&self.engine, Operation::Renew, Some(&self.key));
            if let Ok(false) = spans::within(span, fenced.renew(&self.key, &self.token, LEASE)).await {
                self.lost.store(true, Ordering::Release);
                let error =
                    Error::new(ErrorCode::E051, "it lapsed, or another took it").with_operation(Operation::Renew);
                tell!(debug, &error.with_key(&self.key), "fence lost while loading");
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let Some(backend) = self.engine.backend.clone() else { return };
        let (key, token) = (self.key.clone(), self.token);
        let span = spans::call(&self.engine, Operation::Release, Some(&key));
        // Without a runtime the fence lapses by itself.
        self.engine.tasks.spawn(async move {
            if let Some(fenced) = backend.abilities().fenced
                && let Err(error) = spans::within(span, fenced.release(&key, &token)).await
            {
                let error = error.with_operation(Operation::Release).with_key(&key);
                tell!(debug, &error, "fence not released, it lapses by itself");
            }
        });
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
