//! Times that cannot be.

use cachekit::cache;

#[cache(ttl = "5 m")]
async fn spaced(id: u64) -> u64 {
    id
}

#[cache(ttl = "1.5s")]
async fn fraction(id: u64) -> u64 {
    id
}

#[cache(ttl = 0)]
async fn zero(id: u64) -> u64 {
    id
}

#[cache(ttl = -1)]
async fn negative(id: u64) -> u64 {
    id
}

#[cache(ttl = FIVE_MINUTES)]
async fn constant(id: u64) -> u64 {
    id
}

#[cache(ttl = "30m1h")]
async fn in_the_wrong_order(id: u64) -> u64 {
    id
}

#[cache(timeout = "never")]
async fn endless_limit(id: u64) -> u64 {
    id
}

#[cache(lock_timeout = "0s")]
async fn no_limit(id: u64) -> u64 {
    id
}

fn main() {}
