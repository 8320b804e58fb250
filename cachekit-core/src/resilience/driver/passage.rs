//! [`Passage`]: the way of one call through the policies and back.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time;

use super::ResilientBackend;
use super::layer::{Layer, Place};
use crate::engine::tell;
use crate::sync::atomic::{Ordering, fence};
use crate::{Admission, BackendFault, Call, Error, ErrorCode, Moment, Next, Operation, Outcome, Result, Verdict};

/// The way of one call through the policies and back. Dropped on the way, it gives back what it holds.
///
/// It lies in the future of every call, so it is kept small.
pub(super) struct Passage<'a> {
    driver: &'a ResilientBackend,
    call: Call,
    /// By which policies the call is admitted, from the outermost on.
    held: SmallVec<[Held; 6]>,
    /// The ends that these named, each earlier than those before it.
    limits: SmallVec<[Limit; 2]>,
    /// Of which policy the limit is whose end has come.
    over: Option<usize>,
    /// The error of the attempt before.
    last: Option<Error>,
    /// Whether anything may have been sent.
    sent: bool,
    /// Chance for this attempt; each policy gets the same bits in another order.
    random: u64,
}

/// An admission that has to be finished.
struct Held {
    generation: u64,
    mark: u64,
    since: Moment,
}

/// When the call has to be over.
#[derive(Clone, Copy)]
struct Limit {
    ends: Moment,
    /// When it was given.
    since: Moment,
    code: ErrorCode,
    /// Of which policy it is.
    at: u32,
}

impl<'a> Passage<'a> {
    #[inline]
    pub(super) fn new(driver: &'a ResilientBackend, operation: Operation) -> Self {
        let call = Call::new(operation, driver.now());
        let (held, limits) = (SmallVec::new(), SmallVec::new());
        Self { driver, call, held, limits, over: None, last: None, sent: false, random: 0 }
    }

    /// Makes the call, with `attempt` called for each attempt.
    pub(super) async fn make<R, A>(&mut self, attempt: impl Fn() -> A) -> Result<R>
    where
        A: Future<Output = Result<R>>,
    {
        loop {
            self.random = self.driver.chance.next();
            let result = match self.descend() {
                Descent::Done => Ok(()),
                Descent::Waits(verdict) => self.descend_waiting(verdict).await,
            };
            let result = match result {
                Ok(()) => self.attempt(attempt()).await,
                Err(error) => Err(error),
            };
            match (self.ascend(result.as_ref().map(drop)), result) {
                (None, Ok(done)) => return Ok(done),
                (None, Err(error)) => return Err(if self.sent { error } else { error.unsent() }),
                (Some(pause), result) => {
                    self.driver.tally.made_again();
                    if let Err(error) = result {
                        let error = error.with_operation(self.call.operation);
                        tell!(debug, &error, (?pause), "call made again");
                        self.last = Some(error);
                    }
                    // Over in time: otherwise the policy would not have been heeded.
                    time::sleep(pause).await;
                }
            }
        }
    }

    /// Asks those policies that do not hold the call yet, from the outside in, as long as they let it go at once.
    #[inline]
    fn descend(&mut self) -> Descent {
        let now = self.driver.now();
        while let Some(layer) = self.driver.layers.get(self.held.len()) {
            match layer.policy.admit(&self.call, now, self.chance()) {
                Verdict::Go(admission) => self.hold(admission, now),
                verdict => return Descent::Waits(verdict),
            }
        }
        Descent::Done
    }

