//! [`Lanes`]: the connections to one server, opened on demand, replaced when they die, one attempt at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::RedisConfig;
use crate::connection::{Connection, Lease};
use crate::error;
use cachekit_core::{Error, ErrorCode, Result};

/// The connections to one server: a fixed number of lanes, each with a connection or vacant.
///
/// - A call takes the first connection that is not busy, else the least busy one; then a vacant lane is opened
///   meanwhile.
/// - Only where there is none does a call wait. One attempt to connect runs at a time, in a task of its own, so that a
///   call that is dropped does not cut it off. All who need a connection wait for it, up to the time limit for
///   connecting.
/// - After a failed attempt calls fail at once until the next attempt is due: 50 ms later, twice that each time, up to
///   half a second. Who waits for an attempt that follows a failed one waits no longer than half a second.
/// - A connection that dies, over which something went wrong that leaves its state in doubt, or whose other end has been
///   silent since a call was given up, is not used again.
pub(crate) struct Lanes {
    config: RedisConfig,
    address: String,
    lanes: Box<[RwLock<Option<Arc<Connection>>>]>,
    opening: Mutex<Opening>,
}

/// What is known about opening connections.
#[derive(Default)]
struct Opening {
    closed: bool,
    attempt: Option<Attempt>,
    failure: Option<Failure>,
}

/// Tells how a running attempt ends. Its sender is gone without a word if the runtime it ran on is.
type Attempt = watch::Receiver<Option<Result<Arc<Connection>>>>;

/// The last attempt, if it failed.
struct Failure {
    error: Error,
    pause: Duration,
    retry_at: Instant,
}

impl Lanes {
    pub(crate) fn new(config: RedisConfig) -> Self {
        let lanes = (0..config.connections).map(|_| RwLock::default()).collect();
        Self { address: config.url.address(), config, lanes, opening: Mutex::default() }
    }

