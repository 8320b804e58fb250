//! Rules about the names that a backend has to take.

use std::time::Duration;

use cachekit_core::{Acquired, Key};

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, ensure, holds, nothing};

pub(crate) async fn key_1_every_character_and_length(case: &Case) -> Outcome {
    let alphabet = ('!'..='~').filter(|c| c.is_ascii_alphanumeric() || "_.:-".contains(*c));
    let mut keys: Vec<Key> = alphabet.map(|c| case.key(&c.to_string())).collect();
    keys.push(case.key("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"));
    for odd in ["..", "a..b", "-rf", "::", "a::b:", "_2f", "con", "00", "-1", "1e9"] {
        keys.push(case.key(odd));
    }
    keys.push(case.long_key(""));
    all_apart(case, &keys).await
}

pub(crate) async fn key_2_the_ending_for_locks_is_free(case: &Case) -> Outcome {
    let fenced = case.fenced()?;
    let (key, token) = (case.key("k"), case.token());
    let near = [case.key("k:lock:"), case.key("k:locks"), case.key("k.lock"), case.key("k:lock:lock-")];
    let acquired = fenced.acquire(&key, &token, Duration::from_secs(600)).await?;
    ensure(acquired == Acquired::Granted { found: None }, "a free fence to be granted, with nothing stored", || {
        format!("{acquired:?}")
    })?;
    nothing("get of a key whose fence is held", case.backend().get(&key).await?.as_ref())?;
    all_apart(case, &near).await?;
    for near in &near {
        case.backend().delete(near).await?;
    }
    let held = fenced.release(&key, &token).await?;
    ensure(held, "a fence to outlast what happens to keys that are named like locks", || {
        "that its holder had lost it".to_owned()
    })
}

pub(crate) async fn key_3_keys_compare_byte_for_byte(case: &Case) -> Outcome {
    let mut keys: Vec<Key> =
        ["a:b", "a.b", "a-b", "a_b", "A:b", "a:B", "ab", "a:b:", "a::b", "1", "01", "1.0", "a_3ab"]
            .into_iter()
            .map(|name| case.key(name))
            .collect();
    // Alike up to their last byte, at the greatest length.
    keys.extend(["a", "b", "A"].map(|end| case.long_key(end)));
    all_apart(case, &keys).await
}

/// Each of `keys` holds a value of its own.
async fn all_apart(case: &Case, keys: &[Key]) -> Outcome {
    let values: Vec<_> = keys.iter().map(|_| case.value()).collect();
    for (key, value) in keys.iter().zip(&values) {
        case.backend().set(key, value.clone(), &case.kept()).await?;
    }
    for (key, value) in keys.iter().zip(&values) {
        let end: String = key.as_str().chars().rev().take(16).collect::<Vec<_>>().into_iter().rev().collect();
        let when = format!("get of the key of {} bytes that ends in {end:?}", key.as_str().len());
        holds(when, case.backend().get(key).await?.as_ref(), value)?;
    }
    Ok(())
}
