//! [`Passage`]: the way of one call through the policies and back.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time;

use super::Driver;
use super::layer::{Place, wake};
use crate::engine::tell;
use crate::{Admission, BackendFault, Call, Error, ErrorCode, Moment, Next, Outcome, Result, Verdict};

/// The way of one call through the policies and back. Dropped on the way, it gives back what it holds.
///
/// Only a call that does not go [straight](super::straight::Straight) has one.
pub(super) struct Passage<'a> {
    driver: &'a Driver,
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
    at: usize,
}

/// A call that is held up, and what is to be done about it next.
pub(super) struct Detour<'a, R, A> {
    pub(super) passage: Passage<'a>,
    pub(super) step: Step<R, A>,
}

pub(super) enum Step<R, A> {
    /// To ask the policies, beginning with the next.
    Ask,
    /// To do what the next policy says.
    Obey(Verdict),
    /// To wait for the attempt that is under way.
    Await(A),
    /// To report that the attempt failed.
    Failed(Error),
    /// It was answered, and a policy wants it made again after so long.
    Answered(R, Duration),
}

impl<'a> Passage<'a> {
    /// A call that the outermost policies have admitted when it began.
    pub(super) fn new(driver: &'a Driver, call: Call, admissions: impl IntoIterator<Item = Admission>) -> Self {
        let began = call.began;
        let (held, limits) = (SmallVec::new(), SmallVec::new());
        let mut passage = Self { driver, call, held, limits, over: None, last: None, sent: false };
        for admission in admissions {
            passage.hold(admission, began);
        }
        passage
    }

    /// Asks those policies that do not hold the call yet, from the outside in, as long as they let it go at once.
    fn descend(&mut self) -> ControlFlow<Verdict> {
        let (driver, now) = (self.driver, self.driver.now());
        while let Some(layer) = driver.layers.get(self.held.len()) {
            match layer.policy.any().admit(&self.call, now, driver.chance.next()) {
                Verdict::Go(admission) => self.hold(admission, now),
                verdict => return ControlFlow::Break(verdict),
            }
        }
        ControlFlow::Continue(())
    }

