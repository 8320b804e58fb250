//! What is refused before there is a cache.

use cachekit::core::MasterKey;
use cachekit::{Cache, CacheExt, Environment, ErrorCode, RedisBackend, Ttl};

use super::super::scene::{Drilled, Evidence, Meanwhile, SECRET, refused, texts, words};

/// A master key of less than 32 bytes.
pub(in super::super) async fn short_master_key(_code: ErrorCode) -> Drilled {
    let error = refused(MasterKey::new(SECRET.as_bytes()), "a short master key")?;
    Ok(Evidence::error(error, Meanwhile::NotMade))
}

/// A master key is set, and neither encryption nor plaintext was chosen.
pub(in super::super) async fn no_choice(_code: ErrorCode) -> Drilled {
    from_env(&[("CACHEKIT_MASTER_KEY", SECRET)]).await
}

/// Redis is asked for, and no URL is set.
pub(in super::super) async fn no_url(_code: ErrorCode) -> Drilled {
    let error = refused(RedisBackend::from_env(|_| None), "Redis without a URL")?;
    Ok(Evidence::error(error, Meanwhile::NotMade))
}

/// A URL with a password and a port that cannot be.
pub(in super::super) async fn impossible_variable(_code: ErrorCode) -> Drilled {
    from_env(&[("CACHEKIT_REDIS_URL", &format!("redis://:{SECRET}@localhost:70000"))]).await
}

/// Two backends are chosen.
pub(in super::super) async fn two_backends(_code: ErrorCode) -> Drilled {
    from_env(&[("CACHEKIT_API_KEY", SECRET), ("CACHEKIT_REDIS_URL", &format!("redis://:{SECRET}@localhost"))]).await
}

/// A tenant that is too long for a key.
pub(in super::super) async fn impossible_key(_code: ErrorCode) -> Drilled {
    let cache = empty()?;
    let tenants = cache.namespace::<String>("drills").per_tenant().open().map_err(words)?;
    let error = refused(tenants.tenant(&SECRET.repeat(10)), "a tenant that is too long")?;
    Ok(Evidence::error(error, Meanwhile::NotMade).of(&cache))
}

/// A time to live of zero.
pub(in super::super) async fn impossible_ttl(_code: ErrorCode) -> Drilled {
    let error = refused("0s".parse::<Ttl>(), "a time to live of zero")?;
    Ok(Evidence::error(error, Meanwhile::NotMade))
}

/// A budget of zero.
pub(in super::super) async fn impossible_setting(_code: ErrorCode) -> Drilled {
    let error = refused(Cache::builder().l1_bytes(0).build(), "a budget of zero")?;
    Ok(Evidence::error(error, Meanwhile::NotMade))
}

/// A namespace that is open with another type.
pub(in super::super) async fn another_type(_code: ErrorCode) -> Drilled {
    let cache = empty()?;
    let _texts = texts(&cache)?;
    let error = refused(cache.namespace::<u64>("drills").open(), "a second type")?;
    Ok(Evidence::error(error, Meanwhile::NotMade).of(&cache))
}

fn empty() -> Result<Cache, String> {
    Cache::builder().build().map_err(words)
}

async fn from_env(variables: &[(&str, &str)]) -> Drilled {
    let environment: Environment = variables.iter().copied().collect();
    let error = refused(Cache::from_env().environment(environment).await, "making a cache from the environment")?;
    Ok(Evidence::error(error, Meanwhile::NotMade))
}
