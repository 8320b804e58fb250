//! [`FaultyWatch`]: a watch that loses sight while the backend is down.

use async_trait::async_trait;
use cachekit_core::{Change, ErrorCode, Watch};
use tokio::sync::watch;

/// A watch that loses sight while the backend is down.
pub(super) struct FaultyWatch {
    inner: Box<dyn Watch>,
    down: watch::Receiver<Option<ErrorCode>>,
    /// Whether it was told that sight was lost.
    blind: bool,
    /// Whether the handles to the script are gone, so that it does not change any more.
    settled: bool,
}

impl FaultyWatch {
    pub(super) fn new(inner: Box<dyn Watch>, mut down: watch::Receiver<Option<ErrorCode>>) -> Self {
        // What it is now is looked at with the first `next`, and again whenever it changes.
        down.mark_changed();
        Self { inner, down, blind: false, settled: false }
    }
}

#[async_trait]
impl Watch for FaultyWatch {
    async fn next(&mut self) -> Option<Change> {
        loop {
            tokio::select! {
                biased;
                changed = self.down.changed(), if !self.settled => match changed {
                    // Trouble that came and went between two looks hid nothing: the watch below kept what it saw.
                    Ok(()) => {
                        let down = self.down.borrow().is_some();
                        if down && !self.blind {
                            self.blind = true;
                            return Some(Change::SightLost);
                        }
                        if !down && self.blind {
                            self.blind = false;
                            return Some(Change::SightRegained);
                        }
                    }
                    Err(_) => self.settled = true,
                },
                change = self.inner.next() => match change {
                    // What comes over a connection that is down does not come.
                    Some(_) if self.blind => {}
                    change => return change,
                },
            }
        }
    }
}
