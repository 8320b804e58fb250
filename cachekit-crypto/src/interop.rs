//! [`InteropEncryption`]: the transform that seals entries as CacheKit's other clients do.

use std::fmt;
use std::sync::Arc;

use cachekit_core::{Applied, EntryContext, Error, ErrorCode, Layout, Result, Transform, TransformKind};

use crate::cipher::{NONCE, TAG};
use crate::keys::Shared;
use crate::nonce::random;
use crate::refusal::{open_or_wipe, refused, too_long};

/// Seals the entries of a namespace in the interop layout, as CacheKit's other clients do: AES-256-GCM under a key that
/// HKDF-SHA256 derives from master key and tenant. Made by [`Keys::interop_encryption`](crate::Keys::interop_encryption).
///
/// ```text
/// nonce 12 | ciphertext | tag 16          the entry, 28 bytes longer than the document
/// ```
///
/// - **What is bound:** the stored key, the tenant, and that the document is MessagePack. An entry that was altered, or is
///   found under another key, does not open. Plaintext is never accepted in its place.
/// - **Which key** is not said by the entry: the current one is tried, then the earlier ones in their order. Only that an
///   entry does not authenticate leads on to the next.
/// - **No commitment.** Whoever knows two keys of the ring can make an entry that opens under both, as two different
///   values; the order of the ring decides which. The native layout rules that out, this one cannot.
///
/// # Tenants
/// There is one tenant for an encryption, `default` unless it is made for another, and all clients have to agree on it.
/// - [`for_deployment`](Self::for_deployment) is what the Python client calls `deployment_uuid`: one tenant for all that a
///   program stores.
/// - [`for_tenant`](Self::for_tenant) is for programs with many. Keys in this layout have no place for a tenant, so the
///   namespace has to name it (`orders-acme` for `acme`): else it is E007, at opening and at each entry.
///
/// # Nonces
/// Each message gets 96 bits from the operating system, so nothing depends on a state in memory. But all processes and
/// clients that share a master key seal under one key per tenant, and NIST SP 800-38D allows 2^32 messages under it, by
/// all of them together. A process can count its own alone: after 2^32 it reports E006. Where many write, rotate the
/// master key before their sum comes near that: a thousand writes a second take 50 days.
///
/// Cloning is cheap and shares keys and counts.
///
/// # Errors
/// `apply`: E006 once the key has sealed its limit; E008 where the system has no randomness; E020 beyond 64 GiB.
/// `reverse`: E003 for whatever does not open; nothing of the text is left then. Both: E007 for a namespace that does not
/// name the tenant.
///
/// # Concurrency
/// Any number of threads at once.
#[derive(Clone)]
pub struct InteropEncryption {
    keys: Arc<Shared>,
    tenant: Arc<str>,
    /// Whether the namespace has to name the tenant.
    named: bool,
}

impl InteropEncryption {
    pub(crate) fn new(keys: Arc<Shared>) -> Self {
        Self { keys, tenant: Arc::from(DEFAULT_TENANT), named: false }
    }

    /// For a deployment of its own: the tenant of all that it stores, in whatever namespace.
    ///
    /// # Errors
    /// E044 for anything but a UUID in lowercase with hyphens, the form that the Python client asks for here.
    pub fn for_deployment(self, uuid: &str) -> Result<Self> {
        let is_canonical = uuid.len() == 36
            && uuid.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        if !is_canonical {
            let got = format_args!("{} bytes that are none", uuid.len());
            return Err(Error::invalid(ErrorCode::E044, "deployment", "a UUID in lowercase with hyphens", got));
        }
        Ok(Self { tenant: Arc::from(uuid), named: false, ..self })
    }

