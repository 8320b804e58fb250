//! The backend over redb keeps every rule of the suite for what it offers.

use std::sync::Arc;

use async_trait::async_trait;
use cachekit_core::{Backend, ManualClock};
use cachekit_example_redb::RedbBackend;
use cachekit_testkit::conformance::{Fixture, Time};
use tempfile::TempDir;

struct RedbFixture {
    _folder: TempDir,
    clock: ManualClock,
    backend: RedbBackend,
}

impl RedbFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let clock = ManualClock::new();
        let backend = RedbBackend::open(&folder.path().join("cache.redb"), Arc::new(clock.clone()));
        Self { backend: backend.expect("a new file can be made"), clock, _folder: folder }
    }
}

#[async_trait]
impl Fixture for RedbFixture {
    async fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.backend.clone())
    }

    fn time(&self) -> Time {
        Time::ByHand(self.clock.clone())
    }

    fn abilities(&self) -> Option<Vec<&'static str>> {
        Some(vec![])
    }
}

cachekit_testkit::conformance!(RedbFixture::new());
