//! [`MemoryBackendBuilder`]: the clock and the limits of a [`MemoryBackend`].

use std::sync::Arc;
use std::time::Duration;

use super::entries::OVERHEAD;
use super::store::Store;
use super::{MemoryBackend, Shared};
use crate::sync::Mutex;
use crate::{Clock, Error, ErrorCode, Key, Limits, Result, SystemClock};

/// Makes a [`MemoryBackend`] with another clock or with limits.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MemoryBackendBuilder {
    clock: Option<Arc<dyn Clock>>,
    capacity: Option<usize>,
    max_value: Option<usize>,
}

impl MemoryBackendBuilder {
    /// Reads the time from `clock`. Default: [`SystemClock::precise`].
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Some(Arc::new(clock)), ..self }
    }

    /// Lets the entries weigh at most `bytes` together: each its key, its value and 200 bytes for its place. Where a
    /// new one needs room, first those go that have ended, then those that were written longest ago. Default: no limit.
    ///
    /// A single value is then limited to what fits under the longest key: 450 bytes less than `bytes`.
    pub fn capacity(self, bytes: usize) -> Self {
        Self { capacity: Some(bytes), ..self }
    }

    /// Refuses values of more than `bytes` with E022. Default: no limit but that of the capacity.
    pub fn max_value(self, bytes: usize) -> Self {
        Self { max_value: Some(bytes), ..self }
    }

    /// Makes the store, empty, and the first handle to it.
    ///
    /// # Errors
    /// E044 if the capacity is under 450 bytes, which is one entry with the longest key.
    pub fn build(self) -> Result<MemoryBackend> {
        let fits = match self.capacity {
            Some(capacity) => Some(capacity.checked_sub(ENTRY_WITHOUT_VALUE).ok_or_else(|| {
                let message = format!(
                    "capacity of the memory backend: expected at least {ENTRY_WITHOUT_VALUE} bytes, got {capacity}"
                );
                Error::new(ErrorCode::E044, message)
            })?),
            None => None,
        };
        let max_value = [fits, self.max_value].into_iter().flatten().min();
        Ok(self.open(max_value.map_or_else(Limits::default, |bytes| Limits::default().with_max_value(bytes))))
    }

    pub(super) fn open(self, limits: Limits) -> MemoryBackend {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::precise()));
        let lag = clock.granularity();
        let limits =
            limits.with_resolution(limits.resolution.saturating_add(round_up_to_millis(lag.saturating_mul(2))));
        let store = Store::new(self.capacity, lag, PENDING_CHANGES);
        MemoryBackend::over(crate::sync::Arc::new(Shared { store: Mutex::new(store), clock, limits }))
    }
}

fn round_up_to_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

const ENTRY_WITHOUT_VALUE: usize = OVERHEAD + Key::MAX_LEN;
/// How many changes a watch keeps for whoever is slow to take them: a key in it is some tens of bytes.
const PENDING_CHANGES: usize = 1_024;
