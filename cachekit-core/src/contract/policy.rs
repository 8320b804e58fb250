//! [`ResiliencePolicy`]: decides whether and when a call to a backend is made, and made again.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::{Error, ErrorCode, Moment, Operation};

/// Decides whether a call to a backend goes out, waits or is refused, and whether it is made again.
///
/// A policy only decides. It neither waits nor calls nor reads a clock: `now` and `random` come in, and one driver,
/// which runs an ordered list of policies around a backend, does what they say. So a policy is tested with numbers for
/// time.
///
/// # Contract
/// 1. Each `admit` that is answered with [`Verdict::Go`] or [`Verdict::GoAfter`] is followed by exactly one `finish`
///    with the same generation and mark, whatever becomes of the call: a dropped one is finished as [`Outcome::Abandoned`].
///    Whoever answers [`Next::AgainAfter`] is asked to `admit` again, with one attempt more, when the time is over.
/// 2. An admission carries the generation in which it was given; a `finish` of an older generation releases what it
///    holds and otherwise changes nothing.
/// 3. [`Outcome::Abandoned`] gives back permits and slots and counts neither as success nor as failure.
/// 4. A [`Verdict::Queue`] hands out a ticket. The driver asks again with that ticket when it is woken and when
///    `at_most` is over; each time a call is finished or a ticket leaves the queue, it wakes the earliest ticket that
///    waits. A ticket that is given up is finished as [`Outcome::Abandoned`], with the ticket as the
///    [mark](Admission::mark); a [`Verdict::Refuse`] ends it without. Tickets rise, and are served in that order.
/// 5. Methods take `&self`, are called concurrently, return at once and never panic. Time may stand still between calls
///    but does not go back.
/// 6. `Display` names the policy and its settings, on one line that stays the same: so a stack is told in logs.
/// 7. A policy that bounds time says so in its admission: [`Admission::ending`]. All that lies below it in the stack,
///    waits included, is over by then: the driver gives up what is still under way, finishes it here with the code
///    that the admission names, and starts nothing that could not begin in time.
///
/// # Errors
/// A refusal names the code of the catalogue (E030 to E033), a time limit that of the error when it is over; the driver
/// makes the error.
///
/// # Position in the stack
/// Each policy documents which neighbours it needs: order is behaviour. The default, from the outside in: limit, retry,
/// breaker, time limit per attempt, backend. What a policy is told of a call that a limit further out cut short is a
/// failure with the code of that limit, after the time that it took; that one code does not count against the backend,
/// the time may.
pub trait ResiliencePolicy: Any + fmt::Debug + fmt::Display + Send + Sync {
    // `Any`, as whatever borrows nothing is: so the driver knows ours by their names, and asks them faster.

    /// Whether the call may go out. `random` is uniform over all of `u64`.
    fn admit(&self, call: &Call, now: Moment, random: u64) -> Verdict;

    /// Takes note of how the call ended, and says whether it is made again.
    fn finish(&self, call: &Call, admission: Admission, outcome: Outcome<'_>, now: Moment, random: u64) -> Next;

    /// The state that it is in, in a word for logs, status pages and metrics, if it has states: a breaker's is `closed`,
    /// `open`, `half_open`, `forced_open` or `forced_closed`.
    fn condition(&self) -> Option<&'static str> {
        None
    }

    /// How often it began by itself to refuse all calls, as a breaker that opens does; 0 for a policy that does no such
    /// thing.
    fn openings(&self) -> u64 {
        0
    }
}

/// The call that is to be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// Which operation.
    pub operation: Operation,
    /// How many attempts were made before this one.
    pub attempt: u32,
    /// When the whole call began.
    pub began: Moment,
    /// How long the caller allows the whole call, if it says so: instead of what a limit on whole calls allows otherwise.
    pub within: Option<Duration>,
    /// The ticket that was handed out to it, if it is waiting in a queue.
    pub ticket: Option<u64>,
}

impl Call {
    /// The first attempt of a call that begins now.
    #[must_use]
    pub fn new(operation: Operation, began: Moment) -> Self {
        Self { operation, attempt: 0, began, within: None, ticket: None }
    }
}

/// A policy's answer to [`ResiliencePolicy::admit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Make the call.
    Go(Admission),
    /// Wait so long, then make the call.
    GoAfter(Duration, Admission),
    /// Wait until woken, at most so long, and ask again with this ticket.
    Queue {
        /// Names the place in the queue.
        ticket: u64,
        /// The longest wait.
        at_most: Duration,
    },
    /// Do not make the call, and fail with this code.
    Refuse(ErrorCode),
}

/// What a call was admitted with; handed back in [`ResiliencePolicy::finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// In which state of the policy it was given.
    pub generation: u64,
    /// What the policy wants to know again: which permit, whether it is a probe.
    pub mark: u64,
    /// When the call has to be over, and the code of the error if it is not.
    pub ends: Option<(Moment, ErrorCode)>,
}

impl Admission {
    /// An admission of this generation.
    #[must_use]
    pub const fn new(generation: u64, mark: u64) -> Self {
        Self { generation, mark, ends: None }
    }

    /// The same admission, for a call that fails with `code` if it is not over at `moment`. Clause 7.
    #[must_use]
    pub const fn ending(self, moment: Moment, code: ErrorCode) -> Self {
        Self { ends: Some((moment, code)), ..self }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It was answered, after so long.
    Success(Duration),
    /// It failed, after so long.
    Failure(&'a Error, Duration),
    /// It was given up before it ended.
    Abandoned,
}

/// A policy's answer to [`ResiliencePolicy::finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The outcome stands.
    Done,
    /// Make the call again after so long.
    AgainAfter(Duration),
}
