//! [`CachedKeys`]: master keys of a service, kept for a while.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cachekit_core::{BackendFault, Error, ErrorCode, KeyProvider, KeyRing, Result};
use tokio::time::{Instant, timeout};

/// Provides the master keys that a closure fetches, from a KMS say, and keeps them for a while.
///
/// - **Seldom.** What was fetched is handed out for an `interval`. Then the next caller fetches again; those who come
///   meanwhile are served what is known. Of those who come before anything is known, one fetches and all get its answer.
/// - **Robust.** If fetching fails, the keys known so far stay in use, for however long, and the next attempt is made after
///   ten seconds, or after the interval if that is shorter.
///
/// ```
/// use cachekit_core::{KeyProvider, KeyRing, MasterKey};
/// use cachekit_crypto::CachedKeys;
///
/// # async fn unwrap_with_kms() -> cachekit_core::Result<[u8; 32]> { Ok([7; 32]) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cachekit_core::Result<()> {
/// let keys = CachedKeys::new(|| async { Ok(KeyRing::new(MasterKey::new(&unwrap_with_kms().await?)?)) });
/// assert_eq!(keys.keys().await?.current().expose(), [7; 32]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// While nothing is known yet: E001 and E002 as the closure reports them, E060 to E066 likewise, E064 if it takes longer
/// than its `timeout`, and E066, with what it reported as the cause, for anything else.
///
/// # Cancellation
/// A caller that is dropped while it fetches drops the closure's future; the next caller fetches.
pub struct CachedKeys<F> {
    fetch: F,
    interval: Duration,
    timeout: Duration,
    state: Mutex<State>,
    /// Who fetches holds it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    known: Option<KeyRing>,
    /// When to fetch again. `None`: nothing was ever fetched.
    due: Option<Instant>,
    failures: u64,
    last_failure: Option<Error>,
}

impl<F, Fut> CachedKeys<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<KeyRing>> + Send,
{
    /// Provides the keys that `fetch` fetches: every five minutes, in ten seconds at most each time.
    pub fn new(fetch: F) -> Self {
        Self {
            fetch,
            interval: Duration::from_secs(300),
            timeout: Duration::from_secs(10),
            state: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Fetches again after `interval` instead.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Gives the closure so long at a time instead.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How often fetching has failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.state().failures
    }

    async fn fetch(&self) -> Result<KeyRing> {
        match timeout(self.timeout, (self.fetch)()).await {
            Ok(Ok(ring)) => Ok(ring),
            Ok(Err(error)) if TOLD_AS_THEY_ARE.contains(&error.code()) => Err(error),
            Ok(Err(error)) => {
                Err(Error::backend(SERVICE, BackendFault::Unknown, "master keys not fetched").with_source(error))
            }
            Err(_) => {
                let message = format!("master keys not fetched: no answer within {:?}", self.timeout);
                Err(Error::backend(SERVICE, BackendFault::Timeout, message))
            }
        }
    }

    /// Notes what became of fetching, and says what to tell the caller.
    fn note(&self, fetched: Result<KeyRing>) -> Result<KeyRing> {
        let mut state = self.state();
        match fetched {
            Ok(ring) => {
                state.due = Some(Instant::now() + self.interval);
                Ok(state.known.insert(ring).clone())
            }
            Err(error) => {
                state.failures += 1;
                state.due = Some(Instant::now() + self.interval.min(RETRY));
                state.last_failure = Some(error.clone());
                let known = state.known.clone().ok_or_else(|| error.clone())?;
                tracing::warn!(code = %error.code(), %error, failures = state.failures,
                    "master keys not fetched: those of before stay in use");
                Ok(known)
            }
        }
    }

    /// What is known, unless it is time to fetch.
    fn known(&self) -> Option<KeyRing> {
        let state = self.state();
        state.known.clone().filter(|_| state.due.is_some_and(|due| Instant::now() < due))
    }

    /// What is known, due or not, and how often fetching has failed.
    fn look(&self) -> (Option<KeyRing>, u64) {
        let state = self.state();
        (state.known.clone(), state.failures)
    }

    /// The last failure, if there was one since so many.
    fn failed_since(&self, failures: u64) -> Option<Error> {
        let state = self.state();
        state.last_failure.clone().filter(|_| state.failures != failures)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is changed as a whole: whoever panicked has left nothing halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<F, Fut> KeyProvider for CachedKeys<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<KeyRing>> + Send,
{
    async fn keys(&self) -> Result<KeyRing> {
        if let Some(ring) = self.known() {
            return Ok(ring);
        }
        let (old, failures) = self.look();
        let _turn = match (self.turn.try_lock(), old) {
            (Ok(turn), _) => turn,
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.turn.lock().await,
        };
        // Somebody may have fetched, or tried to, while this one waited.
        if let Some(ring) = self.known() {
            return Ok(ring);
        }
        if let Some(error) = self.failed_since(failures) {
            return Err(error);
        }
        let fetched = self.fetch().await;
        self.note(fetched)
    }
}

impl<F> fmt::Debug for CachedKeys<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedKeys")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

const TOLD_AS_THEY_ARE: &[ErrorCode] = &[
    ErrorCode::E001,
    ErrorCode::E002,
    ErrorCode::E060,
    ErrorCode::E061,
    ErrorCode::E062,
    ErrorCode::E063,
    ErrorCode::E064,
    ErrorCode::E065,
    ErrorCode::E066,
];

const SERVICE: &str = "key service";
const RETRY: Duration = Duration::from_secs(10);
