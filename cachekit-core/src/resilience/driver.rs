//! [`ResilientBackend`]: the driver, which runs policies around a backend and is the only place that waits.

mod abilities;
mod batch;
mod chance;
mod counts;
mod known;
mod layer;
mod passage;
mod straight;

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use self::chance::Chance;
pub use self::counts::ResilienceCounts;
use self::counts::Tally;
use self::layer::Layer;
use self::straight::{Stops, Straight};
use super::Resilience;
use crate::{
    Abilities, Backend, BackendFault, Clock, Entropy, Entry, ErrorCode, Health, Key, Limits, Operation, Result,
    SetOptions, SystemClock, SystemEntropy, Write,
};

/// A backend with policies around it: itself a [`Backend`], with the abilities of the one that it wraps.
///
/// Each call asks the policies from the outside in, is made when all of them let it go, and is reported to them from
/// the inside out; one that says so has it made again. Calls of abilities pass like all others, so that a lock does not
/// slip past an open breaker. A batch passes as one call: it failed if one of its elements met trouble that counts
/// against the backend, and only such elements are asked for again.
///
/// # Errors
/// Those of the backend, and those of the policies: E030 for a call that the breaker refused, E031 and E032 for one that
/// was shed, E033 for one whose time was up, and E064, or what the backend [has instead](Backend::code_of), for an attempt
/// whose was. An error of a limit has the last attempt's as its [source](std::error::Error::source), if there was one.
///
/// # Cancellation
/// A future may be dropped at any await: permits, probes, slots and tickets are given back, and the attempt is reported
/// as [abandoned](crate::Outcome::Abandoned), which neither trips nor heals a breaker. What the dropped attempt did is
/// up to the backend.
///
/// # Concurrency
/// Any number of callers. Where a policy has them queue, they are served in the order in which they came.
///
/// # Panics
/// Where it has to wait, for a policy or a time limit: outside a tokio runtime with timers.
#[derive(Clone)]
pub struct ResilientBackend {
    driver: Arc<Driver>,
    /// How long a call through this handle may take in all.
    within: Option<Duration>,
}

/// What the handles to one backend and its policies share.
struct Driver {
    inner: Arc<dyn Backend>,
    layers: Box<[Layer]>,
    clock: Arc<dyn Clock>,
    /// The same clock, where it is the system's: asked by name it is cheaper.
    system_clock: Option<SystemClock>,
    chance: Chance,
    stops: Stops,
    tally: Tally,
}

impl ResilientBackend {
    /// Runs `resilience` around `backend`, with the system's clock and randomness.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, resilience: Resilience) -> Self {
        Self::on_system_clock(backend, resilience, SystemClock::new(), &SystemEntropy)
    }

    /// As [`with_parts`](Self::with_parts), for the system's clock, which is then asked by name.
    pub(crate) fn on_system_clock(
        backend: Arc<dyn Backend>,
        resilience: Resilience,
        clock: SystemClock,
        entropy: &dyn Entropy,
    ) -> Self {
        let system_clock = Some(clock.clone());
        Self::of(Driver { system_clock, ..Driver::new(backend, resilience, Arc::new(clock), entropy) })
    }

    /// As [`new`](Self::new), with `clock` for the time and `entropy` for the seeds of what is random.
    #[must_use]
    pub fn with_parts(
        backend: Arc<dyn Backend>,
        resilience: Resilience,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Self {
        Self::of(Driver::new(backend, resilience, clock, entropy))
    }

    fn of(driver: Driver) -> Self {
        Self { driver: Arc::new(driver), within: None }
    }

    /// Another handle to the same backend and policies, whose calls may take `whole` in all: a
    /// [`Deadline`](crate::Deadline) allows so much, and an [`AttemptTimeout`](crate::AttemptTimeout) two fifths of it for
    /// an attempt, if that is more than it does otherwise.
    #[must_use]
    pub fn allowing(&self, whole: Duration) -> Self {
        Self { within: Some(whole), ..self.clone() }
    }

    /// The backend that it wraps.
    #[must_use]
    pub fn inner(&self) -> &Arc<dyn Backend> {
        &self.driver.inner
    }

    /// The state of each policy that has states: [`ResiliencePolicy::condition`](crate::ResiliencePolicy::condition).
    #[must_use]
    pub fn conditions(&self) -> Vec<&'static str> {
        self.driver.layers.iter().filter_map(|layer| layer.policy.any().condition()).collect()
    }

    /// What was made again, refused and cut short so far.
    #[must_use]
    pub fn counts(&self) -> ResilienceCounts {
        let driver = &self.driver;
        driver.tally.read(driver.layers.iter().map(|layer| layer.policy.any().openings()).sum())
    }

    /// Makes one call: `attempt` is called for each attempt.
    ///
    /// All that a call needs that is answered at once is done in one step, and held over no await.
    #[inline]
    fn call<'a, R, A>(
        &'a self,
        operation: Operation,
        attempt: impl Fn() -> A + Copy + 'a,
    ) -> impl Future<Output = Result<R>>
    where
        R: 'a,
        A: Future<Output = Result<R>> + Unpin + 'a,
    {
        let mut detour = None;
        poll_fn(move |context| {
            let detour = match &mut detour {
                Some(detour) => detour,
                None => match Straight::make(&self.driver, operation, self.within, &attempt, context) {
                    Ok(done) => return Poll::Ready(Ok(done)),
                    Err(held_up) => detour.insert(Box::pin(held_up.make(attempt))),
                },
            };
            detour.as_mut().poll(context)
        })
    }
}

