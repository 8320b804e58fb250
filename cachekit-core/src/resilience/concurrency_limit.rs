//! [`ConcurrencyLimit`]: bounds how many calls are under way at once.

mod places;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use self::places::{Places, Share};
use super::settings::{INSTANT, LONGEST, within};
use crate::sync::Mutex;
use crate::{Admission, Call, ErrorCode, Moment, Next, Outcome, ResiliencePolicy, Result, Verdict};

/// `ConcurrencyLimit` bounds how many calls are under way at once; some more wait in a queue.
///
/// A server that slows down is given more and more calls by callers who do not slow down, until it answers nobody in
/// time, and the memory of this process goes into calls that wait. With a limit, what is too much is known at once. A
/// short queue evens out bursts; a long one only makes sure that whoever is served has already given up, so the queue is
/// bounded in length and in time.
///
/// The queue is fair: places go to tickets in the order in which they were handed out, and who comes later goes behind
/// those who wait, also if a place is free at that moment.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{Call, ConcurrencyLimit, Moment, Operation, ResiliencePolicy, Verdict};
///
/// let limit = ConcurrencyLimit::builder(1).with_queue(8).with_wait(Duration::from_millis(100)).build()?;
/// assert_eq!(limit.to_string(), "limit(1 at once, 8 in the queue for 100ms)");
/// let (now, call) = (Moment::from_nanos(0), Call::new(Operation::Get, Moment::from_nanos(0)));
/// assert!(matches!(limit.admit(&call, now, 0), Verdict::Go(_)));
/// assert_eq!(limit.admit(&call, now, 0), Verdict::Queue { ticket: 1, at_most: Duration::from_millis(100) });
/// # Ok::<_, cachekit_core::Error>(())
/// ```
///
/// # Errors
/// A call that finds the queue full, or whose wait is over, fails with E032.
///
/// # Cancellation
/// A place is free again as soon as the call is finished, abandoned ones included; so is a place in the queue. A ticket
/// that nobody asks with any more is passed over when its time is up.
///
/// # Concurrency
/// While nobody waits, a place is taken and given back with one atomic operation each. From 32 places on, threads have
/// shares of them, so that they do not disturb each other; one that runs out takes from the others, and only when none
/// has any does a call wait.
///
/// # Position in the stack
/// Outside [`Retry`](crate::Retry), so that a call keeps its place from its first attempt to its last: inside, each
/// attempt would queue anew, and the waits between attempts would let in more calls than can be served. The price is that
/// a place is taken while a call waits for its next attempt, which is what is wanted of a backend in trouble. Inside
/// [`Deadline`](crate::Deadline), which also bounds the time in the queue. Outside
/// [`CircuitBreaker`](crate::CircuitBreaker), so that the time in the queue is not taken for slowness of the backend;
/// calls that the breaker refuses leave at once and hold nobody up.
pub struct ConcurrencyLimit {
    settings: ConcurrencyLimitBuilder,
    places: Places,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    tickets: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: u64,
    until: Moment,
}

impl ConcurrencyLimit {
    /// Begins one that lets `at_once` calls be under way, 1 to 1,000,000.
    pub fn builder(at_once: u32) -> ConcurrencyLimitBuilder {
        ConcurrencyLimitBuilder { at_once, queue: 1_024, wait: Duration::from_secs(1) }
    }

