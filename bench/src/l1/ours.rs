//! Our candidates, over L1 alone, with room for all entries.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use cachekit::{Cache, Namespace};

use super::{Record, Resident};
use crate::harness::{Candidate, Role, runtime, time, time_async};

pub fn get(set: &Resident) -> Candidate<'_> {
    let records = namespace(set);
    Candidate::new("cachekit get", Role::Ours, move |thread, operations| {
        time_async(operations, async |number| {
            let id = set.at(thread, number);
            super::peers::check(id, &records.get(black_box(id)).await.expect("no failure").expect("resident"));
        })
    })
}

pub fn get_or_load(set: &Resident) -> Candidate<'_> {
    let records = namespace(set);
    Candidate::new("cachekit get_or_load", Role::Ours, move |thread, operations| {
        time_async(operations, async |number| {
            let id = set.at(thread, number);
            let load = || async { Ok::<_, Infallible>(Record::new(id, 100)) };
            super::peers::check(id, &records.get_or_load(black_box(id), load).await.expect("no failure"));
        })
    })
}

pub fn peek(set: &Resident) -> Candidate<'_> {
    let records = namespace(set);
    Candidate::new("cachekit peek", Role::Ours, move |thread, operations| {
        time(operations, |number| {
            let id = set.at(thread, number);
            super::peers::check(id, &records.peek(black_box(id)).expect("resident"));
        })
    })
}

fn namespace(set: &Resident) -> Namespace<Record> {
    let cache = Cache::builder().l1_bytes(1 << 30).build().expect("valid settings");
    let records = cache.namespace::<Record>("records").open().expect("a new namespace");
    runtime().block_on(async {
        for (id, record) in (0_u64..).zip(&set.records) {
            records.set(id, Arc::clone(record)).await.expect("memory takes it");
        }
    });
    records
}

pub fn function(set: &Resident) -> Candidate<'_> {
    #[cachekit::cache(ttl = "5m", namespace = "bench-function", key = "{id}")]
    async fn record(id: u64) -> Arc<Record> {
        Arc::new(Record::new(id, 100))
    }

    runtime().block_on(async {
        for id in 0..super::KEYS {
            record(id).await;
        }
    });
    Candidate::new("#[cache]", Role::Ours, move |thread, operations| {
        time_async(operations, async |number| {
            let id = set.at(thread, number);
            let found = record(black_box(id)).await;
            super::peers::check(id, &found);
        })
    })
}
