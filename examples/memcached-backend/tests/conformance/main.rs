//! [`Memcached`] keeps its contract: a test for each rule of the conformance suite, with a real server for each test.
#![cfg(unix)] // signals make the server ill

mod server;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cachekit_core::Backend;
use cachekit_example_memcached::Memcached;
use cachekit_testkit::conformance::{Fixture, Illness};

use self::server::Server;

cachekit_testkit::conformance!(MemcachedFixture(Mutex::new(Server::start())));

struct MemcachedFixture(Mutex<Server>);

impl MemcachedFixture {
    fn with<T>(&self, look: impl FnOnce(&mut Server) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Fixture for MemcachedFixture {
    async fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(Memcached::new(&self.with(|server| server.address())))
    }

    fn abilities(&self) -> Option<Vec<&'static str>> {
        Some(vec![])
    }

    async fn fall_ill(&self, illness: Illness) -> bool {
        match illness {
            Illness::Down => self.with(Server::kill),
            Illness::Silent => self.with(|server| server.pause()),
            _ => return false,
        }
        true
    }

    async fn recover(&self) {
        self.with(Server::recover);
    }
}