    pub(crate) fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// The server as messages name it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A connection to send over, opened if there is none. Its errors tell that nothing was sent.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease> {
        let (chosen, vacant) = self.choose();
        match chosen {
            Some(connection) => {
                if vacant && connection.load() >= BUSY {
                    self.open_meanwhile();
                }
                Ok(Lease::new(connection))
            }
            None => self.opened().await.map(Lease::new).map_err(Error::unsent),
        }
    }

    /// Sees to it that `connection` is not used again. Those who wait for answers over it go on waiting.
    pub(crate) fn retire(&self, connection: &Arc<Connection>) {
        for lane in &self.lanes {
            let mut lane = lane.write().unwrap_or_else(PoisonError::into_inner);
            if lane.as_ref().is_some_and(|held| Arc::ptr_eq(held, connection)) {
                *lane = None;
            }
        }
    }

    /// Ends all connections, when the answers that are waited for have come, and opens no more.
    pub(crate) fn close(&self) {
        self.opening().closed = true;
        for lane in &self.lanes {
            *lane.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// The first connection that is not busy, else the least busy one; and whether a lane before it, or any, is vacant.
    fn choose(&self) -> (Option<Arc<Connection>>, bool) {
        let mut vacant = false;
        let mut least: Option<Arc<Connection>> = None;
        for lane in &self.lanes {
            let lane = lane.read().unwrap_or_else(PoisonError::into_inner);
            match lane.as_ref().filter(|connection| connection.is_alive()) {
                Some(connection) if connection.load() < BUSY => return (Some(Arc::clone(connection)), vacant),
                Some(connection) if least.as_ref().is_none_or(|least| connection.load() < least.load()) => {
                    least = Some(Arc::clone(connection));
                }
                Some(_) => {}
                None => vacant = true,
            }
        }
        (least, vacant)
    }

    /// Starts an attempt for a vacant lane unless one runs or is not yet due. Nobody waits for it.
    fn open_meanwhile(self: &Arc<Self>) {
        // Whoever holds the lock is about to do the same.
        if let Ok(mut opening) = self.opening.try_lock() {
            let due = opening.failure.as_ref().is_none_or(|failure| Instant::now() >= failure.retry_at);
            if !opening.closed && due && opening.running().is_none() {
                self.attempt(&mut opening);
            }
        }
    }

    /// Waits for a connection to be opened.
    async fn opened(self: &Arc<Self>) -> Result<Arc<Connection>> {
        let (mut attempt, patience, failed_before) = {
            let mut opening = self.opening();
            if opening.closed {
                return Err(Error::new(ErrorCode::E036, "the backend is closed").with_backend(error::NAME));
            }
            let attempt = match (opening.running(), &opening.failure) {
                (Some(attempt), _) => attempt,
                (None, Some(failure)) if Instant::now() < failure.retry_at => return Err(self.refuse(&failure.error)),
                (None, _) => {
                    // Between looking for a connection and taking the lock, an attempt may have ended well.
                    if let (Some(connection), _) = self.choose() {
                        return Ok(connection);
                    }
                    self.attempt(&mut opening)
                }
            };
            let failed_before = opening.failure.as_ref().map(|failure| failure.error.clone());
            let limit = self.config.connect_timeout;
            let patience = if failed_before.is_some() { limit.min(LONGEST_PAUSE) } else { limit };
            (attempt, patience, failed_before)
        };
        match tokio::time::timeout(patience, attempt.wait_for(Option::is_some)).await {
            Ok(Ok(ended)) => ended.clone().expect("waited until there is an answer"),
            Ok(Err(_)) => {
                let message = format!("connecting to {} was cut off: its runtime ended", self.address);
                Err(Error::new(ErrorCode::E010, message).with_backend(error::NAME))
            }
            Err(_) => Err(match failed_before {
                Some(before) => self.refuse(&before),
                None => error::timed_out(&format!("no connection to {} was made", self.address), patience),
            }),
        }
    }

    /// Starts an attempt in a task of its own.
    fn attempt(self: &Arc<Self>, opening: &mut Opening) -> Attempt {
        let (sender, attempt) = watch::channel(None);
        opening.attempt = Some(attempt.clone());
        let lanes = Arc::clone(self);
        tokio::spawn(async move {
            let result = Connection::open(&lanes.config).await.map(Arc::new);
            lanes.settle(&result);
            sender.send_replace(Some(result));
        });
        attempt
    }

    /// Takes note of how an attempt ended: before those who wait for it are told.
    fn settle(&self, result: &Result<Arc<Connection>>) {
        let mut opening = self.opening();
        opening.attempt = None;
        match result {
            Ok(connection) => {
                opening.failure = None;
                if opening.closed {
                    return;
                }
                for lane in &self.lanes {
                    let mut lane = lane.write().unwrap_or_else(PoisonError::into_inner);
                    if lane.as_ref().is_none_or(|held| !held.is_alive()) {
                        *lane = Some(Arc::clone(connection));
                        return;
                    }
                }
            }
            Err(error) => {
                let pause = opening.failure.as_ref().map_or(SHORTEST_PAUSE, |last| (last.pause * 2).min(LONGEST_PAUSE));
                let retry_at = Instant::now() + pause;
                opening.failure = Some(Failure { error: error.clone(), pause, retry_at });
            }
        }
    }

    /// The error for a call that is not made because the last attempt to connect failed.
    fn refuse(&self, last: &Error) -> Error {
        match last.code() {
            ErrorCode::E010 | ErrorCode::E011 => {
                let message =
                    format!("not connected to {}: the last attempt failed, the next is not yet due", self.address);
                Error::new(ErrorCode::E010, message).with_backend(error::NAME).with_source(last.clone())
            }
            _ => last.clone(),
        }
    }

    fn opening(&self) -> MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    /// The attempt that runs. One that was cut off does not.
    fn running(&self) -> Option<Attempt> {
        self.attempt.clone().filter(|attempt| attempt.has_changed().is_ok())
    }
}

/// With so many commands waiting for answers, a connection is busy.
const BUSY: usize = 256;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
