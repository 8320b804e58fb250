//! [`Gate`]: where calls are held until a test lets them go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Where calls are held until a test lets them go on, so that it decides what happens between two steps. Clones are the same gate.
///
/// ```
/// use bytes::Bytes;
/// use cachekit_core::{Backend, Key, MemoryBackend, Operation, SetOptions, Ttl};
/// use cachekit_testkit::faults::{Faults, Gate, Rule};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let faults = Faults::over(MemoryBackend::new());
/// let gate = Gate::new();
/// faults.inject(Rule::hold(&gate).on([Operation::Get]).next(1));
///
/// let key = Key::new("users:1")?;
/// let between = async {
///     gate.reached().await;
///     faults.set(&key, Bytes::from_static(b"Ada"), &SetOptions::new(Ttl::secs(60))).await?;
///     gate.open();
///     Ok::<_, cachekit_core::Error>(())
/// };
/// let (found, written) = tokio::join!(faults.get(&key), between);
/// assert_eq!(found?.unwrap().value, "Ada");
/// # written }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    /// A gate that is shut.
    #[must_use]
    pub fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until a call has come that nobody has waited for in this way yet.
    pub async fn reached(&self) {
        take(&self.reached).await;
    }

    /// Lets one call go on, now or when it comes.
    pub fn open(&self) {
        self.open.add_permits(1);
    }

    /// Waits until the gate lets this call go on: for holding a loader, as [`Rule::hold`](super::Rule::hold) holds a call.
    pub async fn pass(&self) {
        self.reached.add_permits(1);
        take(&self.open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

async fn take(permits: &Semaphore) {
    permits.acquire().await.expect("these semaphores are never closed").forget();
}