    /// For one tenant of many, whom the namespace has to name: as a whole, between its ends, `.`, `-` and `_`.
    ///
    /// # Errors
    /// E042 for a tenant that no namespace of the layout could name: anything but 1 to 64 of `a-z 0-9 . _ -`.
    pub fn for_tenant(self, tenant: &str) -> Result<Self> {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=64).contains(&tenant.len()) || !tenant.bytes().all(is_inner) {
            let got = format_args!("{} bytes", tenant.len());
            return Err(Error::invalid(
                ErrorCode::E042,
                "tenant",
                "1 to 64 of a-z 0-9 . _ - in the interop layout",
                got,
            ));
        }
        Ok(Self { tenant: Arc::from(tenant), named: true, ..self })
    }

    /// How many bytes an entry gets longer by.
    pub const OVERHEAD: usize = NONCE + TAG;

    /// E007 for a namespace that does not name the tenant, where it has to.
    fn check_named(&self, namespace: &str) -> Result<()> {
        let between = |byte: Option<u8>| byte.is_none_or(|byte| b"._-".contains(&byte));
        let names = |(at, _): (usize, &str)| {
            let (before, after) = (&namespace.as_bytes()[..at], &namespace.as_bytes()[at + self.tenant.len()..]);
            between(before.last().copied()) && between(after.first().copied())
        };
        if !self.named || namespace.match_indices(&*self.tenant).any(names) {
            return Ok(());
        }
        Err(Error::invalid(
            ErrorCode::E007,
            format_args!("namespace {namespace:?}"),
            "one that names the tenant whose entries are sealed, as \"orders-acme\" does for \"acme\"",
            "one that does not",
        ))
    }

    fn check_context(&self, context: &EntryContext<'_>) -> Result<()> {
        let key = context.key.as_str();
        self.check_named(key.split_once(':').map_or(key, |(namespace, _)| namespace))
    }
}

impl Transform for InteropEncryption {
    fn kind(&self) -> TransformKind {
        TransformKind::Encryption
    }

    fn apply(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<Applied> {
        self.check_context(context)?;
        let key = self.keys.ring().current().interop_sealing(&self.tenant)?;
        let nonce = random()?;
        // The nonce stands in front, so the document moves.
        let length = bytes.len();
        bytes.reserve(Self::OVERHEAD);
        bytes.resize(length + NONCE, 0);
        bytes.copy_within(..length, NONCE);
        bytes[..NONCE].copy_from_slice(&nonce);
        let tag =
            key.aead.seal(&nonce, &bound(&self.tenant, context.key.as_str()), &mut bytes[NONCE..]).map_err(too_long)?;
        bytes.extend_from_slice(&tag);
        Ok(Applied::Yes)
    }

    fn reverse(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        open_or_wipe(bytes, |bytes| self.open(context, bytes))
    }

    fn check(&self, layout: Layout, name: &str) -> Result<()> {
        if layout != Layout::Interop {
            let expected = "the encryption of the native layout, `Keys::encryption`";
            return Err(Error::invalid(ErrorCode::E044, "transform", expected, "that of the interop layout"));
        }
        self.check_named(name)
    }

    fn tenant(&self) -> Option<&str> {
        Some(&self.tenant)
    }
}

impl InteropEncryption {
    fn open(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        self.check_context(context)?;
        let nonce = match bytes.first_chunk() {
            Some(nonce) if bytes.len() >= Self::OVERHEAD => *nonce,
            _ => return Err(refused(format_args!("at least {} bytes", Self::OVERHEAD), bytes.len())),
        };
        let bound = bound(&self.tenant, context.key.as_str());
        let ring = self.keys.ring();
        // A key that does not fit leaves nothing to try the next one on.
        let sealed = (ring.in_order().len() > 1).then(|| bytes[NONCE..].to_vec());
        for (turn, master) in ring.in_order().iter().enumerate() {
            if let (Some(sealed), 1..) = (&sealed, turn) {
                bytes[NONCE..].copy_from_slice(sealed);
            }
            if master.interop(&self.tenant).aead.open(&nonce, &bound, &mut bytes[NONCE..]).is_ok() {
                let end = bytes.len() - TAG;
                bytes.copy_within(NONCE..end, 0);
                bytes.truncate(end - NONCE);
                master.count_opened();
                return Ok(());
            }
        }
        Err(refused("an entry sealed for this place with a key of the ring", "one that does not authenticate"))
    }
}

impl fmt::Debug for InteropEncryption {
    /// The tenant may be a customer of somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InteropEncryption").field("keys", &self.keys).field("named", &self.named).finish()
    }
}

/// What the tag covers beside the text, each part preceded by its length: version 3 of the other clients'.
fn bound(tenant: &str, key: &str) -> Vec<u8> {
    let mut bound = vec![3];
    for part in [tenant, key, "msgpack", "False"] {
        bound.extend_from_slice(&(part.len() as u32).to_be_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound
}

const DEFAULT_TENANT: &str = "default";

#[cfg(test)]
mod tests;
