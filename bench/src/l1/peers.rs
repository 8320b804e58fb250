//! The floor and the peers, each as its documentation advises, and each with room for all entries.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachekit_rs as cachekit; // what its macro writes names it so

use super::{KEYS, Record, Resident};
use crate::harness::{Candidate, Role, runtime, time, time_async};

const TTL: Duration = Duration::from_secs(300);

/// Twice the entries: caches split their room into shards, and entries do not spread evenly over them.
const ROOM: usize = 2 * KEYS as usize;

pub fn floor(set: &Resident) -> Candidate<'_> {
    let cache = quick_cache::sync::Cache::new(ROOM);
    for (id, record) in (0..).zip(&set.records) {
        cache.insert(id, Arc::clone(record));
    }
    Candidate::new("quick_cache", Role::Floor, move |thread, operations| {
        time(operations, |number| {
            let id = set.at(thread, number);
            check(id, &cache.get(&black_box(id)).expect("resident"));
        })
    })
}

pub fn moka(set: &Resident) -> Candidate<'_> {
    let cache = moka::sync::Cache::builder().max_capacity(ROOM as u64).time_to_live(TTL).build();
    for (id, record) in (0..).zip(&set.records) {
        cache.insert(id, Arc::clone(record));
    }
    cache.run_pending_tasks();
    Candidate::new("moka sync", Role::Other, move |thread, operations| {
        time(operations, |number| {
            let id = set.at(thread, number);
            check(id, &cache.get(&black_box(id)).expect("resident"));
        })
    })
}

pub fn amalgam(set: &Resident) -> Candidate<'_> {
    let options = amalgam::EntryOptions::new(TTL);
    let cache = amalgam::Cache::<Arc<Record>>::builder().default_options(options).try_build().expect("valid options");
    runtime().block_on(async {
        for (name, record) in set.names.iter().zip(&set.records) {
            cache.set(name, Arc::clone(record)).await.expect("memory takes it");
        }
    });
    Candidate::new("amalgam-cache", Role::Other, move |thread, operations| {
        time_async(operations, async |number| {
            let id = set.at(thread, number);
            let name = black_box(set.names[id as usize].as_str());
            check(id, &cache.try_get(name).await.expect("no failure").expect("resident"));
        })
    })
}

pub fn cachekit_rs(set: &Resident) -> Candidate<'_> {
    let cache = peer();
    runtime().block_on(async {
        for (name, record) in set.names.iter().zip(&set.records) {
            cache.set_with_ttl(name, &**record, TTL).await.expect("memory takes it");
        }
    });
    Candidate::new("cachekit-rs", Role::Peer, move |thread, operations| {
        time_async(operations, async |number| {
            let id = set.at(thread, number);
            let name = black_box(set.names[id as usize].as_str());
            check(id, &cache.get::<Record>(name).await.expect("no failure").expect("resident"));
        })
    })
}

pub fn cachekit_rs_macro(set: &Resident) -> Candidate<'_> {
    #[cachekit::cachekit(client = cache, ttl = 300, interop = "record", namespace = "bench")]
    async fn record(cache: &cachekit::CacheKit, id: u64) -> Result<Record, cachekit::CachekitError> {
        Ok(Record::new(id, 100))
    }

    let cache = peer();
    runtime().block_on(async {
        for id in 0..KEYS {
            record(&cache, id).await.expect("computed");
        }
    });
    Candidate::new("#[cachekit] of cachekit-rs", Role::Peer, move |thread, operations| {
        time_async(operations, async |number| {
            let id = set.at(thread, number);
            check(id, &record(&cache, black_box(id)).await.expect("no failure"));
        })
    })
}

/// Makes sure that the hit is the right one, and that the value is really looked at.
pub fn check(id: u64, record: &Record) {
    assert_eq!(black_box(record).id, id);
}

fn peer() -> cachekit::CacheKit {
    let backend = Arc::new(Memory::default());
    cachekit::CacheKit::builder().backend(backend).l1_capacity(ROOM).build().expect("valid options")
}

/// What cachekit-rs asks for below its own memory. A hit does not get here.
#[derive(Default)]
struct Memory(Mutex<HashMap<String, Vec<u8>>>);

impl Memory {
    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.0.lock().expect("nobody panics with the lock held")
    }
}

#[async_trait::async_trait]
impl cachekit::backend::Backend for Memory {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, cachekit::BackendError> {
        Ok(self.entries().get(key).cloned())
    }

    async fn set(&self, key: &str, value: Vec<u8>, _: Option<Duration>) -> Result<(), cachekit::BackendError> {
        self.entries().insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<bool, cachekit::BackendError> {
        Ok(self.entries().remove(key).is_some())
    }

    async fn exists(&self, key: &str) -> Result<bool, cachekit::BackendError> {
        Ok(self.entries().contains_key(key))
    }

    async fn health(&self) -> Result<cachekit::backend::HealthStatus, cachekit::BackendError> {
        unreachable!("nobody asks")
    }
}
