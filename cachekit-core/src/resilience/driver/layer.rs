//! [`Layer`]: one policy of the stack, and those who wait for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use super::chance::Chance;
use super::known::Known;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::{Admission, Call, Clock, Moment, Next, Outcome, ResiliencePolicy};

/// One policy of the stack, and those who wait for it with a ticket.
pub(super) struct Layer {
    pub(super) policy: Known,
    clock: Arc<dyn Clock>,
    waiting: Mutex<BTreeMap<u64, Arc<Notify>>>,
    /// How many wait: looked at after every call, so that nobody takes the lock for an empty queue.
    count: AtomicUsize,
}

/// A place in the queue of a policy. Dropped before it was served, it is given up.
pub(super) struct Place<'a> {
    layer: &'a Layer,
    call: Call,
    ticket: u64,
    woken: Arc<Notify>,
    served: bool,
}

impl Layer {
    pub(super) fn new(policy: Arc<dyn ResiliencePolicy>, clock: Arc<dyn Clock>) -> Self {
        Self { policy: Known::new(policy), clock, waiting: Mutex::default(), count: AtomicUsize::new(0) }
    }

    /// Takes the place of `ticket`, which can be woken from now on. Whoever enters asks the policy once more before
    /// waiting: what was given back before that woke somebody else, or nobody.
    pub(super) fn enter(&self, call: &Call, ticket: u64) -> Place<'_> {
        let woken = Arc::new(Notify::new());
        let mut waiting = self.waiting.lock();
        waiting.insert(ticket, Arc::clone(&woken));
        self.count.store(waiting.len(), Ordering::Relaxed);
        drop(waiting);
        // See `wake_first_if_any`.
        fence(Ordering::SeqCst);
        let mut call = call.clone();
        call.ticket = Some(ticket);
        Place { layer: self, call, ticket, woken, served: false }
    }

    /// Reports to the policy. A limit of ours says itself whether somebody waits, who is woken then; for others there is
    /// [`wake`].
    #[inline(always)]
    pub(super) fn finish(
        &self,
        call: &Call,
        admission: Admission,
        outcome: Outcome<'_>,
        now: Moment,
        chance: &Chance,
    ) -> Next {
        let (next, somebody_waits) = self.policy.finish(call, admission, outcome, now, chance);
        if somebody_waits {
            self.wake_first();
        }
        next
    }

    /// Wakes the earliest ticket.
    ///
    /// Whoever is told by the policy that somebody waits comes here, and does not look at `count`: the lock alone decides.
    /// Either it is taken here after `enter`, and the ticket is found; or before, and then the question that follows
    /// `enter` sees what was given back.
    #[cold]
    fn wake_first(&self) {
        if let Some((_, first)) = self.waiting.lock().first_key_value() {
            first.notify_one();
        }
    }

    /// Wakes the earliest ticket, if somebody waits.
    ///
    /// Between the policy's `finish` and this there is a sequentially consistent fence, as there is in `enter` before
    /// the policy is asked again: either that question sees what was given back, or this sees who waits.
    #[inline]
    fn wake_first_if_any(&self) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.wake_first();
        }
    }
}

impl Place<'_> {
    /// The call, with its ticket.
    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// Waits until it is this ticket's turn, or may be.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// The policy has admitted or refused it: there is no ticket any more.
    pub(super) fn served(mut self) {
        self.served = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.served {
            let given_up = Admission::new(0, self.ticket);
            let now = self.layer.clock.now();
            let _ = self.layer.policy.any().finish(&self.call, given_up, Outcome::Abandoned, now, 0);
        }
        let mut waiting = self.layer.waiting.lock();
        waiting.remove(&self.ticket);
        self.layer.count.store(waiting.len(), Ordering::Relaxed);
        // The turn, if it was this one's, goes to the next; and there may be more than one place free.
        if let Some((_, next)) = waiting.first_key_value() {
            next.notify_one();
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.policy.any())
    }
}

/// Wakes who waits for what was given back just now.
#[inline]
pub(super) fn wake(layers: &[Layer]) {
    // See `Layer::wake_first_if_any`.
    fence(Ordering::SeqCst);
    for layer in layers {
        layer.wake_first_if_any();
    }
}
