//! [`Epoch`]: which entries of a namespace are believed, where deletes that could not be done are too many to remember.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cache::Engine;
use super::repair;
use super::spans::{self, tell};
use crate::entry::Header;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::{Backend, Counting, ErrorCode, Key, KeyPrefix, Layout, Moment, Operation, Result};

/// Which entries of a namespace are believed.
///
/// [`Repairs`](super::repair::Repairs) remember so many deletes and no more. Beyond that nobody knows any more which
/// entries should be gone, so none is believed that may be one of them:
///
/// - By this process, from that moment on: none that was created before it, by the wall clock of whoever wrote it.
/// - By all processes, where the backend [counts](Counting): the epoch of the namespace is raised as soon as the backend
///   is back, and entries of an earlier one are misses. The number stands in each entry, so that reading one is one GET;
///   other processes learn of it within `l1_ttl`, or a second if that is less, by asking now and then, or at once when
///   they meet an entry that bears a higher one.
///
/// In the interop layout entries bear neither: from that moment on this process believes none of them, and other
/// processes learn nothing.
pub(crate) struct Epoch {
    prefix: KeyPrefix,
    layout: Layout,
    /// The highest that was told.
    known: AtomicU64,
    /// Entries created up to this point of wall time are not believed, in milliseconds.
    distrusted: AtomicU64,
    /// When it was asked for last, in nanoseconds of the clock. Zero: never.
    asked: AtomicU64,
    /// How often it had to be raised, and whether somebody is at work on it.
    wanted: AtomicU64,
    raising: AtomicBool,
    /// What was kept of the namespace is to be given up.
    risen: Box<dyn Fn() + Send + Sync>,
}

impl Epoch {
    /// That of the namespace whose entries `prefix` covers. `risen` gives up what is kept of it in this process.
    pub(crate) fn new(prefix: KeyPrefix, layout: Layout, risen: impl Fn() + Send + Sync + 'static) -> Self {
        let [known, distrusted, asked, wanted] = [(); 4].map(|()| AtomicU64::new(0));
        let (raising, risen) = (AtomicBool::new(false), Box::new(risen));
        Self { prefix, layout, known, distrusted, asked, wanted, raising, risen }
    }

    /// What new entries bear.
    pub(crate) fn current(&self) -> u64 {
        self.known.load(Ordering::Acquire)
    }

    /// Whether an entry with this header is believed.
    pub(crate) fn believes(&self, header: &Header) -> bool {
        let (known, distrusted) = (self.current(), self.distrusted.load(Ordering::Acquire));
        if header.epoch > known {
            // What an entry says of it is a claim. It is asked for, as soon as somebody looks.
            self.asked.store(DUE, Ordering::Release);
        }
        header.epoch >= known && (distrusted == 0 || header.created.as_millis() > distrusted)
    }

    /// Whether an entry is believed that says nothing of when it was written.
    pub(crate) fn believes_undated(&self) -> bool {
        self.distrusted.load(Ordering::Acquire) == 0
    }

    /// The backend, if it counts and entries bear what it has counted.
    fn counted<'a>(&self, engine: &'a Engine) -> Option<&'a Arc<dyn Backend>> {
        let Layout::Native = self.layout else { return None };
        engine.backend.as_ref().filter(|backend| backend.abilities().counting.is_some())
    }

    /// Asks for the epoch in the background, if that was not done for as long as `at_most`, nor for a second, and the
    /// backend counts.
    pub(crate) fn ask(self: &Arc<Self>, engine: &Arc<Engine>, at_most: Duration) {
        let Some(backend) = self.counted(engine) else { return };
        let (asked, now) = (self.asked.load(Ordering::Acquire), engine.now());
        let due = asked == DUE || (asked != 0 && now.since(Moment::from_nanos(asked)) >= at_most.max(SOONEST));
        if (asked != 0 && !due) || engine.outage.is_ill() {
            return;
        }
        let noted = now.as_nanos().max(DUE + 1);
        if self.asked.compare_exchange(asked, noted, Ordering::AcqRel, Ordering::Acquire).is_err() || !due {
            return;
        }
        let (epoch, backend) = (Arc::clone(self), Arc::clone(backend));
        let span = spans::call(engine, Operation::Epoch, None);
        engine.tasks.spawn(async move {
            let Some(counting) = backend.abilities().counting else { return };
            match spans::within(span, counting.epoch(&epoch.prefix)).await {
                Ok(told) => epoch.learn(told),
                Err(error) => {
                    tell!(debug, &error.with_operation(Operation::Epoch), "epoch not read");
                    epoch.asked.store(DUE, Ordering::Release);
                }
            }
        });
    }

    /// A delete can be neither done nor remembered: no entry of the namespace is believed that may be the one. Says
    /// whether that holds for other processes too, sooner or later.
    pub(crate) fn distrust(self: &Arc<Self>, engine: &Arc<Engine>) -> bool {
        self.distrusted.fetch_max(engine.clock.wall().as_millis(), Ordering::AcqRel);
        let Some(backend) = self.counted(engine) else { return false };
        self.wanted.fetch_add(1, Ordering::AcqRel);
        if self.raising.swap(true, Ordering::AcqRel) {
            return true;
        }
        let mut raising = Raising { epoch: Arc::clone(self), engine: Arc::clone(engine) };
        let backend = Arc::clone(backend);
        engine.tasks.spawn(async move {
            if let Some(counting) = backend.abilities().counting {
                raising.run(counting).await;
            }
        })
    }

    fn learn(&self, told: u64) {
        if self.known.fetch_max(told, Ordering::AcqRel) < told {
            (self.risen)();
        }
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch").field("known", &self.current()).finish_non_exhaustive()
    }
}

/// Raises the epoch until that is done. However it ends, another can.
struct Raising {
    epoch: Arc<Epoch>,
    engine: Arc<Engine>,
}

impl Raising {
    async fn run(&mut self, counting: &dyn Counting) {
        let Self { epoch, engine } = self;
        let mut pause = repair::FIRST_PAUSE;
        loop {
            let (wanted, since) = (epoch.wanted.load(Ordering::Acquire), engine.outage.begin());
            let span = spans::call(engine, Operation::Epoch, None);
            match spans::within(span, counting.advance(&epoch.prefix)).await {
                Ok(told) => {
                    engine.outage.succeeded();
                    epoch.learn(told);
                    if epoch.wanted.load(Ordering::Acquire) == wanted {
                        return;
                    }
                    // A delete that failed since may have been that of an entry of this very epoch.
                }
                Err(error) => {
                    engine.outage.failed(&error, since, engine.now());
                    if engine.is_closed() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(repair::LONGEST_PAUSE);
                }
            }
        }
    }
}

impl Drop for Raising {
    fn drop(&mut self) {
        self.epoch.raising.store(false, Ordering::Release);
    }
}

/// Deletes `key` later, or else sees to it that no entry which it may be is believed.
///
/// E032 if other processes may go on to believe it, E036 if there is no runtime that could do anything.
pub(crate) fn delete_later(engine: &Arc<Engine>, epoch: &Arc<Epoch>, key: Key) -> Result<()> {
    match repair::delete_later(engine, key) {
        Err(error) if error.code() == ErrorCode::E032 && epoch.distrust(engine) => Ok(()),
        other => other,
    }
}

/// It is not asked for more often, however short the life of a copy in L1.
const SOONEST: Duration = Duration::from_secs(1);
/// The epoch is to be asked for at the next look.
const DUE: u64 = 1;