    /// Goes on where a policy did not let the call go at once.
    #[cold]
    fn descend_waiting(&mut self, verdict: Verdict) -> futures_util::future::BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut verdict = verdict;
            loop {
                self.obey(verdict).await?;
                match self.descend() {
                    Descent::Done => return Ok(()),
                    Descent::Waits(next) => verdict = next,
                }
            }
        })
    }

    /// Does what the next policy says, until the call is admitted.
    async fn obey(&mut self, verdict: Verdict) -> Result<()> {
        let layer = &self.driver.layers[self.held.len()];
        let mut verdict = verdict;
        let mut place: Option<Place<'a>> = None;
        let decided = loop {
            match verdict {
                Verdict::Go(admission) => break Ok((admission, None)),
                Verdict::GoAfter(pause, admission) => break Ok((admission, Some(pause))),
                Verdict::Refuse(code) => break Err(code),
                Verdict::Queue { ticket, at_most } => {
                    match &place {
                        // Who has just come asks once more before waiting: a place may have become free in between.
                        None => place = Some(layer.enter(&self.call, ticket)),
                        Some(place) => self.wait(at_most, Some(place)).await?,
                    }
                    let call = place.as_ref().map_or(&self.call, Place::call);
                    verdict = layer.policy.admit(call, self.driver.now(), self.chance());
                }
            }
        };
        if let Some(place) = place {
            place.served();
        }
        let (admission, pause) = decided.map_err(|code| {
            self.driver.tally.refused(code);
            self.error(code, format!("refused by {}", layer.policy))
        })?;
        self.hold(admission, self.driver.now());
        match pause {
            Some(pause) => self.wait(pause, None).await,
            None => Ok(()),
        }
    }

    /// Waits for `pause`, or until `place` is woken. The error of the limit if its end comes first, or is sure to.
    async fn wait(&mut self, pause: Duration, place: Option<&Place<'_>>) -> Result<()> {
        let left = self.limit().map(|limit| (limit, limit.ends.since(self.driver.now())));
        let too_long = left.filter(|(_, left)| *left <= pause).map(|(limit, _)| limit);
        match (place, too_long) {
            (None, None) => time::sleep(pause).await,
            (None, Some(limit)) => return Err(self.too_late(limit)),
            (Some(place), _) => {
                let at_most = left.map_or(pause, |(_, left)| left.min(pause));
                let woken = time::timeout(at_most, place.woken()).await.is_ok();
                if let (false, Some(limit)) = (woken, too_long) {
                    return Err(self.too_late(limit));
                }
            }
        }
        Ok(())
    }

    /// Makes one attempt within the limit.
    async fn attempt<R>(&mut self, attempt: impl Future<Output = Result<R>>) -> Result<R> {
        let mut attempt = pin!(attempt);
        // Most calls need no timer: they answer at once, or nothing limits them.
        let polled = poll_fn(|context| Poll::Ready(attempt.as_mut().poll(context))).await;
        let result = match (polled, self.limit()) {
            (Poll::Ready(result), _) => result,
            (Poll::Pending, None) => attempt.await,
            (Poll::Pending, Some(limit)) => match time::timeout(limit.ends.since(self.driver.now()), attempt).await {
                Ok(result) => result,
                Err(_) => Err(self.too_late(limit)),
            },
        };
        self.sent |= result.as_ref().err().is_none_or(|error| !error.is_unsent());
        result
    }

    /// Reports to the policies from the inside out. `Some` if one of them has the call made again after so long, and
    /// there is time for that: it and those further in do not hold the call any more.
    #[inline]
    fn ascend(&mut self, result: Result<(), &Error>) -> Option<Duration> {
        let now = self.driver.now();
        let mut again = None;
        let innermost = self.held.len();
        while let Some((at, admission, took)) = self.let_go(now) {
            let outcome = match result {
                Ok(()) => Outcome::Success(took),
                Err(error) => Outcome::Failure(error, took),
            };
            let policy = &self.driver.layers[at].policy;
            if let Next::AgainAfter(pause) = policy.finish(&self.call, admission, outcome, now, self.chance())
                && self.over.is_none_or(|over| over > at)
                && self.limit().is_none_or(|limit| now + pause < limit.ends)
            {
                again = Some(pause);
                self.call.attempt = self.call.attempt.saturating_add(1);
                break;
            }
        }
        self.over = None;
        wake(&self.driver.layers[self.held.len()..innermost]);
        again
    }

    #[inline]
    fn hold(&mut self, admission: Admission, now: Moment) {
        let Admission { generation, mark, ends } = admission;
        if let Some((ends, code)) = ends
            && self.limit().is_none_or(|limit| ends < limit.ends)
        {
            // There are a handful of policies at most.
            self.limits.push(Limit { ends, since: now, code, at: self.held.len() as u32 });
        }
        self.held.push(Held { generation, mark, since: now });
    }

    /// Takes the innermost admission out of hand, to be finished: of which policy it is, and how long it was held.
    #[inline]
    fn let_go(&mut self, now: Moment) -> Option<(usize, Admission, Duration)> {
        let Held { generation, mark, since } = self.held.pop()?;
        let at = self.held.len();
        if self.limits.last().is_some_and(|limit| limit.at as usize == at) {
            self.limits.pop();
        }
        Some((at, Admission::new(generation, mark), now.since(since)))
    }

    #[inline]
    fn limit(&self) -> Option<Limit> {
        self.limits.last().copied()
    }

    /// The bits of chance for the policy whose turn it is.
    #[inline]
    fn chance(&self) -> u64 {
        // The position is small, and a rotation wraps around.
        self.random.rotate_left(11 * self.held.len() as u32)
    }

    fn too_late(&mut self, limit: Limit) -> Error {
        self.over = Some(limit.at as usize);
        let code = match limit.code {
            // Every backend's word for it, unless this one has its own.
            ErrorCode::E064 => self.driver.inner.code_of(BackendFault::Timeout),
            code => code,
        };
        self.driver.tally.cut(code);
        self.error(code, format!("not over within {:?}", limit.ends.since(limit.since)))
    }

    fn error(&self, code: ErrorCode, message: String) -> Error {
        let error = Error::new(code, message)
            .with_backend(self.driver.inner.name().to_owned())
            .with_operation(self.call.operation);
        match &self.last {
            Some(last) => error.with_source(last.clone()),
            None => error,
        }
    }
}

impl Drop for Passage<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let now = self.driver.now();
        let innermost = self.held.len();
        while let Some((at, admission, _)) = self.let_go(now) {
            let policy = &self.driver.layers[at].policy;
            // Nothing is made again for a caller who is gone.
            let _ = policy.finish(&self.call, admission, Outcome::Abandoned, now, self.chance());
        }
        wake(&self.driver.layers[..innermost]);
    }
}

/// How asking the policies went.
enum Descent {
    /// All of them hold the call.
    Done,
    /// The next one has it wait, or refuses it.
    Waits(Verdict),
}

/// Wakes who waits for what was given back just now.
#[inline]
fn wake(layers: &[Layer]) {
    // See `Layer::wake_first`.
    fence(Ordering::SeqCst);
    for layer in layers {
        layer.wake_first();
    }
}
