//! [`MemoryBackend`]: entries in the memory of this process, and the reference for what a backend owes.

mod abilities;
mod builder;
mod deadlines;
mod entries;
mod fences;
mod pending;
mod store;
mod watchers;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::builder::MemoryBackendBuilder;
use self::store::{HandleId, Store};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};
use crate::{
    Abilities, Backend, BackendFault, Clock, Entry, Error, ErrorCode, Health, Key, Limits, Moment, Operation, Result,
    SetOptions, Write,
};

/// Keeps entries in the memory of this process, and has every ability.
///
/// It is the reference for the contracts of [`Backend`], [`Fenced`](crate::Fenced), [`Expiring`](crate::Expiring),
/// [`Clearable`](crate::Clearable), [`Watchable`](crate::Watchable) and [`Counting`](crate::Counting): exact in each
/// clause, and by a clock that tests [move by hand](crate::ManualClock).
///
/// # Handles
/// A clone is the same handle. [`connect`](Self::connect) gives another one to the same entries, as another process
/// would have it: watches tell what is changed through other handles. The entries go when the last handle and the last
/// watch do.
///
/// # Limits
/// - Times to live are exact to the millisecond, rounded up; more than 500 years count as never. With a clock that
///   [lags](Clock::granularity), entries end early by up to twice that, never late.
/// - Without a [capacity](MemoryBackendBuilder::capacity), what does not end by time is kept for as long as nobody
///   removes it. What has ended is removed when it is asked for, and a few at a time by writes.
/// - A watch keeps at most 1,024 changes that were not taken; then it tells that sight was lost.
/// - An epoch is kept for every prefix that was ever advanced, and a fence until it lapses.
/// - A value is kept as it came: a slice of a larger buffer keeps that buffer in memory, and counts as the slice.
///
/// # Errors
/// E022 for a value over the [limit](MemoryBackendBuilder::max_value); E036 through a handle that was closed. Nothing
/// else fails.
///
/// # Cancellation
/// No call waits for anything but a short lock, so that each is done when it is first polled.
/// [`clear`](crate::Clearable::clear) looks at every key under that lock.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use bytes::Bytes;
/// use cachekit_core::{Backend, Key, ManualClock, MemoryBackend, SetOptions, Ttl};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = ManualClock::new();
/// let store = MemoryBackend::builder().clock(clock.clone()).build()?;
/// let elsewhere = store.connect();
///
/// let key = Key::new("users:1")?;
/// store.set(&key, Bytes::from_static(b"Ada"), &SetOptions::new(Ttl::secs(5))).await?;
/// assert_eq!(elsewhere.get(&key).await?.unwrap().value, "Ada");
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(elsewhere.get(&key).await?, None);
/// # Ok::<_, cachekit_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryBackend {
    handle: Arc<Handle>,
}

struct Handle {
    id: HandleId,
    /// Written and read under the lock of the store, so that no step follows the end.
    closed: AtomicBool,
    shared: Arc<Shared>,
}

struct Shared {
    store: Mutex<Store>,
    clock: std::sync::Arc<dyn Clock>,
    limits: Limits,
}

impl MemoryBackend {
    /// An empty store without limits, on the [precise system clock](crate::SystemClock::precise).
    #[must_use]
    pub fn new() -> Self {
        MemoryBackendBuilder::default().open(Limits::default())
    }

    /// Begins a store with another clock or with limits.
    pub fn builder() -> MemoryBackendBuilder {
        MemoryBackendBuilder::default()
    }

    /// Another handle to the same entries, open even where this one is closed: it plays another process.
    #[must_use]
    pub fn connect(&self) -> Self {
        Self::over(Arc::clone(&self.handle.shared))
    }

    fn over(shared: Arc<Shared>) -> Self {
        let id = shared.step(Store::new_handle);
        Self { handle: Arc::new(Handle { id, closed: AtomicBool::new(false), shared }) }
    }

    /// Runs one step on the store, unless the handle is closed.
    fn step<T>(&self, operation: Operation, step: impl FnOnce(&mut Store, HandleId, Moment) -> T) -> Result<T> {
        let Handle { id, closed, shared } = &*self.handle;
        // What was not run is dropped out here, without the lock, with the values that it holds.
        let mut step = Some(step);
        let answer = shared.step(|store| {
            let open = !closed.load(Ordering::SeqCst);
            // The time is read under the lock: so it never goes back from one step to the next.
            if open { step.take().map(|step| step(store, *id, shared.clock.now())) } else { None }
        });
        answer.ok_or_else(|| {
            Error::new(ErrorCode::E036, "this handle was closed").with_backend(NAME).with_operation(operation)
        })
    }

