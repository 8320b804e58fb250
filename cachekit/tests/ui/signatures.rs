//! Functions that cannot be cached.

use std::future::Future;

use cachekit::cache;

#[cache]
fn not_async(id: u64) -> u64 {
    id
}

#[cache]
fn future(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

#[cache]
const fn constant(id: u64) -> u64 {
    id
}

#[cache]
async unsafe fn not_safe(id: u64) -> u64 {
    id
}

#[cache]
async extern "C" fn foreign(id: u64) -> u64 {
    id
}

#[cache]
async fn nothing(id: u64) {
    drop(id);
}

#[cache]
async fn unit(id: u64) -> () {
    drop(id);
}

#[cache]
async fn not_named(id: u64) -> impl Clone {
    id
}

#[cache]
async fn reference(id: &u64) -> &u64 {
    id
}

#[cache]
async fn reference_inside(id: &str) -> Result<Option<&str>, String> {
    Ok(Some(id))
}

#[cache]
async fn borrowed<'a>(text: &'a str) -> std::borrow::Cow<'a, str> {
    text.into()
}

#[cache]
async fn generic<T: Clone>(value: T) -> Vec<T> {
    vec![value]
}

#[cache]
async fn generic_unseen<T: Default + ToString>(id: u64) -> String {
    format!("{id}{}", T::default().to_string())
}

#[cache]
async fn changing(list: &mut Vec<u64>) -> u64 {
    list.len() as u64
}

#[cache]
async fn taken_apart((a, b): (u64, u64)) -> u64 {
    a + b
}

#[cache]
struct NoFunction;

struct Service;

impl Service {
    #[cache]
    async fn unnamed(&self, id: u64) -> u64 {
        id
    }

    #[cache(name = "Service::changing")]
    async fn changing(&mut self, id: u64) -> u64 {
        id
    }

    #[cache(name = "Service::cloned")]
    async fn cloned(&self, id: u64) -> Option<Self> {
        (id == 0).then_some(Self)
    }

    #[cache(name = "Service::skipping", skip(self))]
    async fn skipping(&self, id: u64) -> u64 {
        id
    }
}

trait Repository {
    #[cache(name = "Repository::find")]
    async fn find(&self, id: u64) -> u64;
}

fn main() {}
