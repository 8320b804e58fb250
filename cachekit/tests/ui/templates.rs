//! Keys that cannot be.

use cachekit::cache;

#[cache(key = "")]
async fn empty(id: u64) -> u64 {
    id
}

#[cache(key = ":")]
async fn separators(id: u64) -> u64 {
    id
}

#[cache(key = "{}")]
async fn unnamed(id: u64) -> u64 {
    id
}

#[cache(key = "{user}")]
async fn unknown(id: u64, lang: u8) -> u64 {
    id + u64::from(lang)
}

#[cache(key = "{id:04}")]
async fn formatted(id: u64) -> u64 {
    id
}

#[cache(key = "{id + 1}")]
async fn computed(id: u64) -> u64 {
    id
}

#[cache(key = "{id")]
async fn open(id: u64) -> u64 {
    id
}

#[cache(key = "id}")]
async fn closed(id: u64) -> u64 {
    id
}

#[cache(key = "{self.id}")]
async fn without_self(id: u64) -> u64 {
    id
}

#[cache(key = id)]
async fn no_text(id: u64) -> u64 {
    id
}

fn main() {}
