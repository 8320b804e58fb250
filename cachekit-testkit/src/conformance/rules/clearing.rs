//! Rules about clearing namespaces.

use std::time::Duration;

use cachekit_core::{Acquired, Write};

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, ensure, equal, holds, nothing};

pub(crate) async fn clearable_1_cleared_entries_are_gone(case: &Case) -> Outcome {
    let (clearable, prefix) = (case.clearable()?, case.namespace("full"));
    // More than one page of whatever the store enumerates by.
    let keys: Vec<_> = (0..1_200).map(|n| case.under(&prefix, &n.to_string())).collect();
    let writes: Vec<_> = keys.iter().map(|key| Write::new(key.clone(), case.value(), case.kept())).collect();
    // Some of them by another process, which only the store knows of.
    for (handle, writes) in [(case.backend(), &writes[..1_000]), (case.other(), &writes[1_000..])] {
        handle.set_many(writes).await.into_iter().collect::<cachekit_core::Result<()>>()?;
    }
    clearable.clear(&prefix).await?;
    for handle in [case.backend(), case.other()] {
        for found in handle.get_many(&keys).await {
            nothing("get_many after clear", found?.as_ref())?;
        }
    }
    Ok(())
}

pub(crate) async fn clearable_1_a_set_after_a_clear_is_read(case: &Case) -> Outcome {
    let (clearable, prefix) = (case.clearable()?, case.namespace("again"));
    let (key, value) = (case.under(&prefix, "k"), case.value());
    clearable.clear(&prefix).await?;
    for _ in 0..2 {
        case.backend().set(&key, value.clone(), &case.kept()).await?;
        holds("get after a set that followed a clear", case.backend().get(&key).await?.as_ref(), &value)?;
        clearable.clear(&prefix).await?;
        equal("exists after a clear", &case.backend().exists(&key).await?, &false)?;
    }
    Ok(())
}

pub(crate) async fn clearable_2_nothing_outside_is_touched(case: &Case) -> Outcome {
    let (clearable, prefix, value) = (case.clearable()?, case.namespace("a"), case.value());
    let neighbours = [
        case.namespace("ab"),
        case.namespace("A"),
        case.namespace("a."),
        case.namespace("a_"),
        case.namespace("b"),
        case.tenant("one", "a"),
        case.tenant("two", "a"),
    ];
    let mut outside: Vec<_> = neighbours.iter().map(|prefix| case.under(prefix, "k")).collect();
    outside.push(case.key("a"));
    for key in &outside {
        case.backend().set(key, value.clone(), &case.kept()).await?;
    }
    let cleared = [case.under(&prefix, "k"), case.under(&neighbours[5], "k")];
    case.backend().set(&cleared[0], value.clone(), &case.kept()).await?;
    clearable.clear(&prefix).await?;
    for key in &outside {
        holds("get of a key outside the prefix that was cleared", case.backend().get(key).await?.as_ref(), &value)?;
    }
    clearable.clear(&neighbours[5]).await?;
    let other_tenant = case.under(&neighbours[6], "k");
    let found = case.backend().get(&other_tenant).await?;
    holds("get of another tenant's key after one tenant's namespace was cleared", found.as_ref(), &value)
}

pub(crate) async fn clearable_3_fences_are_revoked(case: &Case) -> Outcome {
    let (clearable, fenced, prefix) = (case.clearable()?, case.fenced()?, case.namespace("a"));
    let lease = Duration::from_secs(600);
    let (key, token) = (case.under(&prefix, "k"), case.token());
    let (outside, stays) = (case.key("k"), case.token());
    fenced.acquire(&key, &token, lease).await?;
    fenced.acquire(&outside, &stays, lease).await?;
    clearable.clear(&prefix).await?;
    let stored = fenced.set_fenced(&key, &token, case.value(), &case.kept()).await?;
    equal("set_fenced by a load that began before a clear", &stored, &false)?;
    nothing("get after that", case.backend().get(&key).await?.as_ref())?;
    let acquired = fenced.acquire(&key, &case.token(), lease).await?;
    ensure(acquired == Acquired::Granted { found: None }, "the fence to be free after a clear", || {
        format!("{acquired:?}")
    })?;
    equal("renew of a fence outside the prefix", &fenced.renew(&outside, &stays, lease).await?, &true)
}
