//! [`Master`]: one master key of the ring at work.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwapOption;
use cachekit_core::{Error, ErrorCode, MasterKey, Result};
use quick_cache::sync::Cache;
use secrecy::ExposeSecret;

use crate::cipher::{Aead, Cipher, NONCE};
use crate::derivation::{Derived, FINGERPRINT, SALT, interop_key};
use crate::nonce::{nonce, random};
use crate::session::{self, Session};
use crate::tally::Tally;

/// One master key of the ring at work: its fingerprint, what was derived from it, and how often it was used.
///
/// All that the native layout needs comes from its root. The master key itself is kept for the interop layout, whose
/// derivation, the other clients', begins with it for each tenant anew.
pub(crate) struct Master {
    pub(crate) fingerprint: [u8; FINGERPRINT],
    root: Derived,
    key: MasterKey,
    use_: Use,
    undivided: Tenant,
    tenants: Cache<String, Arc<Tenant>>,
    /// Of those that opened something, and of our own.
    sessions: Cache<[u8; SALT], Arc<Session>>,
    /// By tenant. Not bounded, for a count that is forgotten bounds nothing; there are as many as namespaces that name
    /// one.
    interop: RwLock<HashMap<String, Arc<Interop>>>,
    sealed: Tally,
    opened: Apart,
}

/// What seals entries of one tenant in the interop layout: one key for all processes and clients that have the master
/// key.
pub(crate) struct Interop {
    pub(crate) aead: Box<dyn Aead>,
    sealed: AtomicU64,
}

/// A counter that nothing else shares a line of the processor's cache with: everybody who reads writes to it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart(AtomicU64);

/// How a master key is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) cipher: Cipher,
    /// How many messages it seals at most, in this process and its relatives by `fork`.
    pub(crate) seal_limit: u64,
    /// After how many of them a session ends.
    pub(crate) session_length: u64,
}

/// The key of a tenant, and the session that this instance seals in.
struct Tenant {
    key: Derived,
    sealing: ArcSwapOption<Session>,
}

impl Master {
    pub(crate) fn new(key: &MasterKey, use_: Use) -> Self {
        // The bytes are needed to derive the root from them.
        let root = Derived::root(key.expose());
        Self {
            fingerprint: root.fingerprint(),
            undivided: Tenant::new(&root, None),
            root,
            key: key.clone(),
            use_,
            tenants: Cache::new(TENANTS),
            sessions: Cache::new(SESSIONS),
            interop: RwLock::default(),
            sealed: Tally::new(),
            opened: Apart::default(),
        }
    }

    /// Has `seal` make one more message of `tenant`, in the session and with the nonce that it is given. At the end of a
    /// session another one begins, so that nobody waits or fails.
    ///
    /// E006 once the key has sealed as many messages as it may; E008 if the system has no randomness to give.
    pub(crate) fn seal<R>(&self, tenant: Option<&str>, seal: impl FnOnce(&Session, &[u8; NONCE]) -> R) -> Result<R> {
        let Use { cipher, seal_limit, session_length } = self.use_;
        let number = self.sealed.count();
        if number >= seal_limit {
            let message = format!("the current key has sealed {seal_limit} entries, as many as it may");
            return Err(Error::new(ErrorCode::E006, message));
        }
        // Relatives that cannot count together draw each nonce from the system.
        let nonce = if self.sealed.is_shared() { nonce(number)? } else { random()? };
        self.with(tenant, |of| {
            loop {
                let current = of.sealing.load();
                if let Some(session) = current.as_ref().filter(|session| session.takes(number)) {
                    return Ok(seal(session, &nonce));
                }
                let until = number.saturating_add(session_length);
                let next = Arc::new(Session::begin(cipher, &of.key, tenant, until)?);
                // Who comes second goes on with what the first has put there.
                let found = of.sealing.compare_and_swap(&*current, Some(Arc::clone(&next)));
                if found.as_ref().map(Arc::as_ptr) == current.as_ref().map(Arc::as_ptr) {
                    self.sessions.insert(next.salt, next);
                }
            }
        })
    }