    fn check_size(&self, operation: Operation, key: &Key, value: &Bytes) -> Result<()> {
        match self.handle.shared.limits.max_value {
            Some(limit) if value.len() > limit => {
                let message = format!("value: expected at most {limit} bytes, got {}", value.len());
                let error = Error::new(ErrorCode::E022, message);
                Err(error.with_backend(NAME).with_operation(operation).with_key(key))
            }
            _ => Ok(()),
        }
    }
}

impl Shared {
    /// Runs `step` under the lock, then, without it, what the step left to be done.
    fn step<T>(&self, step: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.lock();
        let answer = step(&mut store);
        let aftermath = store.take_aftermath();
        drop(store);
        aftermath.settle();
        answer
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backend for MemoryBackend {
    fn name(&self) -> &str {
        NAME
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.step(Operation::Get, |store, _, now| store.get(key, now))
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.check_size(Operation::Set, key, &value)?;
        self.step(Operation::Set, |store, by, now| store.set(by, key, value, options.ttl, now))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.step(Operation::Delete, |store, by, now| store.delete(by, key, now))
    }

    async fn exists(&self, key: &Key) -> Result<bool> {
        self.step(Operation::Exists, |store, _, now| store.remaining(key, now).is_some())
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let answers = self.step(Operation::GetMany, |store, _, now| {
            keys.iter().map(|key| Ok(store.get(key, now))).collect::<Vec<_>>()
        });
        answers.unwrap_or_else(|error| vec![Err(error); keys.len()])
    }

    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        let mut answers: Vec<_> =
            writes.iter().map(|write| self.check_size(Operation::SetMany, &write.key, &write.value)).collect();
        let taken: Vec<_> = writes
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_ok())
            .map(|(write, _)| (&write.key, write.value.clone(), write.options.ttl))
            .collect();
        let stored = self.step(Operation::SetMany, |store, by, now| {
            for (key, value, ttl) in taken {
                store.set(by, key, value, ttl, now);
            }
        });
        if let Err(error) = stored {
            answers.iter_mut().filter(|answer| answer.is_ok()).for_each(|answer| *answer = Err(error.clone()));
        }
        answers
    }

    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        let deleted = self.step(Operation::DeleteMany, |store, by, now| {
            keys.iter().for_each(|key| store.delete(by, key, now));
        });
        vec![deleted; keys.len()]
    }

    /// Tells the number of entries and what they weigh.
    async fn health(&self) -> Result<Health> {
        let counts = self.step(Operation::Health, |store, _, _| store.counts())?;
        Ok(Health::default()
            .with_detail("entries", counts.entries.to_string())
            .with_detail("bytes", counts.bytes.to_string()))
    }

    fn code_of(&self, fault: BackendFault) -> ErrorCode {
        fault.code()
    }

    fn limits(&self) -> Limits {
        self.handle.shared.limits
    }

    /// All of them.
    fn abilities(&self) -> Abilities<'_> {
        Abilities::none()
            .with_fenced(self)
            .with_expiring(self)
            .with_clearable(self)
            .with_watchable(self)
            .with_counting(self)
    }

    /// Ends the watches of this handle and of its clones, and refuses their later calls with E036. Entries, fences and
    /// other handles stay.
    async fn close(&self) {
        let Handle { id, closed, shared } = &*self.handle;
        shared.step(|store| {
            closed.store(true, Ordering::SeqCst);
            store.end_watches_of(*id);
        });
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handle { id: _, closed, shared } = &*self.handle;
        let counts = shared.step(|store| store.counts());
        f.debug_struct("MemoryBackend")
            .field("entries", &counts.entries)
            .field("bytes", &counts.bytes)
            .field("fences", &counts.fences)
            .field("watches", &counts.watches)
            .field("epochs", &counts.epochs)
            .field("closed", &closed.load(Ordering::SeqCst))
            .finish()
    }
}

const NAME: &str = "memory";
