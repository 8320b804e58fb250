//! [`Repairs`]: deletes that the backend did not acknowledge, to be repeated until it does.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::cache::Engine;
use super::spans;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::{Error, ErrorCode, Key, Operation, Result};

/// Deletes that the backend did not acknowledge, to be repeated until it does.
///
/// As long as a key waits here, what the backend has under it is not believed. A repair deletes and never
/// replays a value, so a newer value that it takes away costs a load and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    waiting: Mutex<Waiting>,
    /// How many wait, so that a look-up need not take the lock when none does.
    count: AtomicUsize,
    /// How many were done.
    done: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    keys: HashSet<Key>,
    /// Whether somebody is at work on them.
    worked: bool,
}

impl Repairs {
    /// How many deletes wait.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// How many deletes were done in the end.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether what the backend has under `key` is not to be believed.
    pub(crate) fn distrusts(&self, key: &Key) -> bool {
        self.len() > 0 && self.waiting.lock().keys.contains(key)
    }
}

/// Remembers that `key` is to be deleted, and sees to it in the background.
///
/// E032 if too many wait already, E036 if there is no runtime that could do it.
pub(super) fn delete_later(engine: &Arc<Engine>, key: Key) -> Result<()> {
    let repairs = &engine.repairs;
    let mut waiting = repairs.waiting.lock();
    if waiting.keys.len() >= MOST && !waiting.keys.contains(&key) {
        return Err(Error::invalid(
            ErrorCode::E032,
            "deletes waiting to be repeated",
            format_args!("at most {MOST}"),
            "one more",
        ));
    }
    waiting.keys.insert(key);
    repairs.count.store(waiting.keys.len(), Ordering::Release);
    if waiting.worked {
        return Ok(());
    }
    waiting.worked = true;
    drop(waiting);
    let mut worker = Worker { engine: Arc::clone(engine), done: false };
    if engine.tasks.spawn(async move { worker.run().await }) {
        Ok(())
    } else {
        Err(Error::new(ErrorCode::E036, "no runtime is there to repeat the delete"))
    }
}

/// Works on what waits until nothing does. However it ends, the next one can begin.
struct Worker {
    engine: Arc<Engine>,
    done: bool,
}

impl Worker {
    async fn run(&mut self) {
        let engine = Arc::clone(&self.engine);
        let Some(backend) = &engine.backend else { return };
        let (mut pause, mut at_once) = (FIRST_PAUSE, AT_ONCE);
        loop {
            let since = engine.outage.begin();
            let keys: Vec<Key> = {
                let mut waiting = engine.repairs.waiting.lock();
                if waiting.keys.is_empty() {
                    waiting.worked = false;
                    self.done = true;
                    return;
                }
                waiting.keys.iter().take(at_once).cloned().collect()
            };
            let answers = match backend.abilities().fenced {
                // A load that began before the delete must not store after it.
                Some(fenced) => {
                    let delete = |key| {
                        let span = spans::call(&engine, Operation::Delete, Some(key));
                        spans::within(span, fenced.delete_and_revoke(key))
                    };
                    futures_util::future::join_all(keys.iter().map(delete)).await
                }
                None => {
                    let span = spans::call_many(&engine, Operation::DeleteMany, keys.len());
                    backend.delete_many(&keys).instrument(span).await
                }
            };
            // A backend that answers for fewer keys than it was asked for breaks its contract.
            let mut failed = answers.len() < keys.len();
            if let Some(Err(error)) = answers.iter().find(|answer| answer.is_err()) {
                engine.outage.failed(error, since, engine.now());
            }
            {
                let mut waiting = engine.repairs.waiting.lock();
                for (key, answer) in keys.iter().zip(&answers) {
                    match answer {
                        Ok(()) => {
                            waiting.keys.remove(key);
                            engine.repairs.done.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => failed = true,
                    }
                }
                engine.repairs.count.store(waiting.keys.len(), Ordering::Release);
            }
            if failed {
                if engine.is_closed() {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                // A backend that is ill, or that a breaker spares, is tried with one.
                at_once = 1;
            } else {
                engine.outage.succeeded();
                (pause, at_once) = (FIRST_PAUSE, AT_ONCE);
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.done {
            self.engine.repairs.waiting.lock().worked = false;
        }
    }
}

/// How many keys are remembered.
const MOST: usize = 100_000;
const AT_ONCE: usize = 256;
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);
