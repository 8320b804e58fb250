//! [`RedisFixture`]: a real Redis server for a backend that talks to one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cachekit_core::Backend;

use super::fixture::{Fixture, Illness, Profile};
use crate::fixtures::RedisServer;

/// A `redis-server` of its own, with a password, and a backend that is opened by URL: the driver is whoever's.
///
/// It can be down and silent. Time is real.
pub struct RedisFixture<O> {
    server: Mutex<RedisServer>,
    open: O,
    profile: Profile,
    abilities: Option<Vec<&'static str>>,
}

impl<O: Fn(&str) -> Arc<dyn Backend> + Send + Sync + 'static> RedisFixture<O> {
    /// Starts a server. `open` makes a handle of the URL, which holds the password; its time limits must be under the
    /// [patience](Fixture::patience) of 15 seconds.
    ///
    /// # Panics
    /// If `redis-server` cannot be started.
    pub fn start(open: O) -> Self {
        let server = RedisServer::start_with(&["--requirepass", PASSWORD]);
        Self { server: Mutex::new(server), open, profile: Profile::Full, abilities: None }
    }

    /// Tests so much. Default: everything.
    #[must_use]
    pub fn with_profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// Says which abilities the backend is meant to have: [`Fixture::abilities`].
    #[must_use]
    pub fn with_abilities(self, names: &[&'static str]) -> Self {
        Self { abilities: Some(names.to_vec()), ..self }
    }

    fn server(&self) -> MutexGuard<'_, RedisServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<O: Fn(&str) -> Arc<dyn Backend> + Send + Sync + 'static> Fixture for RedisFixture<O> {
    async fn backend(&self) -> Arc<dyn Backend> {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", self.server().port());
        (self.open)(&url)
    }

    fn profile(&self) -> Profile {
        self.profile
    }

    fn abilities(&self) -> Option<Vec<&'static str>> {
        self.abilities.clone()
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn fall_ill(&self, illness: Illness) -> bool {
        let mut server = self.server();
        match illness {
            Illness::Down => server.kill(),
            Illness::Silent => server.pause(),
        }
        true
    }

    async fn recover(&self) {
        let mut server = self.server();
        if server.is_running() { server.resume() } else { server.restart() }
    }
}

impl<O> fmt::Debug for RedisFixture<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFixture").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Only ever on loopback, and only to see that it is not shown.
const PASSWORD: &str = "a-password-that-nobody-may-see";