    /// What seals one more entry of `tenant` in the interop layout.
    ///
    /// E006 once that key has sealed as many messages in this process as it may.
    pub(crate) fn interop_sealing(&self, tenant: &str) -> Result<Arc<Interop>> {
        let limit = self.use_.seal_limit.min(INTEROP_LIMIT);
        let of = self.interop(tenant);
        let one_more = |sealed| (sealed < limit).then_some(sealed + 1);
        if of.sealed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            let message =
                format!("the current key has sealed {limit} entries in the interop layout, as many as it may");
            return Err(Error::new(ErrorCode::E006, message));
        }
        Ok(of)
    }

    /// What seals and opens entries of `tenant` in the interop layout, derived and expanded once.
    pub(crate) fn interop(&self, tenant: &str) -> Arc<Interop> {
        let known = self.interop.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        known.unwrap_or_else(|| {
            let mut interop = self.interop.write().unwrap_or_else(PoisonError::into_inner);
            let derive = || {
                // The bytes of both are needed: to derive the one from the other, and to expand that.
                let key = interop_key(self.key.expose(), tenant);
                Arc::new(Interop { aead: self.use_.cipher.expand(key.expose_secret()), sealed: AtomicU64::new(0) })
            };
            Arc::clone(interop.entry(tenant.to_owned()).or_insert_with(derive))
        })
    }

    /// Has `open` try the session of `tenant` with this `salt`, and returns whether it opened something. Only then is a
    /// session kept that was not known: what a stranger makes up must not drive others out.
    pub(crate) fn open(&self, tenant: Option<&str>, salt: &[u8; SALT], open: impl FnOnce(&Session) -> bool) -> bool {
        let own = tenant.is_none().then(|| self.undivided.sealing.load());
        let own = own.as_ref().and_then(|own| own.as_deref()).filter(|own| own.salt == *salt);
        let opened = if let Some(own) = own {
            open(own)
        } else if let Some(known) = self.known(tenant, salt) {
            open(&known)
        } else {
            let session = self.with(tenant, |of| Session::resume(self.use_.cipher, &of.key, tenant, salt));
            let opened = open(&session);
            if opened {
                self.sessions.insert(*salt, Arc::new(session));
            }
            opened
        };
        if opened {
            self.count_opened();
        }
        opened
    }

    pub(crate) fn count_opened(&self) {
        self.opened.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The session of `tenant` with this `salt`, if it has opened something before.
    pub(crate) fn known(&self, tenant: Option<&str>, salt: &[u8; SALT]) -> Option<Arc<Session>> {
        self.sessions.get(salt).filter(|session| session.is_of(tenant))
    }

    pub(crate) fn sealed(&self) -> u64 {
        let interop = self.interop.read().unwrap_or_else(PoisonError::into_inner);
        let interop: u64 = interop.values().map(|of| of.sealed.load(Ordering::Relaxed)).sum();
        // Who was refused was counted, too.
        self.sealed.counted().min(self.use_.seal_limit) + interop
    }

    pub(crate) fn opened(&self) -> u64 {
        self.opened.0.load(Ordering::Relaxed)
    }

    fn with<R>(&self, tenant: Option<&str>, run: impl FnOnce(&Tenant) -> R) -> R {
        let Some(name) = tenant else { return run(&self.undivided) };
        let made = self
            .tenants
            .get_or_insert_with(name, || Ok::<_, std::convert::Infallible>(Arc::new(Tenant::new(&self.root, tenant))));
        match made {
            Ok(tenant) => run(&tenant),
        }
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Master({:032x})", u128::from_be_bytes(self.fingerprint))
    }
}

impl Tenant {
    fn new(root: &Derived, tenant: Option<&str>) -> Self {
        Self { key: root.tenant(tenant), sealing: ArcSwapOption::empty() }
    }
}

impl Use {
    pub(crate) fn new() -> Self {
        Self { cipher: Cipher::default(), seal_limit: SEAL_LIMIT, session_length: session::LENGTH }
    }
}

/// 2^44 messages in sessions of 2^20: the chance that any nonce comes twice in any of these 2^24 sessions is below
/// 2^24 × 2^(40 - 97) = 2^-33.
const SEAL_LIMIT: u64 = 1 << 44;

/// NIST SP 800-38D allows 2^32 messages with random nonces of 96 bits under one key, and in the interop layout there is
/// one key for all.
const INTEROP_LIMIT: u64 = 1 << 32;

/// What is derived for more tenants than these is derived again when it is needed.
const TENANTS: usize = 1_024;

/// A session takes about a kibibyte.
const SESSIONS: usize = 1_024;
