//! Watching: copies in L1 go when another process changes what they are copies of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use super::Namespace;
use crate::engine::place::Place;
use crate::engine::spans::tell;
use crate::engine::staleness::Loads;
use crate::engine::traffic::Traffic;
use crate::{Backend, Change, Clock, ErrorCode, KeyPrefix, Moment, Operation, Watch};

/// Whether changes that other processes make to a namespace are told.
///
/// While they are, copies in L1 live as long as their entries. While they are not, copies live for `l1_ttl` at most.
///
/// Where they are, the number says since when, in nanoseconds of the clock.
#[derive(Debug, Default)]
pub(crate) struct Sight(AtomicU64);

impl Sight {
    const UNASKED: u64 = 0;
    const BLIND: u64 = 1;

    /// Whether every change since `asked` is told.
    pub(crate) fn is_clear_since(&self, asked: Moment) -> bool {
        let since = self.0.load(Ordering::Acquire);
        since > Self::BLIND && asked.as_nanos() > since
    }

    fn set(&self, state: u64) {
        self.0.store(state, Ordering::Release);
    }

    /// From here on every change is told.
    fn clear(&self, clock: &dyn Clock) {
        // A clock that lags tells a moment from before.
        let since = clock.now() + clock.granularity();
        self.set(since.as_nanos().max(Self::BLIND + 1));
    }

    /// Whether the caller is the first who wants to see.
    fn ask(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::UNASKED
            && self.0.compare_exchange(Self::UNASKED, Self::BLIND, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// Begins to watch the namespace, once, if the backend can tell. Asked before each look-up in the backend; the
    /// first one does not wait for the answer.
    ///
    /// A namespace divided by tenant is not watched: there may be any number of tenants.
    pub(super) fn see(&self) {
        let (Some(backend), None) = (self.backend(), self.place.tenant()) else { return };
        if backend.abilities().watchable.is_none() {
            return;
        }
        let (Ok(runtime), Ok(prefix)) = (Handle::try_current(), self.place.stored_prefix()) else { return };
        if !self.core.sight.ask() {
            return;
        }
        let watcher = Watcher {
            // Being watched keeps neither the backend nor the namespace alive.
            backend: Arc::downgrade(backend),
            traffic: Arc::downgrade(&self.core.traffic),
            place: Arc::clone(&self.place),
            clock: Arc::clone(&self.engine.clock),
            sight: Unseen(Arc::clone(&self.core.sight)),
        };
        let task = runtime.spawn(watcher.run(prefix)).abort_handle();
        *self.core.watcher.lock() = Some(task);
    }
}

/// Takes note of what a backend tells about one namespace.
struct Watcher<T> {
    backend: Weak<dyn Backend>,
    traffic: Weak<Traffic<T>>,
    place: Arc<Place>,
    clock: Arc<dyn Clock>,
    sight: Unseen,
}

impl<T: Send + Sync + 'static> Watcher<T> {
    async fn run(self, prefix: KeyPrefix) {
        let Some(mut watch) = self.begin(&prefix).await else { return };
        // What was read before may have changed unseen: it is kept for `l1_ttl` at most.
        self.sight.0.clear(&*self.clock);
        while let Some(change) = watch.next().await {
            match change {
                Change::Key(key) => {
                    let Some(traffic) = self.traffic.upgrade() else { return };
                    if let Some(local) = self.place.local_of_stored(&key) {
                        traffic.changed_elsewhere(&local);
                    }
                }
                Change::SightLost => {
                    self.sight.0.set(Sight::BLIND);
                    self.doubt();
                }
                Change::SightRegained => {
                    self.doubt();
                    self.sight.0.clear(&*self.clock);
                }
                Change::Prefix(_) => self.doubt(),
            }
        }
    }

    /// Begins to watch, trying again for as long as the backend lives.
    async fn begin(&self, prefix: &KeyPrefix) -> Option<Box<dyn Watch>> {
        let mut pause = FIRST_PAUSE;
        loop {
            let backend = self.backend.upgrade()?;
            match backend.abilities().watchable?.watch(prefix).await {
                Ok(watch) => return Some(watch),
                Err(error) if error.code() == ErrorCode::E036 => return None,
                Err(error) => {
                    let error = error.with_operation(Operation::Watch);
                    tell!(debug, &error, "not told of changes made elsewhere");
                }
            }
            drop(backend);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl<T> Watcher<T> {
    /// Nothing that is kept of the namespace is certain any more.
    fn doubt(&self) {
        if let Some(traffic) = self.traffic.upgrade() {
            traffic.all_changed(&self.place);
        }
    }
}

impl<T> Drop for Watcher<T> {
    fn drop(&mut self) {
        // First blind, then in doubt: nothing that is kept from here on lives longer than `l1_ttl`.
        self.sight.0.set(Sight::BLIND);
        self.doubt();
    }
}

/// The sight of a watcher. However it ends, by a panic of the backend or with its runtime, another may watch anew.
struct Unseen(Arc<Sight>);

impl Drop for Unseen {
    fn drop(&mut self) {
        self.0.set(Sight::UNASKED);
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
