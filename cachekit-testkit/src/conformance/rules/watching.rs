//! Rules about telling changes.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Change, Key, KeyPrefix, Watch, Write};

use crate::conformance::case::{Case, polled};
use crate::conformance::fixture::Illness;
use crate::conformance::outcome::{Outcome, Unmet, ensure};

pub(crate) async fn watchable_1_sets_and_deletes_are_told(case: &Case) -> Outcome {
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    let keys = ["set", "set_many", "deleted", "delete_many"].map(|name| case.under(&prefix, name));
    case.other().set(&keys[0], case.value(), &case.kept()).await?;
    told(case, &mut *watch, &keys[0], "a set through another handle").await?;
    let write = Write::new(keys[1].clone(), case.value(), case.kept());
    case.other().set_many(&[write]).await.into_iter().collect::<cachekit_core::Result<()>>()?;
    told(case, &mut *watch, &keys[1], "a set_many through another handle").await?;
    for (key, many) in [(&keys[2], false), (&keys[3], true)] {
        case.other().set(key, case.value(), &case.kept()).await?;
        told(case, &mut *watch, key, "a set through another handle").await?;
        match many {
            false => case.other().delete(key).await?,
            true => case.other().delete_many(std::slice::from_ref(key)).await.into_iter().collect::<Result<_, _>>()?,
        }
        told(case, &mut *watch, key, "a delete through another handle").await?;
    }
    Ok(())
}

pub(crate) async fn watchable_1_fenced_writes_are_told(case: &Case) -> Outcome {
    case.fenced()?;
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    let elsewhere = case.other().abilities().fenced.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
    let (key, token) = (case.under(&prefix, "k"), case.token());
    elsewhere.acquire(&key, &token, Duration::from_secs(600)).await?;
    elsewhere.set_fenced(&key, &token, case.value(), &case.kept()).await?;
    told(case, &mut *watch, &key, "a set_fenced through another handle").await?;
    elsewhere.set_and_revoke(&key, case.value(), &case.kept()).await?;
    told(case, &mut *watch, &key, "a set_and_revoke through another handle").await?;
    elsewhere.delete_and_revoke(&key).await?;
    told(case, &mut *watch, &key, "a delete_and_revoke through another handle").await
}

pub(crate) async fn watchable_1_clears_are_told(case: &Case) -> Outcome {
    case.clearable()?;
    let prefix = case.namespace("a");
    let key = case.under(&prefix, "k");
    case.other().set(&key, case.value(), &case.kept()).await?;
    let mut watch = case.watch(&prefix).await?;
    let elsewhere = case.other().abilities().clearable.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
    elsewhere.clear(&prefix).await?;
    told(case, &mut *watch, &key, "a clear through another handle").await
}

pub(crate) async fn watchable_1_a_change_is_visible_when_it_is_told(case: &Case) -> Outcome {
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    for n in 0..16 {
        let (key, value) = (case.under(&prefix, &n.to_string()), case.value());
        let look = async {
            told(case, &mut *watch, &key, "a set through another handle").await?;
            Outcome::Ok(case.backend().get(&key).await?.map(|entry| entry.value))
        };
        // Who is told may look before the set is acknowledged.
        let kept = case.kept();
        let (seen, set) = tokio::join!(look, case.other().set(&key, value.clone(), &kept));
        set?;
        let seen = seen?;
        let visible = seen.as_ref() == Some(&value);
        ensure(visible, "a change to be visible by the time that it is told", || {
            seen.map_or_else(|| "nothing".into(), |seen: Bytes| format!("{} other bytes", seen.len()))
        })?;
    }
    Ok(())
}

pub(crate) async fn watchable_1_every_watch_is_told(case: &Case) -> Outcome {
    let (prefix, elsewhere) = (case.namespace("a"), case.namespace("b"));
    let mut watches = [case.watch(&prefix).await?, case.watch(&prefix).await?, case.watch(&elsewhere).await?];
    for n in 0..4 {
        let keys = [&prefix, &elsewhere].map(|prefix| case.under(prefix, &n.to_string()));
        for key in &keys {
            case.other().set(key, case.value(), &case.kept()).await?;
        }
        for (watch, key) in watches.iter_mut().zip([&keys[0], &keys[0], &keys[1]]) {
            told(case, &mut **watch, key, "a set, to each of three watches,").await?;
        }
    }
    Ok(())
}

