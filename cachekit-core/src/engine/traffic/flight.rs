//! [`Flight`]: one look-up or load of a key, which others may wait for instead of doing it again.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::pulse::Pulse;
use crate::Error;
use crate::engine::staleness::Stale;
use crate::sync::Mutex;

/// Names a flight among all of the process.
pub(crate) type FlightId = u64;

/// One look-up or load of a key, which others may wait for instead of doing it again.
pub(crate) struct Flight<T> {
    id: FlightId,
    progress: watch::Sender<Progress<T>>,
    pulse: Arc<Pulse>,
    /// What to serve if nothing better comes of the flight.
    fallback: Mutex<Option<Stale<T>>>,
}

/// How a flight ended.
pub(crate) enum Landing<T> {
    /// With a value, or with the knowledge that there is none.
    Found(Option<Arc<T>>),
    /// The backend had nothing, and nobody was there to load.
    Missed,
    /// The backend failed, and nobody was there to load.
    Refused(Error),
    /// The loader failed, with an error that can be shared.
    Failed(Arc<dyn Any + Send + Sync>),
    /// The loader failed, with an error that cannot be shared: whoever waited runs its own.
    Alone,
    /// The loader panicked.
    Panicked,
    /// The loader did not finish in time.
    TimedOut,
    /// The load failed, as the second says, but there is an older value.
    Fallback(Stale<T>, Box<Self>),
    /// The leader is gone or was replaced: whoever waited begins anew.
    Abandoned,
}

impl<T: Send + Sync + 'static> Flight<T> {
    pub(super) fn new() -> Arc<Self> {
        // Not one of the atomics that are explored: the numbers only have to differ.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            progress: watch::Sender::new(Progress { state: State::Reading, late: None }),
            pulse: Arc::default(),
            fallback: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> FlightId {
        self.id
    }

    /// Runs `work` as the leader: waiters notice if it is ready to go on but nobody polls it.
    pub(crate) fn led<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F, T> {
        Pulse::watch(Arc::new([Arc::clone(&self.pulse)]), work)
    }

    /// Runs `work` as the leader of all of `flights`.
    pub(crate) fn led_together<F: Future>(
        flights: &[Arc<Self>],
        work: F,
    ) -> impl Future<Output = F::Output> + use<F, T> {
        Pulse::watch(flights.iter().map(|flight| Arc::clone(&flight.pulse)).collect(), work)
    }

    /// Says that the backend had nothing, or failed, and a load begins.
    pub(super) fn loading(&self, refused: Option<Error>) {
        self.advance(|state| matches!(state, State::Reading), State::Loading(refused));
    }

    /// Ends the flight, unless it ended before.
    pub(super) fn land(&self, landing: Landing<T>) {
        self.advance(|state| !matches!(state, State::Landed(_)), State::Landed(landing));
    }

    /// Whether the leader is ready to go on, but nobody polls it.
    pub(super) fn is_left_standing(&self) -> bool {
        self.pulse.ready_since().is_some()
    }

    /// Whether whoever only reads may wait: the backend is still being asked, or the value is here and being stored.
    pub(super) fn is_for_readers(&self) -> bool {
        matches!(self.progress.borrow().state, State::Reading | State::Landed(Landing::Found(_)))
    }

    /// Says what to serve if nothing better comes.
    pub(crate) fn fall_back_to(&self, stale: Option<Stale<T>>) {
        let former = std::mem::replace(&mut *self.fallback.lock(), stale);
        // Outside the lock: dropping a value runs foreign code.
        drop(former);
    }

    /// What to serve if nothing better comes.
    pub(crate) fn fallback(&self) -> Option<Stale<T>> {
        self.fallback.lock().clone()
    }

    /// Says that the load takes too long: those who wait are served `stale`, and it goes on.
    pub(crate) fn is_late_with(&self, stale: Stale<T>) {
        self.progress.send_if_modified(|progress| {
            let late = !matches!(progress.state, State::Landed(_));
            if late {
                progress.late = Some(stale);
            }
            late
        });
    }

    /// Whether it takes too long, and those who waited were served something older.
    pub(crate) fn is_late(&self) -> bool {
        self.progress.borrow().late.is_some()
    }

    /// Resolves once nobody waits.
    pub(crate) async fn nobody_waits(&self) {
        self.progress.closed().await;
    }

    /// Begins to wait.
    pub(super) fn wait(self: &Arc<Self>) -> Waiter<T> {
        Waiter { progress: self.progress.subscribe(), flight: Arc::clone(self) }
    }

    fn advance(&self, from: impl FnOnce(&State<T>) -> bool, to: State<T>) {
        let mut to = Some(to);
        self.progress.send_if_modified(|progress| {
            let applies = from(&progress.state);
            if applies && let Some(to) = to.take() {
                progress.state = to;
            }
            applies
        });
    }
}

