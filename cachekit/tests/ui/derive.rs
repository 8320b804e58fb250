//! Types that cannot be keys.

use cachekit::IntoKey;

#[derive(IntoKey)]
union Either {
    one: u32,
    other: i32,
}

#[derive(IntoKey)]
struct Price(f64);

#[derive(IntoKey)]
#[cachekit(rename = "x")]
struct Renamed(u64);

fn is_key<K: IntoKey>(_: K) {}

struct Plain;

fn main() {
    is_key(Plain);
}
