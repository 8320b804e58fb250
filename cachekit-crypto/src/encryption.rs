//! [`Encryption`]: the transform that seals entries of the native layout.

use std::fmt;
use std::sync::Arc;

use cachekit_core::{Applied, EntryContext, Error, ErrorCode, Result, Transform, TransformKind};

use crate::cipher::{NONCE, Refused, TAG};
use crate::derivation::{COMMITMENT, SALT};
use crate::interop::InteropEncryption;
use crate::keys::Shared;
use crate::refusal::{open_or_wipe, refused, too_long};

/// Seals the entries of a namespace in the native layout with the [`Keys`](crate::Keys) that it was made from, in the
/// buffer that they travel in.
///
/// - **What is bound.** The key that an entry is stored under, tenant, format and every byte of the header: an entry that
///   was altered, or is found in another place, does not open.
/// - **Which key.** The header names it. One that is not in the ring is refused without trying others, and the entry
///   commits to its key: it cannot be made to open under two.
/// - **How much longer.** 77 bytes, and the 16 of the fingerprint in the header.
///
/// Cloning is cheap and shares keys and counts.
///
/// # Errors
/// `apply`: E006 once the key has sealed its limit; E008 where the system has no randomness; E020 where the header names no
/// key of the ring, and beyond 64 GiB. `reverse`: E003 for whatever does not open; nothing of the text is left then.
///
/// # Concurrency
/// Any number of threads at once; what they share is a few atomic counters.
#[derive(Clone)]
pub struct Encryption {
    keys: Arc<Shared>,
}

impl Encryption {
    pub(crate) fn new(keys: Arc<Shared>) -> Self {
        Self { keys }
    }

    /// How many bytes an entry gets longer by, the fingerprint in its header apart.
    pub const OVERHEAD: usize = TAG + TRAILER;
}

impl Transform for Encryption {
    fn kind(&self) -> TransformKind {
        TransformKind::Encryption
    }

    fn fingerprint(&self) -> Option<[u8; 16]> {
        Some(self.keys.ring().current().fingerprint)
    }

    /// Whether the key with this fingerprint is in the ring.
    fn knows(&self, fingerprint: &[u8; 16]) -> bool {
        self.keys.ring().find(fingerprint).is_some()
    }

    /// As [`Keys::interop_encryption`](crate::Keys::interop_encryption) makes it, for the tenant `default`.
    fn for_interop(&self) -> Option<Arc<dyn Transform>> {
        Some(Arc::new(InteropEncryption::new(Arc::clone(&self.keys))))
    }

    fn apply(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<Applied> {
        self.apply_from(context, bytes, 0)
    }

    fn apply_from(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>, from: usize) -> Result<Applied> {
        // Keys may have rotated since the header was made: the one that it names seals, not the one that is current now.
        let ring = self.keys.ring();
        let master = context.fingerprint.and_then(|named| ring.find(&named)).ok_or_else(|| {
            Error::new(ErrorCode::E020, "encryption: expected the header to name a key of the ring, it does not")
        })?;
        bytes.reserve(Self::OVERHEAD);
        let sealed = master.seal(context.tenant, |session, nonce| {
            let tag = bound(context, |bound| session.aead.seal(nonce, bound, &mut bytes[from..]))?;
            bytes.extend_from_slice(&tag);
            bytes.extend_from_slice(nonce);
            bytes.extend_from_slice(&session.salt);
            bytes.extend_from_slice(&session.commitment);
            bytes.push(SUITE);
            Ok::<(), Refused>(())
        })?;
        sealed.map_err(too_long)?;
        Ok(Applied::Yes)
    }

    fn reverse(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        open_or_wipe(bytes, |bytes| self.open(context, bytes))
    }
}

impl Encryption {
    fn open(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        let named = context.fingerprint.ok_or_else(|| refused("an entry that names its key", "one that names none"))?;
        let ring = self.keys.ring();
        let Some(master) = ring.find(&named) else {
            let got = format_args!("one sealed with key {:032x}, which is not among them", u128::from_be_bytes(named));
            return Err(refused("an entry sealed with a key of the ring", got));
        };
        let sealed = bytes.len().saturating_sub(TRAILER);
        let trailer: &[u8; TRAILER] = match bytes.last_chunk() {
            Some(trailer) if sealed >= TAG => trailer,
            _ => return Err(refused(format_args!("at least {} bytes", Self::OVERHEAD), bytes.len())),
        };
        let Trailer { nonce, salt, commitment, suite } = Trailer::of(trailer);
        if suite != SUITE {
            return Err(refused(format_args!("suite {SUITE}"), suite));
        }
        let opened = master.open(context.tenant, &salt, |session| {
            session.is_committed_to(&commitment)
                && bound(context, |bound| session.aead.open(&nonce, bound, &mut bytes[..sealed])).is_ok()
        });
        if !opened {
            return Err(refused("an entry sealed for this place", "one that does not authenticate"));
        }
        bytes.truncate(sealed - TAG);
        Ok(())
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("keys", &self.keys).finish()
    }
}

/// What stands after ciphertext and tag. It comes last so that a value is neither moved nor copied.
struct Trailer {
    nonce: [u8; NONCE],
    salt: [u8; SALT],
    commitment: [u8; COMMITMENT],
    suite: u8,
}

impl Trailer {
    fn of(bytes: &[u8; TRAILER]) -> Self {
        let mut trailer =
            Self { nonce: [0; NONCE], salt: [0; SALT], commitment: [0; COMMITMENT], suite: bytes[TRAILER - 1] };
        trailer.nonce.copy_from_slice(&bytes[..NONCE]);
        trailer.salt.copy_from_slice(&bytes[NONCE..NONCE + SALT]);
        trailer.commitment.copy_from_slice(&bytes[NONCE + SALT..TRAILER - 1]);
        trailer
    }
}

/// Hands over everything that the tag covers beside the text: two different contexts never give the same bytes, for each
/// part is preceded by its length or has a fixed one. The tenant is in the key, too.
fn bound<R>(context: &EntryContext<'_>, take: impl FnOnce(&[u8]) -> R) -> R {
    let key = context.key.as_str().as_bytes();
    let tenant = context.tenant.map(str::as_bytes);
    let lengths = [key, tenant.unwrap_or_default(), context.header].map(|part| (part.len() as u64).to_be_bytes());
    let parts: [&[u8]; 8] = [
        &[SUITE, u8::from(tenant.is_some()), context.format.id],
        &context.format.schema.to_be_bytes(),
        &lengths[0],
        key,
        &lengths[1],
        tenant.unwrap_or_default(),
        &lengths[2],
        context.header,
    ];
    // This is done at each hit: usually without an allocation.
    let (mut on_stack, mut length) = ([0; 256], 0);
    for part in parts {
        match on_stack.get_mut(length..length + part.len()) {
            Some(place) => place.copy_from_slice(part),
            None => return take(&parts.concat()),
        }
        length += part.len();
    }
    take(&on_stack[..length])
}

/// AES-256-GCM with a random nonce, in a session that HKDF-SHA256 derives from tenant key and salt.
const SUITE: u8 = 1;

const TRAILER: usize = NONCE + SALT + COMMITMENT + 1;

#[cfg(test)]
mod tests;
