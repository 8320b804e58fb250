//! [`Tasks`]: what runs in the background on behalf of a cache.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

/// What runs in the background on behalf of a cache, counted, so that closing can wait for it.
#[derive(Debug)]
pub(crate) struct Tasks {
    running: watch::Sender<usize>,
    /// Whether closing has begun to wait.
    closing: watch::Sender<bool>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { running: watch::Sender::new(0), closing: watch::Sender::new(false) }
    }
}

impl Tasks {
    /// Runs `work` in the background, if there is a runtime to run it. Says whether there was.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(runtime) = Handle::try_current() else { return false };
        let counted = self.count();
        runtime.spawn(async move {
            work.await;
            drop(counted);
        });
        true
    }

    /// Counts something that runs already, until the answer is dropped.
    pub(crate) fn count(&self) -> Counted {
        Counted::new(&self.running)
    }

    /// Resolves as soon as closing has begun, or the cache is gone: for what runs on and on.
    #[cfg(feature = "metrics")]
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.subscribe();
        async move { drop(closing.wait_for(|closing| *closing).await) }
    }

    /// Waits until nothing runs, at most `patience`. Says whether that was reached.
    pub(crate) async fn finish(&self, patience: Duration) -> bool {
        self.closing.send_replace(true);
        let mut running = self.running.subscribe();
        let done = running.wait_for(|running| *running == 0);
        tokio::time::timeout(patience, done).await.is_ok()
    }
}

/// One that runs. Dropped with its task, however that ends.
pub(crate) struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(running: &watch::Sender<usize>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}
