//! Rules about futures that are dropped before they are done.

use std::time::Duration;

use bytes::Bytes;
use cachekit_core::Write;

use crate::conformance::case::{Case, polled};
use crate::conformance::outcome::{Outcome, Unmet, ensure, equal, holds};

pub(crate) async fn backend_cancellation_a_dropped_write_leaves_old_or_new(case: &Case) -> Outcome {
    for polls in 0..MOST_POLLS {
        // What was dropped may still land later: it must not meet the next round.
        let key = case.key(&polls.to_string());
        // Each byte of a value is the same, so that a mixture shows.
        let [old, new] = [1, 2].map(|n| Bytes::from(vec![u8::try_from(polls % 100).unwrap_or(0) * 2 + n; 16 << 10]));
        case.backend().set(&key, old.clone(), &case.kept()).await?;
        let done = polled(case.backend().set(&key, new.clone(), &case.kept()), polls).await.is_some();
        let left = case.other().get(&key).await?.map(|entry| entry.value);
        let whole = left.as_ref().is_some_and(|left| *left == old || *left == new);
        ensure(whole, format_args!("the old value or the new one after a set was dropped at poll {polls}"), || {
            left.map_or_else(|| "nothing".into(), |left| format!("{} bytes that are neither", left.len()))
        })?;
        if done {
            return Ok(());
        }
    }
    Ok(())
}

pub(crate) async fn backend_cancellation_dropped_calls_hold_nothing(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    let backend = case.backend();
    for polls in 1..=3 {
        for _ in 0..DROPPED {
            polled(backend.set(&key, value.clone(), &case.kept()), polls).await;
            polled(backend.get(&key), polls).await;
            polled(backend.delete(&key), polls).await;
            polled(backend.get_many(std::slice::from_ref(&key)), polls).await;
            polled(backend.set_many(&[Write::new(key.clone(), value.clone(), case.kept())]), polls).await;
            polled(backend.health(), polls).await;
        }
    }
    let other = case.key("other");
    let what = "calls to be answered after many were dropped";
    case.in_time(what, backend.set(&other, value.clone(), &case.kept())).await??;
    let found = case.in_time(what, backend.get(&other)).await??;
    holds("get after many dropped calls", found.as_ref(), &value)
}

pub(crate) async fn fenced_cancellation_a_dropped_acquire_is_freed_by_release(case: &Case) -> Outcome {
    let fenced = case.fenced()?;
    for polls in 0..4 {
        let (key, token) = (case.key(&polls.to_string()), case.token());
        polled(fenced.acquire(&key, &token, Duration::from_secs(600)), polls).await;
        // Through the same handle: what was sent before it is done before it.
        fenced.release(&key, &token).await?;
        let acquired = fenced.acquire(&key, &case.token(), Duration::from_secs(600)).await?;
        let granted = matches!(acquired, cachekit_core::Acquired::Granted { .. });
        ensure(granted, "a fence to be free after the release that followed a dropped acquire", || {
            format!("{acquired:?}")
        })?;
    }
    Ok(())
}

pub(crate) async fn clearable_4_a_dropped_clear_leaves_whole_entries(case: &Case) -> Outcome {
    let (clearable, prefix) = (case.clearable()?, case.namespace("dropped"));
    let entries: Vec<_> = (0..40).map(|n| (case.under(&prefix, &n.to_string()), case.value())).collect();
    for polls in 0..MOST_POLLS {
        for (key, value) in &entries {
            case.backend().set(key, value.clone(), &case.kept()).await?;
        }
        let done = polled(clearable.clear(&prefix), polls).await.is_some();
        for (key, value) in &entries {
            if let Some(left) = case.backend().get(key).await? {
                holds("get after a clear was dropped", Some(&left), value)?;
            }
        }
        clearable.clear(&prefix).await?;
        for (key, _) in &entries {
            equal("exists after a clear that followed a dropped one", &case.backend().exists(key).await?, &false)?;
        }
        if done {
            return Ok(());
        }
    }
    Err(Unmet::skipped(format!("clearing takes more than {MOST_POLLS} polls")))
}

const MOST_POLLS: usize = 24;
const DROPPED: usize = 40;
