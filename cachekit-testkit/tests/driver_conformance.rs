//! With policies around it, the in-memory backend keeps every rule that it keeps without, ill or well.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cachekit_core::{
    AttemptTimeout, Backend, ConcurrencyLimit, Deadline, ErrorCode, Resilience, ResilientBackend, Retry,
};
use cachekit_testkit::conformance::{Fixture, Illness, MemoryFixture, Profile, Time};
use cachekit_testkit::faults::{Faults, Rule};

/// All policies but a breaker, which would still refuse calls when the store is well again. The deadline leaves time for
/// both attempts, so that what a caller sees of a silent store is the store's own code.
fn driven(backend: impl Backend) -> Arc<dyn Backend> {
    let (soon, valid) = (Duration::from_millis(500), "valid settings");
    let resilience = Resilience::none()
        .with(Deadline::new(soon * 4).expect(valid))
        .with(ConcurrencyLimit::builder(32).with_queue(128).build().expect(valid))
        .with(Retry::builder().with_attempts(2).with_first_wait(soon / 100).build().expect(valid))
        .with(AttemptTimeout::new(soon / 2).expect(valid));
    Arc::new(ResilientBackend::new(Arc::new(backend), resilience))
}

struct DrivenFixture {
    memory: MemoryFixture,
    faults: Faults,
}

impl DrivenFixture {
    async fn new() -> Self {
        let memory = MemoryFixture::by_hand();
        let faults = Faults::over(memory.backend().await);
        Self { memory, faults }
    }
}

#[async_trait]
impl Fixture for DrivenFixture {
    async fn backend(&self) -> Arc<dyn Backend> {
        driven(self.faults.clone())
    }

    async fn reopen(&self) -> Arc<dyn Backend> {
        driven(self.memory.reopen().await)
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
        match illness {
            Illness::Down => drop(self.faults.down(ErrorCode::E065)),
            // No backend of its own would end that: the policies do.
            Illness::Silent => drop(self.faults.inject(Rule::never_answers())),
            _ => return false,
        }
        true
    }

    async fn recover(&self) {
        self.faults.recover();
    }

    async fn evict(&self) -> bool {
        self.memory.evict().await
    }
}

cachekit_testkit::conformance!(DrivenFixture::new().await);
