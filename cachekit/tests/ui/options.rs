//! Options that cannot be.

use cachekit::cache;

#[cache(tll = "5m")]
async fn misspelt(id: u64) -> u64 {
    id
}

#[cache(colour = "red")]
async fn unknown(id: u64) -> u64 {
    id
}

#[cache(secure)]
async fn later_secure(id: u64) -> u64 {
    id
}

#[cache(io)]
async fn later_io(id: u64) -> u64 {
    id
}

#[cache(redis)]
async fn later_redis(id: u64) -> u64 {
    id
}

#[cache(api_key = "ck")]
async fn later_api_key(id: u64) -> u64 {
    id
}

#[cache(serializer = Json)]
async fn later_serializer(id: u64) -> u64 {
    id
}

#[cache(fail_closed)]
async fn later_fail_closed(id: u64) -> u64 {
    id
}

#[cache(ttl)]
async fn without_a_value(id: u64) -> u64 {
    id
}

#[cache(ttl = "5m", ttl = "6m")]
async fn twice(id: u64) -> u64 {
    id
}

#[cache("5m")]
async fn no_option(id: u64) -> u64 {
    id
}

#[cache(skip = id)]
async fn skip_without_parentheses(id: u64) -> u64 {
    id
}

#[cache(skip(db))]
async fn skip_of_nothing(id: u64) -> u64 {
    id
}

#[cache(namespace = "my users")]
async fn bad_namespace(id: u64) -> u64 {
    id
}

#[cache(namespace = "t")]
async fn reserved_namespace(id: u64) -> u64 {
    id
}

#[cache(name = "")]
async fn bad_name(id: u64) -> u64 {
    id
}

#[cache(none_ttl = "5s")]
async fn none_without_an_option(id: u64) -> u64 {
    id
}

#[cache(load_timeout = "5s")]
async fn limit_without_a_result(id: u64) -> u64 {
    id
}

#[cache(shared_error = share)]
async fn sharing_without_a_result(id: u64) -> u64 {
    id
}

fn main() {}
