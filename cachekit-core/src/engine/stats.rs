//! [`Stats`]: what a cache has done so far.

use std::fmt;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};

use thread_local::ThreadLocal;

use crate::ErrorCode;
use crate::by_code::ByCode;

macro_rules! stats {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a cache or a namespace has done since it was opened. Numbers only grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Add for Stats {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)+ }
            }
        }

        /// The counters of one thread.
        #[derive(Debug, Default)]
        struct Counters {
            $($name: AtomicU64,)+
        }

        impl Counters {
            fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl Recorder {
            $(
                #[inline]
                pub(crate) fn $name(&self) {
                    self.add(|counters| &counters.$name);
                }
            )+
        }
    };
}

stats! {
    /// Look-ups that L1 answered.
    l1_hits,
    /// Look-ups that the backend answered.
    backend_hits,
    /// Look-ups that nobody could answer.
    misses,
    /// Callers who waited for the look-up or load of another.
    waits,
    /// Loaders that ran.
    loads,
    /// Loaders that brought a value, or the knowledge that there is none. One that was given up on the way counts neither
    /// here nor as a failure.
    load_successes,
    /// Loaders that failed, panicked or took too long.
    load_failures,
    /// Loads that began because a value was due to be refreshed. They count as loads, too.
    refreshes,
    /// Times that a caller was served a value past its time to live.
    stale_serves,
    /// Values that were stored, by callers and after loads.
    stores,
    /// Errors met, whether a caller saw them or not.
    errors,
}

/// Counts what happens. Each thread has counters of its own, so that counting a hit is a plain addition.
#[derive(Default)]
pub(crate) struct Recorder {
    threads: ThreadLocal<Counters>,
    codes: ByCode,
}

impl Recorder {
    pub(crate) fn read(&self) -> Stats {
        self.threads.iter().map(Counters::read).fold(Stats::default(), Stats::add)
    }

    /// An error was met.
    #[cold]
    pub(crate) fn error(&self, code: ErrorCode) {
        self.errors();
        self.codes.add(code);
    }

    /// The codes of the errors that were met, and how often each was.
    #[cfg(feature = "metrics")]
    pub(crate) fn codes(&self) -> Vec<(ErrorCode, u64)> {
        self.codes.read()
    }

    #[inline]
    fn add(&self, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        let counter = counter(self.threads.get_or_default());
        // Only this thread writes here.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}