    /// Does what the policies say, until all of them hold the call.
    async fn descend_waiting(&mut self) -> Result<()> {
        while let ControlFlow::Break(verdict) = self.descend() {
            self.obey(verdict).await?;
        }
        Ok(())
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
                    verdict = layer.policy.any().admit(call, self.driver.now(), self.driver.chance.next());
                }
            }
        };
        if let Some(place) = place {
            place.served();
        }
        let (admission, pause) = decided.map_err(|code| {
            self.driver.tally.refused(code);
            self.error(code, format!("refused by {}", layer.policy.any()))
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

    /// Asks the policies and makes one attempt, when they let it go.
    async fn whole_attempt<R, A>(&mut self, attempt: &impl Fn() -> A) -> Result<R>
    where
        A: Future<Output = Result<R>>,
    {
        self.descend_waiting().await?;
        self.attempt(attempt()).await
    }

    /// Makes one attempt within the limit.
    async fn attempt<R>(&mut self, attempt: impl Future<Output = Result<R>>) -> Result<R> {
        let mut attempt = pin!(attempt);
        // What is answered at once needs no timer.
        let result = match poll_fn(|context| Poll::Ready(attempt.as_mut().poll(context))).await {
            Poll::Ready(result) => result,
            Poll::Pending => return self.answer(attempt).await,
        };
        self.note_sent(result)
    }

    /// Waits for the answer to an attempt, within the limit.
    async fn answer<R>(&mut self, attempt: impl Future<Output = Result<R>>) -> Result<R> {
        let result = match self.limit() {
            None => attempt.await,
            Some(limit) => match time::timeout(limit.ends.since(self.driver.now()), attempt).await {
                Ok(result) => result,
                Err(_) => Err(self.too_late(limit)),
            },
        };
        self.note_sent(result)
    }

    /// Takes note of whether anything was sent, given what came of it.
    fn note_sent<R>(&mut self, result: Result<R>) -> Result<R> {
        self.sent |= result.as_ref().err().is_none_or(|error| !error.is_unsent());
        result
    }

    /// Reports to the policies from the inside out. `Some` if one of them has the call made again after so long, and
    /// there is time for that: it and those further in do not hold the call any more.
    fn ascend(&mut self, result: Result<(), &Error>) -> Option<Duration> {
        let now = self.driver.now();
        let mut again = None;
        let layers = &self.driver.layers[..self.held.len()];
        for layer in layers.iter().rev() {
            let Some((admission, since)) = self.let_go() else { break };
            let outcome = match result {
                Ok(()) => Outcome::Success(now.since(since)),
                Err(error) => Outcome::Failure(error, now.since(since)),
            };
            if let Next::AgainAfter(pause) = layer.finish(&self.call, admission, outcome, now, &self.driver.chance)
                && self.may_again(now + pause)
            {
                again = Some(pause);
                break;
            }
        }
        self.over = None;
        if self.driver.stops.may_queue {
            wake(&layers[self.held.len()..]);
        }
        again
    }

    fn hold(&mut self, admission: Admission, now: Moment) {
        let Admission { generation, mark, ends } = admission;
        if let Some((ends, code)) = ends
            && self.limit().is_none_or(|limit| ends < limit.ends)
        {
            // There are a handful of policies at most.
            self.limits.push(Limit { ends, since: now, code, at: self.held.len() });
        }
        self.held.push(Held { generation, mark, since: now });
    }

    /// Takes the innermost admission out of hand, to be finished: with it, since when it was held.
    fn let_go(&mut self) -> Option<(Admission, Moment)> {
        let Held { generation, mark, since } = self.held.pop()?;
        if self.limits.last().is_some_and(|limit| limit.at == self.held.len()) {
            self.limits.pop();
        }
        Some((Admission::new(generation, mark), since))
    }

    /// Whether the policy that was let go last may have the call made again then: within all limits further out, and not
    /// if one of these, or its own, is over.
    fn may_again(&self, then: Moment) -> bool {
        self.over.is_none_or(|over| over > self.held.len()) && self.limit().is_none_or(|limit| then < limit.ends)
    }

    fn limit(&self) -> Option<Limit> {
        self.limits.last().copied()
    }

    fn too_late(&mut self, limit: Limit) -> Error {
        self.over = Some(limit.at);
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

impl<R, A: Future<Output = Result<R>>> Detour<'_, R, A> {
    /// Makes the rest of the call. `attempt` is called for each further attempt.
    pub(super) async fn make(self, attempt: impl Fn() -> A) -> Result<R> {
        let Self { mut passage, step } = self;
        let mut again = None;
        let mut result = match step {
            Step::Ask => passage.whole_attempt(&attempt).await,
            Step::Obey(verdict) => match passage.obey(verdict).await {
                Ok(()) => passage.whole_attempt(&attempt).await,
                Err(error) => Err(error),
            },
            Step::Await(attempt) => passage.answer(attempt).await,
            Step::Failed(error) => passage.note_sent(Err(error)),
            Step::Answered(done, pause) => {
                again = Some(pause).filter(|pause| passage.may_again(passage.driver.now() + *pause));
                passage.note_sent(Ok(done))
            }
        };
        loop {
            match (again.or_else(|| passage.ascend(result.as_ref().map(drop))), result) {
                (None, Ok(done)) => return Ok(done),
                (None, Err(error)) => return Err(if passage.sent { error } else { error.unsent() }),
                (Some(pause), before) => {
                    passage.driver.tally.made_again();
                    if let Err(error) = before {
                        let error = error.with_operation(passage.call.operation);
                        tell!(debug, &error, (?pause), "call made again");
                        passage.last = Some(error);
                    }
                    passage.call.attempt = passage.call.attempt.saturating_add(1);
                    // Over in time: otherwise the policy would not have been heeded.
                    time::sleep(pause).await;
                    again = None;
                    result = passage.whole_attempt(&attempt).await;
                }
            }
        }
    }
}

impl Drop for Passage<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.abandon();
        }
    }
}

impl Passage<'_> {
    #[cold]
    fn abandon(&mut self) {
        let now = self.driver.now();
        let innermost = self.held.len();
        while let Some((admission, _)) = self.let_go() {
            let layer = &self.driver.layers[self.held.len()];
            // Nothing is made again for a caller who is gone.
            let _ = layer.finish(&self.call, admission, Outcome::Abandoned, now, &self.driver.chance);
        }
        wake(&self.driver.layers[..innermost]);
    }
}
