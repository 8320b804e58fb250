//! Entries for other clients that cannot be.

use cachekit::cache;

#[cache(interop = "find")]
async fn without_a_namespace(id: u64) -> u64 {
    id
}

#[cache(interop = "Find", namespace = "orders")]
async fn operation_with_capitals(id: u64) -> u64 {
    id
}

#[cache(interop = "find", namespace = "Orders")]
async fn namespace_with_capitals(id: u64) -> u64 {
    id
}

#[cache(interop = "find", namespace = "ns")]
async fn reserved_namespace(id: u64) -> u64 {
    id
}

#[cache(interop = "find", namespace = "orders", key = "{id}")]
async fn with_a_key(id: u64) -> u64 {
    id
}

#[cache(interop = "find", namespace = "orders", name = "find")]
async fn with_a_name(id: u64) -> u64 {
    id
}

#[cache(interop = "find", namespace = "orders", stale_for = "1h")]
async fn with_hard_times(id: u64) -> u64 {
    id
}

#[cache(interop = "find", namespace = "orders", background, refresh_after = "1m")]
async fn with_refreshes(id: u64) -> u64 {
    id
}

fn main() {}
