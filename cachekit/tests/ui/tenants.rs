//! Tenants that cannot be.

use cachekit::cache;

#[cache(tenant = id)]
async fn not_text(id: u64) -> u64 {
    id
}

#[cache(tenant = tenant)]
async fn not_there(id: u64) -> u64 {
    id
}

struct Lost;

#[cache(secure, encryption_fail_closed)]
async fn no_way_to_tell(id: u64) -> Result<u64, Lost> {
    Ok(id)
}

fn main() {}
