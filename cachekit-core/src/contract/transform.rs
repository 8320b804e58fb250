//! [`Transform`]: bytes to bytes, on the way between serializer and backend.

use std::fmt;

use crate::{Error, ErrorCode, Format, Key, Layout, Result};

/// Changes the bytes of an entry on their way to the backend and back: compression, encryption.
///
/// Transforms of a namespace are applied in order and reversed in the opposite order. Compression comes before
/// encryption.
///
/// # Contract
/// 1. `reverse(apply(bytes))` equals `bytes` under the same context; under any other context an authenticating
///    transform refuses.
/// 2. `reverse` treats its input as hostile: no panic, no abort, nothing allocated beyond the bound that it was built
///    with. When it refuses, it leaves nothing of the plain bytes behind in `bytes`.
/// 3. Both are synchronous and do no I/O: keys are a snapshot that is refreshed elsewhere.
///
/// # Errors
/// `apply`: E006, E020. `reverse`: E003 for what does not authenticate, E021 for what is damaged.
pub trait Transform: fmt::Debug + Send + Sync + 'static {
    /// Which kind it is. Its mark in the entry's header follows from that. One of a kind per namespace.
    fn kind(&self) -> TransformKind;

    /// The fingerprint of the key that [`apply`](Self::apply) would use now, which then stands in the header.
    fn fingerprint(&self) -> Option<[u8; 16]> {
        None
    }

    /// Changes `bytes` in place, or declines and leaves them as they are.
    fn apply(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<Applied>;

    /// Undoes [`apply`](Self::apply) in place. Called only for entries whose header bears the mark; in the
    /// [interop layout](Layout::Interop), where nothing does, for every entry.
    fn reverse(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()>;

    /// Refuses what it is not made for: asked each time that a namespace called `name` is opened with it. Made for the
    /// native layout alone, unless it says otherwise.
    ///
    /// # Errors
    /// E044 for a layout, E007 for a namespace.
    fn check(&self, layout: Layout, name: &str) -> Result<()> {
        let _any_will_do = name;
        match layout {
            Layout::Native => Ok(()),
            Layout::Interop => Err(Error::invalid(
                ErrorCode::E044,
                "transform",
                "one that is made for the interop layout, which has no header",
                format_args!("{self:?}"),
            )),
        }
    }

    /// The one tenant whose entries it seals, if it is made for one. All openings of a namespace have to agree on it.
    fn tenant(&self) -> Option<&str> {
        None
    }
}

/// What a [`Transform`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransformKind {
    /// Makes entries smaller. May decline where it does not pay.
    Compression,
    /// Makes entries unreadable and unforgeable without the key. Never declines, and an entry without its mark is
    /// refused.
    Encryption,
}

/// Whether a [`Transform`] changed the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The bytes were changed; the header says so.
    Yes,
    /// The bytes are as they were.
    Declined,
}

/// Which entry is being transformed.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct EntryContext<'a> {
    /// The stored key, tenant and namespace included.
    pub key: &'a Key,
    /// The tenant, where the namespace is divided by tenant.
    pub tenant: Option<&'a str>,
    /// The format of the document.
    pub format: Format,
    /// The header as it is stored, all of which an authenticating transform authenticates. Empty in the interop layout.
    pub header: &'a [u8],
    /// The key's fingerprint in the header, if there is one.
    pub fingerprint: Option<[u8; 16]>,
}

impl<'a> EntryContext<'a> {
    /// The context of the entry under `key`.
    #[must_use]
    pub fn new(key: &'a Key, tenant: Option<&'a str>, format: Format, header: &'a [u8]) -> Self {
        Self { key, tenant, format, header, fingerprint: None }
    }

    /// With the fingerprint of the key that the entry names.
    #[must_use]
    pub fn with_fingerprint(self, fingerprint: Option<[u8; 16]>) -> Self {
        Self { fingerprint, ..self }
    }
}

impl fmt::Debug for EntryContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryContext").field("key", self.key).field("format", &self.format).finish_non_exhaustive()
    }
}