    /// How many calls are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.places.taken() as usize
    }

    /// How many wait in the queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Ends an admission, or a ticket. Whether others may be waiting for what became free.
    #[inline]
    pub(super) fn end(&self, admission: Admission) -> bool {
        if admission.generation == 0
            && let Some(share) = Share::of_mark(admission.mark)
        {
            return self.places.give_back(share);
        }
        self.give_up(admission.mark);
        true
    }

    #[cold]
    fn queue(&self, now: Moment) -> Verdict {
        let mut queue = self.queue.lock();
        self.pass_over(&mut queue, now, None);
        // From here on, a place that is given back is told to those who wait.
        self.places.close();
        let verdict = self.place_or_ticket(&mut queue, now);
        self.open_unless_waiting(&queue);
        verdict
    }

    fn place_or_ticket(&self, queue: &mut Queue, now: Moment) -> Verdict {
        if queue.waiting.is_empty()
            && let Some(share) = self.places.take_of_others(Share::mine())
        {
            return go(share);
        }
        if queue.waiting.len() >= self.settings.queue as usize {
            return Verdict::Refuse(ErrorCode::E032);
        }
        queue.tickets += 1;
        let ticket = queue.tickets;
        queue.waiting.push_back(Waiting { ticket, until: now + self.settings.wait });
        Verdict::Queue { ticket, at_most: self.settings.wait }
    }

    #[cold]
    fn ask_again(&self, ticket: u64, now: Moment) -> Verdict {
        let mut queue = self.queue.lock();
        self.pass_over(&mut queue, now, Some(ticket));
        let verdict = self.place_for(&mut queue, ticket, now);
        self.open_unless_waiting(&queue);
        verdict
    }

    fn place_for(&self, queue: &mut Queue, ticket: u64, now: Moment) -> Verdict {
        let Ok(place) = queue.place_of(ticket) else { return Verdict::Refuse(ErrorCode::E032) };
        if place == 0
            && let Some(share) = self.places.take_of_others(Share::mine())
        {
            queue.waiting.pop_front();
            return go(share);
        }
        let until = queue.waiting[place].until;
        if now >= until {
            queue.waiting.remove(place);
            return Verdict::Refuse(ErrorCode::E032);
        }
        Verdict::Queue { ticket, at_most: until.since(now) }
    }

    #[cold]
    fn give_up(&self, ticket: u64) {
        let mut queue = self.queue.lock();
        if let Ok(place) = queue.place_of(ticket) {
            queue.waiting.remove(place);
            self.open_unless_waiting(&queue);
        }
    }

    /// Takes those out of the queue whose time is up and who stand before `asking`: they do not seem to come back.
    fn pass_over(&self, queue: &mut Queue, now: Moment, asking: Option<u64>) {
        let is_over = |first: &Waiting| now >= first.until && Some(first.ticket) != asking;
        while queue.waiting.front().is_some_and(is_over) {
            queue.waiting.pop_front();
        }
    }

    /// The places are closed as long as somebody waits, so that nobody overtakes.
    fn open_unless_waiting(&self, queue: &Queue) {
        if queue.waiting.is_empty() {
            self.places.open();
        }
    }
}

impl Queue {
    /// Where `ticket` stands: tickets rise.
    fn place_of(&self, ticket: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket)
    }
}

impl ResiliencePolicy for ConcurrencyLimit {
    #[inline]
    fn admit(&self, call: &Call, now: Moment, _: u64) -> Verdict {
        match call.ticket {
            None => {
                let share = Share::mine();
                if self.places.take(share) { go(share) } else { self.queue(now) }
            }
            Some(ticket) => self.ask_again(ticket, now),
        }
    }

    #[inline]
    fn finish(&self, _: &Call, admission: Admission, _: Outcome<'_>, _: Moment, _: u64) -> Next {
        self.end(admission);
        Next::Done
    }
}

impl fmt::Display for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConcurrencyLimitBuilder { at_once, queue, wait } = self.settings;
        match queue {
            0 => write!(f, "limit({at_once} at once, no queue)"),
            _ => write!(f, "limit({at_once} at once, {queue} in the queue for {wait:?})"),
        }
    }
}

impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit")
            .field("settings", &self.settings)
            .field("under_way", &self.under_way())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// Makes a [`ConcurrencyLimit`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ConcurrencyLimitBuilder {
    at_once: u32,
    queue: u32,
    wait: Duration,
}

impl ConcurrencyLimitBuilder {
    /// How many calls may wait in the queue, up to 1,000,000. Default: 1,024. With 0 nobody waits.
    pub fn with_queue(self, places: u32) -> Self {
        Self { queue: places, ..self }
    }

    /// How long a call waits in the queue. Default: 1 s.
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Makes the limit.
    ///
    /// # Errors
    /// E044 for a limit of nothing, a wait of nothing or of more than a day, and for more than a million.
    pub fn build(self) -> Result<ConcurrencyLimit> {
        within("concurrency limit: calls at once", self.at_once, 1..=MOST)?;
        within("concurrency limit: places in the queue", self.queue, 0..=MOST)?;
        within("concurrency limit: wait in the queue", self.wait, INSTANT..=LONGEST)?;
        Ok(ConcurrencyLimit { settings: self, places: Places::new(self.at_once), queue: Mutex::default() })
    }
}

#[inline]
fn go(share: Share) -> Verdict {
    Verdict::Go(Admission::new(0, share.mark()))
}

const MOST: u32 = 1_000_000;

#[cfg(test)]
mod tests;
