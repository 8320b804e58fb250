//! The backends that there are, and how each is brought before the suite.

use std::sync::Arc;
use std::time::Duration;

use cachekit_redis::RedisBackend;
use cachekit_testkit::conformance::{MemoryFixture, Profile, RedisFixture, Report, Suite};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Redis,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Redis];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }

    pub(crate) async fn run(self, suite: Suite, profile: Profile) -> Report {
        match (self, profile) {
            (Self::Memory, Profile::Fast) => suite.run(self.name(), async || MemoryFixture::by_hand()).await,
            (Self::Memory, Profile::Full) => suite.run(self.name(), async || MemoryFixture::real()).await,
            (Self::Redis, profile) => {
                let make = async || RedisFixture::start(open).with_abilities(&["expiring"]).with_profile(profile);
                suite.run(self.name(), make).await
            }
        }
    }
}

fn open(url: &str) -> Arc<dyn cachekit_core::Backend> {
    // Beyond what a slow machine needs, and short enough to wait for.
    let limit = Duration::from_secs(5);
    let redis = RedisBackend::builder().url(url).connect_timeout(limit).command_timeout(limit).build();
    Arc::new(redis.expect("the fixture's URL is one"))
}
