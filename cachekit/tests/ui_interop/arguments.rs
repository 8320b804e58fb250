//! What is no argument that other languages know.

use std::collections::BTreeMap;
use std::time::Duration;

use cachekit::cache;
use cachekit::interop::{InteropArg, InteropKey};

#[cache(interop = "find", namespace = "orders")]
async fn duration(of: Duration) -> u64 {
    of.as_secs()
}

#[derive(InteropArg)]
struct Nothing;

#[derive(InteropArg)]
enum Shape {
    Circle(u8),
}

#[derive(InteropArg)]
struct Twice {
    a: u8,
    #[interop(rename = "a")]
    b: u8,
}

#[derive(InteropArg)]
struct Unknown {
    #[interop(skip)]
    a: u8,
}

fn main() {
    let _no_tuple = InteropKey::of(&7);
    let _no_text_as_key = InteropKey::of(&(BTreeMap::from([(1, 2)]),));
}
