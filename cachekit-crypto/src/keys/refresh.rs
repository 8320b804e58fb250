//! [`Keys::refresh`]: keys that change while the program runs.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use cachekit_core::Result;
use tokio::task::JoinHandle;

use super::{Keys, Ring, Shared};

impl Keys {
    /// Asks the provider for its keys now, and says whether they are others than before.
    ///
    /// One refresh at a time: others wait for their turn.
    ///
    /// # Errors
    /// What the provider reports. Then the keys of before stay in use, and the failure is counted and logged.
    ///
    /// # Cancellation
    /// Dropped at any await, it has changed nothing.
    pub async fn refresh(&self) -> Result<bool> {
        self.shared.refresh().await
    }

    /// Asks the provider at each `interval`, of a second at least, in a task of the tokio runtime that this is called on.
    /// The task ends when what is returned is dropped, or when nobody uses the keys any more.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn refresh_every(&self, interval: Duration) -> Refreshing {
        let shared = Arc::downgrade(&self.shared);
        Refreshing(tokio::spawn(refresh_every(shared, interval.max(Duration::from_secs(1)))))
    }
}

/// A task that refreshes [`Keys`] until this is dropped.
#[derive(Debug)]
#[must_use = "the task ends when this is dropped"]
pub struct Refreshing(JoinHandle<()>);

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    async fn refresh(&self) -> Result<bool> {
        let Some(provider) = &self.provider else { return Ok(false) };
        let _turn = self.turn.lock().await;
        let keys = provider.keys().await.inspect_err(|error| {
            let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(code = %error.code(), %error, failed, "master keys not refreshed: those of before stay in use");
        })?;
        let before = self.ring.load_full();
        let ring = Ring::new(&keys, self.use_, Some(&before));
        let others = !ring.is(&before);
        if others {
            self.ring.store(Arc::new(ring));
        }
        Ok(others)
    }
}

async fn refresh_every(shared: Weak<Shared>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(shared) = shared.upgrade() else { return };
        // A failure is logged where it happens, and the next turn comes.
        let _ = shared.refresh().await;
    }
}
