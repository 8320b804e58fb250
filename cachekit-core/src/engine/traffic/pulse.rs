//! [`Pulse`]: tells whether a future that is ready to go on is polled at all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Tells whether a future that is ready to go on is polled at all.
///
/// A future that others wait for may sit in a `select!` or a buffered stream whose owner is busy elsewhere. Its waker
/// was then called, and no poll followed: that is what shows here. A future that merely waits is never suspected.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// How often the waker was called.
    woken: AtomicU64,
    /// How much of that had happened when the last poll began.
    polled: AtomicU64,
}

impl Pulse {
    /// Runs `work` under observation by all of `pulses`.
    pub(super) fn watch<F: Future>(pulses: Arc<[Arc<Self>]>, work: F) -> Watched<F> {
        Watched { pulses, relay: None, work: Box::pin(work) }
    }

    /// What to compare later: `None` if the future is waiting, else the call of its waker since which it stands ready.
    pub(super) fn ready_since(&self) -> Option<u64> {
        let polled = self.polled.load(Ordering::Acquire);
        (self.woken.load(Ordering::Acquire) > polled).then_some(polled)
    }
}

/// A future under observation: [`Pulse::watch`].
pub(super) struct Watched<F> {
    pulses: Arc<[Arc<Pulse>]>,
    relay: Option<Arc<Relay>>,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        for pulse in &*this.pulses {
            pulse.polled.store(pulse.woken.load(Ordering::Acquire), Ordering::Release);
        }
        let relay = this.relay.get_or_insert_with(|| {
            Arc::new(Relay { pulses: Arc::clone(&this.pulses), task: Mutex::new(context.waker().clone()) })
        });
        relay.pass_to(context.waker());
        let waker = Waker::from(Arc::clone(relay));
        this.work.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Takes note of a wake-up and passes it on.
struct Relay {
    pulses: Arc<[Arc<Pulse>]>,
    task: Mutex<Waker>,
}

impl Relay {
    fn pass_to(&self, task: &Waker) {
        let mut known = self.task.lock();
        let former = (!known.will_wake(task)).then(|| std::mem::replace(&mut *known, task.clone()));
        drop(known);
        // Dropping a waker may run foreign code, which must not find the lock held.
        drop(former);
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for pulse in &*self.pulses {
            pulse.woken.fetch_add(1, Ordering::AcqRel);
        }
        // Cloned first: a waker may run foreign code, which must not find the lock held.
        let task = self.task.lock().clone();
        task.wake();
    }
}
