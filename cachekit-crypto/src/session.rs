//! [`Session`]: what one instance seals with for a while.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use cachekit_core::{Error, ErrorCode, Result};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::cipher::{Aead, Cipher, NONCE};
use crate::derivation::{COMMITMENT, Derived, SALT};

/// A key of AES-256-GCM that one instance seals with until its [`LENGTH`] is used up, and that everybody who has the
/// tenant's key can derive from the salt.
///
/// It is expanded once. Each message gets 96 bits from the operating system as its nonce: a child of a `fork` and a
/// machine resumed from a snapshot may go on with the same session, so nothing may depend on a state in memory.
pub(crate) struct Session {
    pub(crate) salt: [u8; SALT],
    pub(crate) commitment: [u8; COMMITMENT],
    pub(crate) aead: Box<dyn Aead>,
    /// Salts are drawn for a tenant's key: under another it is another session.
    tenant: Option<Box<str>>,
    sealed: AtomicU64,
}

impl Session {
    /// A session of the tenant's `key` that nobody has used before.
    ///
    /// E008 if the system has no randomness to give.
    pub(crate) fn begin(cipher: Cipher, key: &Derived, tenant: Option<&str>) -> Result<Self> {
        Ok(Self::resume(cipher, key, tenant, &random()?))
    }

    /// The session with this `salt`, to open what was sealed in it.
    pub(crate) fn resume(cipher: Cipher, key: &Derived, tenant: Option<&str>, salt: &[u8; SALT]) -> Self {
        let keys = key.session(salt);
        Self {
            salt: *salt,
            commitment: keys.commitment,
            // The bytes are needed to expand them.
            aead: cipher.expand(keys.key.expose_secret()),
            tenant: tenant.map(Into::into),
            sealed: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_of(&self, tenant: Option<&str>) -> bool {
        self.tenant.as_deref() == tenant
    }

    /// Whether `commitment` is this session's. It takes the same time wherever they differ.
    pub(crate) fn is_committed_to(&self, commitment: &[u8; COMMITMENT]) -> bool {
        self.commitment.ct_eq(commitment).into()
    }

    /// Takes one of the `length` messages of the session, if there is one left.
    pub(crate) fn take(&self, length: u64) -> bool {
        // Cannot overflow: whoever is refused goes on to another session.
        self.sealed.fetch_add(1, Ordering::Relaxed) < length
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("aead", &self.aead).finish_non_exhaustive()
    }
}

/// A nonce for one message.
///
/// E008 if the system has no randomness to give.
pub(crate) fn nonce() -> Result<[u8; NONCE]> {
    random()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorCode::E008, "encryption: expected randomness from the operating system, got none")
            .with_source(error)
    })?;
    Ok(bytes)
}

/// So many messages are sealed in a session: 2^20.
///
/// NIST SP 800-38D allows 2^32 with random nonces of 96 bits. Children of a `fork` share a session without sharing its
/// count, so that 4,096 of them may use all of it before the standard's bound is reached.
pub(crate) const LENGTH: u64 = 1 << 20;
