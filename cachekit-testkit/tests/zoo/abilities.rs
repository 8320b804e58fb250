//! What an [`Animal`] can do beyond the trait, and does wrong.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Acquired, Backend, Change, Clearable, Counting, ErrorCode, Expiring, FenceToken, Fenced, Key, KeyPrefix, Remaining,
    Result, SetOptions, Ttl, Watch, Watchable,
};
use tokio::sync::watch;

use crate::animal::{Animal, Den};
use crate::quirk::Quirk;

#[async_trait]
impl Fenced for Animal {
    async fn acquire(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<Acquired> {
        self.reach_fences(key).await?;
        let lease = match self.den.quirk {
            Quirk::NeverLapses => HOUR * 1_000,
            Quirk::LapsesEarly => lease / 4 * 3,
            _ => lease,
        };
        let holds = self.note(|notes| notes.tokens.get(key) == Some(token));
        if self.is(Quirk::NeverRenewsOnAcquire) && holds {
            return Ok(Acquired::Granted { found: self.store.get(key).await? });
        }
        let acquired = self.store.acquire(key, token, lease).await?;
        if self.is(Quirk::ForgetsSomeReleases) {
            tokio::task::yield_now().await;
        }
        match (self.den.quirk, acquired) {
            (Quirk::GrantsToAll, Acquired::Held) => Ok(Acquired::Granted { found: self.store.get(key).await? }),
            (_, Acquired::Held) => Ok(Acquired::Held),
            (quirk, Acquired::Granted { found }) => {
                self.note(|notes| notes.tokens.insert(key.clone(), *token));
                if quirk == Quirk::LocksAsEntries {
                    self.store.set(&lock(key), Bytes::new(), &SetOptions::new(Ttl::Never)).await?;
                }
                let mut found = found.filter(|_| quirk != Quirk::GrantsBlindly);
                if let Some(entry) = found.as_mut().filter(|_| quirk == Quirk::GrantsLieAboutLives) {
                    entry.remaining = Remaining::Never;
                }
                Ok(Acquired::Granted { found })
            }
        }
    }

    async fn renew(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<bool> {
        self.reach_fences(key).await?;
        let renewed = Fenced::renew(&self.store, key, token, lease).await?;
        let held_once = self.note(|notes| notes.tokens.get(key) == Some(token));
        if self.is(Quirk::RenewsALapsedFence) && !renewed && held_once {
            return Ok(self.store.acquire(key, token, lease).await? != Acquired::Held);
        }
        Ok(renewed)
    }

    async fn release(&self, key: &Key, token: &FenceToken) -> Result<bool> {
        self.reach_fences(key).await?;
        if self.is(Quirk::LocksAsEntries) && !self.store.exists(&lock(key)).await? {
            return Ok(false);
        }
        let holder = self.note(|notes| notes.tokens.get(key).copied());
        if self.is(Quirk::ForgetsSomeReleases) && holder != Some(*token) {
            return Ok(false);
        }
        let released = self.store.release(key, token).await?;
        if released {
            self.note(|notes| notes.tokens.remove(key));
        }
        if let Some(holder) = holder.filter(|_| self.is(Quirk::ReleasesForAnybody)) {
            self.store.release(key, &holder).await?;
        }
        Ok(released || self.is(Quirk::ReleasesAreAlwaysTrue))
    }

    async fn set_fenced(&self, key: &Key, token: &FenceToken, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.reach_fences(key).await?;
        self.check_life(options.ttl, &value)?;
        let held_once = self.note(|notes| {
            notes.untold.extend(self.is(Quirk::TellsNoFencedWrites).then(|| key.clone()));
            if self.is(Quirk::ErrsOnMissing) {
                notes.last.insert(key.clone(), value.clone());
            }
            notes.tokens.get(key) == Some(token)
        });
        let (never, soon) = (SetOptions::new(Ttl::Never), SetOptions::new(Ttl::secs(30)));
        let options = match self.den.quirk {
            Quirk::FencedStoresNeverEnd => &never,
            Quirk::FencedStoresEndEarly => &soon,
            _ => options,
        };
        match self.den.quirk {
            Quirk::FencedTakesTooLarge if value.len() > self.limits().max_value.unwrap_or(0) => Ok(true),
            Quirk::StoresAfterLooking => {
                let held = self.store.release(key, token).await?;
                tokio::task::yield_now().await;
                if held {
                    self.store.set(key, value, options).await?;
                }
                Ok(held)
            }
            Quirk::KeepsTheFenceAfterStoring => {
                let held = Fenced::renew(&self.store, key, token, HOUR).await?;
                if held {
                    self.store.set(key, value, options).await?;
                }
                Ok(held)
            }
            Quirk::StoresForAnybody => self.store.set_and_revoke(key, value, options).await.map(|()| true),
            Quirk::StoresUnderALapsedFence if held_once => {
                self.note(|notes| notes.tokens.remove(key));
                self.store.set_and_revoke(key, value, options).await.map(|()| true)
            }
            _ => {
                let stored = self.store.set_fenced(key, token, value, options).await?;
                if stored {
                    self.note(|notes| notes.tokens.remove(key));
                }
                Ok(stored)
            }
        }
    }

    async fn set_and_revoke(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.reach_fences(key).await?;
        self.check_life(options.ttl, &value)?;
        if self.is(Quirk::RevokesNothing) {
            return self.store.set(key, value, options).await;
        }
        self.store.set_and_revoke(key, value.clone(), options).await?;
        self.note(|notes| {
            notes.tokens.remove(key);
            if self.is(Quirk::ErrsOnMissing) {
                notes.last.insert(key.clone(), value);
            }
        });
        Ok(())
    }

    async fn delete_and_revoke(&self, key: &Key) -> Result<()> {
        self.reach_fences(key).await?;
        if self.is(Quirk::RevokesNothing) {
            return self.store.delete(key).await;
        }
        self.note(|notes| {
            notes.tokens.remove(key);
            if self.is(Quirk::ServesTheEnded) {
                notes.last.remove(key);
            }
        });
        self.store.delete_and_revoke(key).await
    }
}

#[async_trait]
impl Expiring for Animal {
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>> {
        self.reach(Some(key)).await?;
        let remaining = self.store.remaining(key).await?;
        if self.is(Quirk::MissingLivesForEver) {
            return Ok(remaining.or(Some(Remaining::Never)));
        }
        Ok(remaining.map(|remaining| if self.is(Quirk::KnowsNoLife) { Remaining::Unknown } else { remaining }))
    }

    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.reach(Some(key)).await?;
        self.check_life(ttl, &Bytes::new())?;
        let there = self.store.get(key).await?;
        match (self.den.quirk, there) {
            (Quirk::RenewMakesEntries, None) => {
                self.store.set(key, Bytes::new(), &SetOptions::new(ttl)).await.map(|()| true)
            }
            (Quirk::RenewKeepsTheLife, there) => Ok(there.is_some()),
            (Quirk::RenewChangesTheValue, Some(entry)) => {
                let changed = entry.value.iter().rev().copied().collect();
                self.store.set(key, changed, &SetOptions::new(ttl)).await.map(|()| true)
            }
            _ => Expiring::renew(&self.store, key, ttl).await,
        }
    }
}

#[async_trait]
impl Clearable for Animal {
    async fn clear(&self, prefix: &KeyPrefix) -> Result<()> {
        self.reach(None).await?;
        self.note(|notes| {
            notes.last.retain(|key, _| !self.is(Quirk::ServesTheEnded) || !prefix.covers(key));
            notes.epochs.retain(|epoch, _| !self.is(Quirk::EpochGoesWithEntries) || epoch != prefix);
        });
        if self.is(Quirk::ClearsNothing) {
            return Ok(());
        }
        if self.is(Quirk::ClearsItsOwnOnly) {
            let own = self.own_keys.lock().unwrap().clone();
            for key in own.iter().filter(|key| prefix.covers(key)) {
                self.store.delete(key).await?;
            }
            for (key, token) in self.note(|notes| notes.tokens.clone()) {
                if prefix.covers(&key) {
                    self.store.release(&key, &token).await?;
                }
            }
            return Ok(());
        }
        if self.is(Quirk::ClearsTooMuch) {
            let namespace = prefix.as_str().trim_end_matches(':');
            self.store.clear(&KeyPrefix::new(&format!("{namespace}b:"))?).await?;
        }
        self.store.clear(prefix).await?;
        if self.is(Quirk::ClearLeavesFences) {
            for (key, token) in self.note(|notes| notes.tokens.clone()) {
                self.store.acquire(&key, &token, HOUR).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Counting for Animal {
    async fn epoch(&self, prefix: &KeyPrefix) -> Result<u64> {
        self.reach(None).await?;
        let first = u64::from(self.is(Quirk::EpochBeginsAtOne));
        let kept = self.note(|notes| notes.epochs.get(prefix).copied());
        let is_old = |since| self.is(Quirk::EpochEndsWithTime) && self.den.clock.now().since(since) > HOUR;
        Ok(kept.filter(|(_, since)| !is_old(*since)).map_or(first, |(epoch, _)| epoch))
    }

    async fn advance(&self, prefix: &KeyPrefix) -> Result<u64> {
        let mut next = self.epoch(prefix).await? + 1;
        match self.den.quirk {
            Quirk::EpochIsNotAtomic => tokio::task::yield_now().await,
            Quirk::EpochGoesBack if next == 5 => next = 2,
            _ => {}
        }
        let now = self.den.clock.now();
        self.note(|notes| notes.epochs.insert(prefix.clone(), (next, now)));
        Ok(next)
    }
}

impl Animal {
    async fn reach_fences(&self, key: &Key) -> Result<()> {
        match self.reach(Some(key)).await {
            Err(error) if self.is(Quirk::FencesHangWhenSilent) && error.code() == ErrorCode::E064 => {
                std::future::pending().await
            }
            reached => reached,
        }
    }
}

#[async_trait]
impl Watchable for Animal {
    async fn watch(&self, prefix: &KeyPrefix) -> Result<Box<dyn Watch>> {
        let inner = self.store.watch(prefix).await?;
        let number = self.den.watches.fetch_add(1, Ordering::SeqCst) + 1;
        let down = self.den.down.subscribe();
        Ok(Box::new(AnimalWatch { den: Arc::clone(&self.den), inner, number, down, blind: false, held: None }))
    }
}

struct AnimalWatch {
    den: Arc<Den>,
    inner: Box<dyn Watch>,
    /// The how manieth it is.
    number: usize,
    down: watch::Receiver<bool>,
    blind: bool,
    /// A change that is told after the one that follows it.
    held: Option<Change>,
}

impl AnimalWatch {
    /// What is told next, by the store or by an outage of it.
    async fn told(&mut self) -> Option<Change> {
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.down.changed() => {
                    let down = *self.down.borrow_and_update();
                    if self.den.quirk != Quirk::HidesOutages {
                        return Some(if down { Change::SightLost } else { Change::SightRegained });
                    }
                }
                change = self.inner.next() => return change,
            }
        }
    }
}

#[async_trait]
impl Watch for AnimalWatch {
    async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(held) = self.held.take() {
                return Some(held);
            }
            let change = self.told().await?;
            match (self.den.quirk, &change) {
                (Quirk::TellsNoClears, Change::Prefix(_)) => continue,
                (Quirk::TellsNoDeletes | Quirk::TellsNoFencedWrites, Change::Key(key)) if self.den.hides(key) => {
                    continue;
                }
                (Quirk::HidesItsBlindness, Change::SightLost | Change::SightRegained) => continue,
                (Quirk::TellsTheLatestWatchOnly, _) if self.number < self.den.watches.load(Ordering::SeqCst) => {
                    continue;
                }
                (Quirk::StaysBlind, Change::SightLost) => self.blind = true,
                (Quirk::StaysBlind, _) if self.blind => continue,
                (Quirk::LosesOnDroppedNext, _) => tokio::task::yield_now().await,
                (Quirk::TellsOutOfOrder, Change::Prefix(_)) => {
                    let mut following = self.inner.next();
                    let following = poll_fn(|context| match following.as_mut().poll(context) {
                        Poll::Ready(change) => Poll::Ready(change),
                        Poll::Pending => Poll::Ready(None),
                    });
                    if let Some(following) = following.await {
                        self.held = Some(change);
                        return Some(following);
                    }
                }
                _ => {}
            }
            return Some(change);
        }
    }
}

/// Where an animal keeps its locks that takes entries for them.
fn lock(key: &Key) -> Key {
    Key::new(&format!("{}:locks", key.as_str())).expect("as well formed as before")
}

const HOUR: Duration = Duration::from_secs(3_600);
