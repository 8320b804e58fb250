//! Rules about many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, holds};

pub(crate) async fn backend_1_never_goes_back(case: &Case) -> Outcome {
    let (key, kept) = (case.key("k"), case.kept());
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let version = |n: usize| Bytes::from(n.to_string());
    case.backend().set(&key, version(0), &kept).await?;
    let mut tasks = JoinSet::new();
    for reader in [case.backend(), case.other()] {
        let (reader, key, acknowledged) = (Arc::clone(reader), key.clone(), Arc::clone(&acknowledged));
        tasks.spawn(async move {
            let mut seen = 0;
            while seen < VERSIONS {
                let least = acknowledged.load(Ordering::SeqCst).max(seen);
                let found = reader.get(&key).await?;
                let found = found.and_then(|entry| std::str::from_utf8(&entry.value).ok()?.parse::<usize>().ok());
                ensure(
                    found.is_some_and(|found| found >= least),
                    format_args!("version {least} or a later one"),
                    || {
                        found
                            .map_or_else(|| "nothing, or what was never set".into(), |found| format!("version {found}"))
                    },
                )?;
                seen = found.unwrap_or(seen);
                tokio::task::yield_now().await;
            }
            Ok(())
        });
    }
    let writer = Arc::clone(case.backend());
    tasks.spawn(async move {
        for n in 1..=VERSIONS {
            writer.set(&key, version(n), &kept).await?;
            acknowledged.store(n, Ordering::SeqCst);
        }
        Ok(())
    });
    all(tasks).await
}

pub(crate) async fn backend_concurrency_many_writers_leave_one_whole_value(case: &Case) -> Outcome {
    let key = case.key("k");
    let mut tasks = JoinSet::new();
    for n in 1..=WRITERS {
        let backend = Arc::clone(if n % 2 == 0 { case.backend() } else { case.other() });
        let (key, kept) = (key.clone(), case.kept());
        tasks.spawn(async move { Ok(backend.set(&key, uniform(n), &kept).await?) });
    }
    all(tasks).await?;
    let found = case.backend().get(&key).await?;
    let found = found.ok_or_else(|| Unmet::deviates("one of the values after 64 writers", "nothing"))?;
    whole(&found.value)
}

pub(crate) async fn backend_concurrency_readers_see_whole_values(case: &Case) -> Outcome {
    let key = case.key("k");
    case.backend().set(&key, uniform(1), &case.kept()).await?;
    let mut tasks = JoinSet::new();
    for n in 1..=WRITERS {
        let (backend, key, kept) = (Arc::clone(case.backend()), key.clone(), case.kept());
        tasks.spawn(async move { Ok(backend.set(&key, uniform(n), &kept).await?) });
        let (reader, key) = (Arc::clone(case.other()), case.key("k"));
        tasks.spawn(async move {
            let found = reader.get(&key).await?;
            whole(&found.ok_or_else(|| Unmet::deviates("a value while it is overwritten", "nothing"))?.value)
        });
    }
    all(tasks).await
}

pub(crate) async fn backend_concurrency_many_keys_at_once(case: &Case) -> Outcome {
    let mut tasks = JoinSet::new();
    for (n, key) in case.keys(128).into_iter().enumerate() {
        let backend = Arc::clone(if n % 2 == 0 { case.backend() } else { case.other() });
        let (value, kept) = (case.value(), case.kept());
        tasks.spawn(async move {
            backend.set(&key, value.clone(), &kept).await?;
            holds("get of a key among many that are written at once", backend.get(&key).await?.as_ref(), &value)?;
            backend.delete(&key).await?;
            let gone = backend.get(&key).await?.is_none();
            ensure(gone, "nothing after a delete among many", || "an entry".to_owned())
        });
    }
    all(tasks).await
}

/// Waits for all; the first deviation counts.
pub(crate) async fn all(mut tasks: JoinSet<Outcome>) -> Outcome {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|panic| Unmet::deviates("an answer", panic))??;
    }
    Ok(())
}

/// A value whose bytes are all the same, so that a torn one shows; its length tells which one it is.
fn uniform(n: usize) -> Bytes {
    vec![u8::try_from(n).unwrap_or(0); 8_192 + n].into()
}

fn whole(value: &Bytes) -> Outcome {
    let expected = value.first().map(|&first| uniform(usize::from(first)));
    ensure(expected.as_ref() == Some(value), "one of the values, whole", || {
        format!("{} bytes that nobody wrote", value.len())
    })
}

const WRITERS: usize = 64;
const VERSIONS: usize = 64;
