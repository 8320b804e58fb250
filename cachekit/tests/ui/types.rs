//! Types that do not fit.

use cachekit::cache;

#[cache]
async fn float(x: f64) -> u64 {
    x as u64
}

struct Point {
    x: f64,
}

#[cache(key = "{point.x}")]
async fn float_field(point: &Point) -> u64 {
    point.x as u64
}

type Alias = Result<u64, String>;

#[cache]
async fn hidden_result(id: u64) -> Alias {
    Ok(id)
}

struct Lost;

#[cache(load_timeout = "5s")]
async fn limit(id: u64) -> Result<u64, Lost> {
    Ok(id)
}

#[cache(cache = id)]
async fn no_cache(id: u64) -> u64 {
    id
}

fn main() {}