impl Driver {
    fn new(backend: Arc<dyn Backend>, resilience: Resilience, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        let policies = resilience.into_policies();
        let layers: Box<[Layer]> = policies.into_iter().map(|policy| Layer::new(policy, Arc::clone(&clock))).collect();
        Self {
            inner: backend,
            stops: Stops::of(&layers),
            layers,
            clock,
            system_clock: None,
            chance: Chance::new(entropy),
            tally: Tally::default(),
        }
    }

    #[inline]
    fn now(&self) -> crate::Moment {
        match &self.system_clock {
            Some(clock) => clock.now(),
            None => self.clock.now(),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backend for ResilientBackend {
    fn name(&self) -> &str {
        self.driver.inner.name()
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.call(Operation::Get, || self.driver.inner.get(key)).await
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.call(Operation::Set, || self.driver.inner.set(key, value.clone(), options)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.call(Operation::Delete, || self.driver.inner.delete(key)).await
    }

    async fn exists(&self, key: &Key) -> Result<bool> {
        self.call(Operation::Exists, || self.driver.inner.exists(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.call_many(Operation::GetMany, keys, async move |keys: Vec<Key>| self.driver.inner.get_many(&keys).await)
            .await
    }

    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        self.call_many(Operation::SetMany, writes, async move |writes: Vec<Write>| {
            self.driver.inner.set_many(&writes).await
        })
        .await
    }

    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        self.call_many(Operation::DeleteMany, keys, async move |keys: Vec<Key>| {
            self.driver.inner.delete_many(&keys).await
        })
        .await
    }

    async fn health(&self) -> Result<Health> {
        self.call(Operation::Health, || self.driver.inner.health()).await
    }

    fn limits(&self) -> Limits {
        self.driver.inner.limits()
    }

    fn abilities(&self) -> Abilities<'_> {
        self.offered()
    }

    fn code_of(&self, fault: BackendFault) -> ErrorCode {
        self.driver.inner.code_of(fault)
    }

    /// Closes the backend. The policies are not asked.
    async fn close(&self) {
        self.driver.inner.close().await;
    }
}

impl fmt::Display for ResilientBackend {
    /// All policies with their settings, then the backend's name: `retry(..) > breaker(..) > redis`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for layer in &self.driver.layers {
            write!(f, "{} > ", layer.policy.any())?;
        }
        f.write_str(self.driver.inner.name())
    }
}

impl fmt::Debug for ResilientBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResilientBackend")
            .field("policies", &format_args!("{self}"))
            .field("inner", &self.driver.inner)
            .finish_non_exhaustive()
    }
}
