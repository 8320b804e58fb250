//! Futures polled by hand: so many times and no more, or in an order drawn from a seed.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::Dice;

/// A future that somebody polls by hand, and may drop at any point.
pub struct ByHand<'a, R>(Pin<Box<dyn Future<Output = R> + 'a>>);

impl<'a, R> ByHand<'a, R> {
    pub fn new(future: impl Future<Output = R> + 'a) -> Self {
        Self(Box::pin(future))
    }

    /// Polls once, within the task that asks, with its waker.
    pub async fn poll(&mut self) -> Poll<R> {
        poll_fn(|context| Poll::Ready(self.0.as_mut().poll(context))).await
    }

    /// Polls up to `times`, each time only when it was woken or never polled; lets everybody else run in between.
    /// Says whether it ended.
    pub async fn poll_times(&mut self, times: usize) -> Option<R> {
        for _ in 0..times {
            if let Poll::Ready(done) = self.poll().await {
                return Some(done);
            }
            // Virtual time passes too: whatever this future waits for has happened before the next poll.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        None
    }
}

/// Polls `future` so many times at most, then drops it: `None`.
pub async fn give_up_after<R>(polls: usize, future: impl Future<Output = R>) -> Option<R> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(context).map(Some);
        if left == 0 && polled.is_pending() {
            // It is dropped with this closure, in its next turn.
            context.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// Polls `tasks` in an order drawn from `dice`, until all have ended. Only those that were woken are polled.
pub async fn run_shuffled(dice: &mut Dice, tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (Some(task), Arc::new(Woken::default()))).collect();
    poll_fn(|context| {
        for (_, woken) in &tasks {
            *woken.outer.lock().unwrap() = Some(context.waker().clone());
        }
        for _ in 0..=dice.below(8) {
            let ready: Vec<usize> = (0..tasks.len())
                .filter(|&at| tasks[at].0.is_some() && !tasks[at].1.asleep.load(Ordering::SeqCst))
                .collect();
            if ready.is_empty() {
                break;
            }
            let at = ready[dice.below(ready.len())];
            let (task, woken) = &mut tasks[at];
            woken.asleep.store(true, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(woken));
            if task.as_mut().unwrap().as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *task = None;
            }
        }
        if tasks.iter().all(|(task, _)| task.is_none()) {
            return Poll::Ready(());
        }
        // What runs in the background has its turn between.
        if tasks.iter().any(|(task, woken)| task.is_some() && !woken.asleep.load(Ordering::SeqCst)) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

#[derive(Default)]
struct Woken {
    asleep: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.asleep.store(false, Ordering::SeqCst);
        if let Some(outer) = self.outer.lock().unwrap().clone() {
            outer.wake();
        }
    }
}
