//! [`Settings`]: how a handle to a namespace behaves.

use std::sync::Arc;
use std::time::Duration;

use crate::{Backend, Ttl};

/// How a handle to a namespace behaves. Handles of one namespace may differ in it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long a value lives.
    pub(crate) ttl: Ttl,
    /// How long the knowledge that there is none lives; as long as a value if nothing is said.
    pub(crate) none_ttl: Option<Ttl>,
    /// By up to which part of itself a life is shortened at random, so that what was stored together does not end
    /// together.
    pub(crate) jitter: f64,
    /// How long a copy of what a backend holds is served from L1 at most.
    pub(crate) l1_ttl: Duration,
    /// How long one call of the backend may take.
    pub(crate) timeout: Option<Duration>,
    /// The backend's handle that allows a call so long, where that is said.
    pub(crate) backend: Option<Arc<dyn Backend>>,
    /// How long a loader may take.
    pub(crate) load_timeout: Option<Duration>,
    /// From what age on a value that is asked for is loaded anew in the background.
    pub(crate) refresh_after: Option<Duration>,
    /// For how long beyond its life a value is kept, to be served when it cannot be loaded anew.
    pub(crate) stale_for: Option<Duration>,
    /// How long to wait while another process loads.
    pub(crate) lock_timeout: Duration,
    /// Whether only one process loads a key at a time, where the backend can see to that.
    pub(crate) fenced: bool,
    /// Whether who loads a value is told of an encrypted entry that does not authenticate.
    pub(crate) encryption_fail_closed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl: Ttl::secs(300),
            none_ttl: None,
            jitter: 0.0,
            l1_ttl: Duration::from_secs(30),
            timeout: None,
            backend: None,
            load_timeout: None,
            refresh_after: None,
            stale_for: None,
            lock_timeout: Duration::from_secs(5),
            fenced: true,
            encryption_fail_closed: false,
        }
    }
}

impl Settings {
    /// How long after a refresh that failed the next one begins at the earliest.
    pub(crate) const REFRESH_PAUSE: Duration = Duration::from_secs(1);
}

/// How long a fence is held before it must be renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// How long a caller waits for the load of another before it takes over: what a fence is to processes, this is to
/// callers.
pub(crate) const PATIENCE: Duration = LEASE;