pub(crate) async fn watchable_2_an_outage_is_told(case: &Case) -> Outcome {
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    let (before, after) = (case.under(&prefix, "before"), case.under(&prefix, "after"));
    case.other().set(&before, case.value(), &case.kept()).await?;
    told(case, &mut *watch, &before, "a set through another handle").await?;
    case.fall_ill(Illness::Down).await?;
    while next(case, &mut *watch, "that sight was lost, while the store is down").await? != Change::SightLost {}
    case.recover().await;
    while next(case, &mut *watch, "that sight was regained, with the store").await? != Change::SightRegained {}
    // The other handle finds the store again in its own time.
    let again = async {
        while case.other().set(&after, case.value(), &case.kept()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    case.in_time("calls to succeed after the store has recovered", again).await?;
    told(case, &mut *watch, &after, "a change after an outage").await
}

pub(crate) async fn watchable_2_blindness_is_told(case: &Case) -> Outcome {
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    let mut untold: BTreeSet<Key> = (0..MANY).map(|n| case.under(&prefix, &n.to_string())).collect();
    // Nobody takes what is told meanwhile: sooner or later something has to give.
    for key in &untold {
        case.other().set(key, case.value(), &case.kept()).await?;
    }
    while !untold.is_empty() {
        match next(case, &mut *watch, "every change, or that sight was lost").await? {
            Change::SightLost => return Ok(()),
            Change::Key(key) => drop(untold.remove(&key)),
            Change::Prefix(cleared) => untold.retain(|key| !cleared.covers(key)),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) async fn watchable_2_sight_comes_back(case: &Case) -> Outcome {
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    let keys: Vec<Key> = (0..MANY).map(|n| case.under(&prefix, &n.to_string())).collect();
    for key in &keys {
        case.other().set(key, case.value(), &case.kept()).await?;
    }
    let mut untold: BTreeSet<&Key> = keys.iter().collect();
    let mut lost = false;
    while !lost && !untold.is_empty() {
        match next(case, &mut *watch, "every change, or that sight was lost").await? {
            Change::SightLost => lost = true,
            Change::Key(key) => drop(untold.remove(&key)),
            _ => {}
        }
    }
    if !lost {
        return Err(Unmet::skipped(format!("the backend keeps {MANY} changes without losing sight")));
    }
    while next(case, &mut *watch, "that sight was regained").await? != Change::SightRegained {}
    let key = case.under(&prefix, "after");
    case.other().set(&key, case.value(), &case.kept()).await?;
    told(case, &mut *watch, &key, "a change after sight was regained").await
}

pub(crate) async fn watchable_3_changes_of_a_key_are_told_in_order(case: &Case) -> Outcome {
    case.clearable()?;
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    let elsewhere = case.other().abilities().clearable.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
    let (key, end) = (case.under(&prefix, "k"), case.under(&prefix, "end"));
    case.other().set(&key, case.value(), &case.kept()).await?;
    elsewhere.clear(&prefix).await?;
    case.other().set(&key, case.value(), &case.kept()).await?;
    case.other().set(&end, case.value(), &case.kept()).await?;
    // A clear that is told last would take away a copy that is right; a set that is told last leaves it to be looked up.
    let mut last = None;
    loop {
        match next(case, &mut *watch, "the changes of a key").await? {
            Change::Key(changed) if changed == end => break,
            Change::SightLost => return Err(Unmet::skipped("the backend lost sight")),
            change => last = Some(change),
        }
    }
    ensure(last == Some(Change::Key(key)), "a set that followed a clear to be told after it", || format!("{last:?}"))
}

pub(crate) async fn watchable_next_a_dropped_next_loses_nothing(case: &Case) -> Outcome {
    let prefix = case.namespace("a");
    let mut watch = case.watch(&prefix).await?;
    for polls in 0..4 {
        let key = case.under(&prefix, &polls.to_string());
        // There is nothing to tell yet, so that a second poll would wait for ever.
        polled(watch.next(), polls.min(1)).await;
        case.other().set(&key, case.value(), &case.kept()).await?;
        if polled(watch.next(), polls).await != Some(Some(Change::Key(key.clone()))) {
            told(case, &mut *watch, &key, "a change that came while next was dropped").await?;
        }
    }
    Ok(())
}

pub(crate) async fn watchable_next_closing_ends_a_watch(case: &Case) -> Outcome {
    case.watchable()?;
    let (handle, prefix) = (case.reopen().await, case.namespace("a"));
    let watchable = handle.abilities().watchable.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
    let mut watch = watchable.watch(&prefix).await?;
    handle.close().await;
    for _ in 0..2 {
        let ended = async { while watch.next().await.is_some() {} };
        case.in_time("a watch to end when its backend is closed", ended).await?;
    }
    Ok(())
}

/// Waits until a change of `key` is told. Others may be told meanwhile; sight that is lost tells everything.
async fn told(case: &Case, watch: &mut dyn Watch, key: &Key, what: &str) -> Outcome {
    let expected = format!("{what} to be told");
    let concerns = |change: &Change| match change {
        Change::Key(changed) => changed == key,
        Change::Prefix(cleared) => covers(cleared, key),
        Change::SightLost => true,
        _ => false,
    };
    while !concerns(&next(case, watch, &expected).await?) {}
    Ok(())
}

fn covers(prefix: &KeyPrefix, key: &Key) -> bool {
    prefix.covers(key)
}

async fn next(case: &Case, watch: &mut dyn Watch, expected: &str) -> Outcome<Change> {
    let change = case.in_time(expected, watch.next()).await?;
    change.ok_or_else(|| Unmet::deviates(expected, "that the watch had ended"))
}

/// More changes than anybody keeps who means to bound his memory.
const MANY: usize = 5_000;
