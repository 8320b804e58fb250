//! [`Session`]: what one instance seals with for a while.

use std::fmt;

use cachekit_core::Result;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::cipher::{Aead, Cipher};
use crate::derivation::{COMMITMENT, Derived, SALT};
use crate::nonce::random;

/// A key of AES-256-GCM that one instance seals with for a while, and that everybody who has the tenant's key can derive
/// from the salt.
///
/// It is expanded once. A child of a `fork` and a machine resumed from a snapshot may go on with the same session: it is
/// the nonces that differ.
pub(crate) struct Session {
    pub(crate) salt: [u8; SALT],
    pub(crate) commitment: [u8; COMMITMENT],
    pub(crate) aead: Box<dyn Aead>,
    /// Salts are drawn for a tenant's key: under another it is another session.
    tenant: Option<Box<str>>,
    /// The number of the first message of the master key that is not sealed in it any more.
    until: u64,
}

impl Session {
    /// A session of the tenant's `key` that nobody has used before, for messages up to number `until`.
    ///
    /// E008 if the system has no randomness to give.
    pub(crate) fn begin(cipher: Cipher, key: &Derived, tenant: Option<&str>, until: u64) -> Result<Self> {
        Ok(Self { until, ..Self::resume(cipher, key, tenant, &random()?) })
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
            until: 0,
        }
    }

    pub(crate) fn is_of(&self, tenant: Option<&str>) -> bool {
        self.tenant.as_deref() == tenant
    }

    /// Whether `commitment` is this session's. It takes the same time wherever they differ.
    pub(crate) fn is_committed_to(&self, commitment: &[u8; COMMITMENT]) -> bool {
        // In words: byte by byte it takes as long as a short text.
        let word = |(own, other): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*own) ^ u64::from_ne_bytes(*other);
        let words = self.commitment.as_chunks::<8>().0.iter().zip(commitment.as_chunks::<8>().0);
        words.map(word).fold(0, |differ, word| differ | word).ct_eq(&0).into()
    }

    /// Whether the message with this number is sealed in it.
    pub(crate) fn takes(&self, number: u64) -> bool {
        number < self.until
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("aead", &self.aead).finish_non_exhaustive()
    }
}

/// A session ends after so many messages of its master key: 2^20.
///
/// NIST SP 800-38D allows 2^32 with random nonces of 96 bits. Threads that come late to the end of a session seal one more
/// in the next, and where children of a `fork` cannot count together each seals so many.
pub(crate) const LENGTH: u64 = 1 << 20;
