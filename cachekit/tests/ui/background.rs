//! What a body cannot do that runs in its caller, and what it cannot use that runs in a task.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use cachekit::cache;

struct Database;

#[cache(refresh_after = "1m")]
async fn refresh_inside_the_caller(id: u64) -> u64 {
    id
}

#[cache(background, refresh_after = "5m")]
async fn refresh_after_the_end(id: u64) -> u64 {
    id
}

#[cache(background, skip(db))]
async fn borrowed_argument(db: &Database, id: u64) -> u64 {
    let _ = db;
    id
}

#[cache(background)]
async fn hidden_borrow(name: Cow<'_, str>) -> u64 {
    name.len() as u64
}

#[cache(background, skip(db))]
async fn not_sent(db: Rc<Database>, id: u64) -> u64 {
    std::future::ready(()).await;
    let _db = db;
    id
}

#[cache(background = true)]
async fn with_a_value(id: u64) -> u64 {
    id
}

impl Database {
    #[cache(name = "Database::user", background)]
    async fn user(&self, id: u64) -> u64 {
        id
    }

    #[cache(name = "Database::shared", background)]
    async fn shared(self: &Arc<Self>, id: u64) -> u64 {
        id
    }
}

fn main() {}
