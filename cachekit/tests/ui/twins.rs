//! Twins that have no room.

use std::future::Future;
use std::pin::Pin;

use cachekit::cache;

struct Service;

trait Repository {
    fn find(&self, id: u64) -> Pin<Box<dyn Future<Output = u64> + '_>>;
}

impl Repository for Service {
    #[cache(key = "{id}", invalidate = forget)]
    fn find(&self, id: u64) -> Pin<Box<dyn Future<Output = u64> + '_>> {
        Box::pin(async move { id })
    }
}

fn main() {}
