//! [`Straight`]: the way of a call that nothing holds up.

use std::future::Future;
use std::ops::ControlFlow;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use smallvec::SmallVec;

use super::Driver;
use super::known::{Known, Pass};
use super::layer::{Layer, wake};
use super::passage::{Detour, Passage, Step};
use crate::{Admission, Call, Next, Operation, Outcome, Result, Verdict};

/// The way of a call that all policies let go at once, and that is answered at once and well.
///
/// It lies on the stack, for it begins and ends within one step of the caller's future, and has room for as many
/// admissions as a list of policies commonly needs. Policies that let every call go when it begins are not asked, and
/// those that learn nothing from a success are not told. What goes otherwise, or has to be over at a time that a foreign
/// policy names, takes what is held so far and makes a [`Detour`].
pub(super) struct Straight<'a, 'r> {
    driver: &'a Driver,
    call: Call,
    /// The admissions of those that were asked.
    held: &'r mut [Pass; MOST],
    /// How many policies hold the call, asked or not.
    count: usize,
}

/// Which policies are asked on the straight way, and which are told.
pub(super) struct Stops {
    asked: SmallVec<[usize; MOST]>,
    told: SmallVec<[usize; MOST]>,
    is_short: bool,
    /// Whether one of those that are told wants to know how long a success took.
    are_timed: bool,
    /// Whether a policy may have calls queue that does not say itself when somebody waits.
    pub(super) may_queue: bool,
}

impl Stops {
    pub(super) fn of(layers: &[Layer]) -> Self {
        let those = |stops: fn(&Known) -> bool| {
            layers.iter().enumerate().filter(|(_, layer)| stops(&layer.policy)).map(|(at, _)| at).collect()
        };
        Self {
            asked: those(Known::may_hold_up),
            told: those(Known::learns_from_success),
            is_short: layers.len() <= MOST,
            are_timed: layers.iter().any(|layer| layer.policy.minds_time()),
            may_queue: layers.iter().any(|layer| layer.policy.may_queue()),
        }
    }
}

impl<'a> Straight<'a, '_> {
    /// Makes the call, as far as that can be done at once. `attempt` is called for the first attempt.
    #[inline]
    pub(super) fn make<R, A>(
        driver: &'a Driver,
        operation: Operation,
        within: Option<Duration>,
        attempt: &impl Fn() -> A,
        context: &mut Context<'_>,
    ) -> Result<R, Box<Detour<'a, R, A>>>
    where
        A: Future<Output = Result<R>> + Unpin,
    {
        let call = Call { within, ..Call::new(operation, driver.now()) };
        let mut way = Straight { driver, call, held: &mut [Pass::UNASKED; MOST], count: 0 };
        if !driver.stops.is_short {
            return Err(way.detour(Step::Ask));
        }
        if let ControlFlow::Break(verdict) = way.descend() {
            return Err(way.detour(Step::Obey(verdict)));
        }
        let mut attempt = attempt();
        match attempt.poll_unpin(context) {
            Poll::Ready(Ok(done)) => {
                drop(attempt);
                match way.ascend() {
                    Next::Done => Ok(done),
                    Next::AgainAfter(pause) => Err(way.detour(Step::Answered(done, pause))),
                }
            }
            Poll::Ready(Err(error)) => Err(way.detour(Step::Failed(error))),
            Poll::Pending => Err(way.detour(Step::Await(attempt))),
        }
    }

    /// Asks the policies from the outside in, as long as they let the call go at once.
    #[inline(always)]
    fn descend(&mut self) -> ControlFlow<Verdict> {
        let Self { driver, call, held, count } = self;
        for &at in &driver.stops.asked {
            *count = at;
            let policy = &driver.layers[at].policy;
            held[at % MOST] = policy.let_pass(call, &driver.chance)?;
        }
        *count = driver.layers.len();
        ControlFlow::Continue(())
    }

    /// Tells the policies of the success, from the inside out, until one has the call made again.
    #[inline(always)]
    fn ascend(&mut self) -> Next {
        let Self { driver, call, held, count } = self;
        // The call was answered in one step: the time is asked for once more only if somebody minds that step's length.
        let now = if driver.stops.are_timed { driver.now() } else { call.began };
        let took = now.since(call.began);
        for &at in driver.stops.told.iter().rev() {
            *count = at;
            let admission = held[at % MOST].into();
            let next = driver.layers[at].finish(call, admission, Outcome::Success(took), now, &driver.chance);
            if next != Next::Done {
                return next;
            }
        }
        *count = 0;
        if driver.stops.may_queue {
            wake(&driver.layers);
        }
        Next::Done
    }

    /// Leaves the straight way.
    #[cold]
    fn detour<R, A>(mut self, step: Step<R, A>) -> Box<Detour<'a, R, A>> {
        Box::new(Detour { passage: self.passage(), step })
    }

    /// The same call, on a way that may be long.
    fn passage(&mut self) -> Passage<'a> {
        let layers = &self.driver.layers[..std::mem::take(&mut self.count)];
        let admissions = layers.iter().zip(self.held.iter()).map(|(layer, held)| {
            if layer.policy.may_hold_up() { Admission::from(*held) } else { layer.policy.unasked(&self.call) }
        });
        Passage::new(self.driver, self.call.clone(), admissions)
    }
}

impl Drop for Straight<'_, '_> {
    /// Gives back what is held, if the backend panicked.
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            drop(self.passage());
        }
    }
}

/// More policies than there are of ours.
const MOST: usize = 8;
