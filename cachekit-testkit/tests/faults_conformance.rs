//! Without a script, faults over the in-memory backend keep every rule that it keeps; and while it is down, those of illness.

use std::sync::Arc;

use async_trait::async_trait;
use cachekit_core::{Backend, ErrorCode};
use cachekit_testkit::conformance::{Fixture, Illness, MemoryFixture, Profile, Time};
use cachekit_testkit::faults::Faults;

struct FaultsFixture {
    memory: MemoryFixture,
    faults: Faults,
}

impl FaultsFixture {
    async fn new() -> Self {
        let memory = MemoryFixture::by_hand();
        let faults = Faults::over(memory.backend().await);
        Self { memory, faults }
    }
}

#[async_trait]
impl Fixture for FaultsFixture {
    async fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.faults.clone())
    }

    async fn reopen(&self) -> Arc<dyn Backend> {
        Arc::new(Faults::over(self.memory.reopen().await))
    }

    fn time(&self) -> Time {
        self.memory.time()
    }

    fn profile(&self) -> Profile {
        self.memory.profile()
    }

    fn abilities(&self) -> Option<Vec<&'static str>> {
        self.memory.abilities()
    }

    async fn fall_ill(&self, illness: Illness) -> bool {
        // Who is silent waits for ever, which is what that fault is for.
        let down = illness == Illness::Down;
        if down {
            self.faults.down(ErrorCode::E065);
        }
        down
    }

    async fn recover(&self) {
        self.faults.recover();
    }

    async fn evict(&self) -> bool {
        self.memory.evict().await
    }
}

cachekit_testkit::conformance!(FaultsFixture::new().await);