impl<T> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Waits for a flight. An owned load goes on for as long as there is one of these.
pub(crate) struct Waiter<T> {
    progress: watch::Receiver<Progress<T>>,
    flight: Arc<Flight<T>>,
}

/// Why waiting ended.
pub(crate) enum Waited<T> {
    /// The flight ended.
    Landed(Landing<T>),
    /// The load takes too long, and there is an older value.
    Late(Stale<T>),
    /// The leader is ready but not polled, or took beyond all patience: somebody else should take over.
    Stalled,
}

impl<T: Send + Sync + 'static> Waiter<T> {
    pub(crate) fn flight(&self) -> &Arc<Flight<T>> {
        &self.flight
    }

    /// Waits for the end of the flight, but no longer than the leader makes progress, and `patience` at most. Where it
    /// takes too long, `late` says what becomes of this caller: `None` if it waits on.
    pub(crate) async fn landing(self, patience: Duration, late: impl Fn(&Stale<T>) -> Option<Waited<T>>) -> Waited<T> {
        let landed = self.until(patience, |progress| match &progress.state {
            State::Landed(landing) => Some(Waited::Landed(landing.clone())),
            State::Reading | State::Loading(_) => progress.late.as_ref().and_then(&late),
        });
        landed.await.unwrap_or(Waited::Stalled)
    }

    /// Waits until the flight takes too long and the caller `accepts` the older value.
    pub(crate) async fn lateness(&mut self, accepts: impl Fn(&Stale<T>) -> bool) -> Stale<T> {
        loop {
            if let Some(stale) = self.progress.borrow_and_update().late.as_ref().filter(|stale| accepts(stale)) {
                return stale.clone();
            }
            if self.progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the backend has answered: `None` if it had nothing and a load began.
    pub(crate) async fn reading(self, patience: Duration) -> Option<Waited<T>> {
        let answered = self.until(patience, |progress| match &progress.state {
            State::Reading => None,
            State::Loading(None) => Some(None),
            State::Loading(Some(error)) => Some(Some(Landing::Refused(error.clone()))),
            State::Landed(landing) => Some(Some(landing.clone())),
        });
        answered.await.map_or(Some(Waited::Stalled), |landing| landing.map(Waited::Landed))
    }

    /// Waits until `done` makes something of the state. `None` if the leader stands ready and is not polled, or if all
    /// patience is spent.
    async fn until<R>(mut self, patience: Duration, done: impl Fn(&Progress<T>) -> Option<R>) -> Option<R> {
        let mut waited = Duration::ZERO;
        let mut suspected = None;
        loop {
            if let Some(result) = done(&self.progress.borrow_and_update()) {
                return Some(result);
            }
            if !self.changes_within(GRACE.min(patience)).await {
                waited += GRACE;
                let ready = self.flight.pulse.ready_since();
                if waited >= patience || (ready.is_some() && ready == suspected) {
                    return None;
                }
                suspected = ready;
            }
        }
    }

    /// Whether the state changes within `limit`. Outside a runtime nobody tells the time: there it waits for the change
    /// alone.
    async fn changes_within(&mut self, limit: Duration) -> bool {
        let changed = self.progress.changed();
        let changed = match Handle::try_current() {
            Ok(_) => tokio::time::timeout(limit, changed).await,
            Err(_) => Ok(changed.await),
        };
        changed.is_ok()
    }
}

struct Progress<T> {
    state: State<T>,
    /// What is served in the meantime, once the load takes too long.
    late: Option<Stale<T>>,
}

enum State<T> {
    /// The backend is being asked.
    Reading,
    /// The backend had nothing, or failed, and the value is being loaded.
    Loading(Option<Error>),
    /// It is over.
    Landed(Landing<T>),
}

// By hand: a derived one would ask for `T: Clone`.
impl<T> Clone for Landing<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Found(value) => Self::Found(value.clone()),
            Self::Missed => Self::Missed,
            Self::Refused(error) => Self::Refused(error.clone()),
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::Alone => Self::Alone,
            Self::Panicked => Self::Panicked,
            Self::TimedOut => Self::TimedOut,
            Self::Fallback(stale, why) => Self::Fallback(stale.clone(), why.clone()),
            Self::Abandoned => Self::Abandoned,
        }
    }
}

/// How long a leader may stand ready without being polled before another takes over; noticed within twice this.
const GRACE: Duration = Duration::from_secs(1);
