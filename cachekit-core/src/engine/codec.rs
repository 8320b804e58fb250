//! [`Codec`]: values of a namespace to stored entries and back.

mod interop;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::epoch::Epoch;
use crate::entry::{Content, EntryView, Header, Protection};
use crate::{
    Applied, Entry, EntryContext, Error, ErrorCode, Format, Key, Layout, Remaining, Result, Serializer, Transform,
    TransformKind, Ttl, UnixTime,
};

/// Values of a namespace to stored entries and back, in its layout: the native one here, the other in [`interop`].
pub(crate) struct Codec<T> {
    layout: Layout,
    serializer: Arc<dyn Serializer<T>>,
    /// In the order in which they are applied.
    transforms: Vec<Arc<dyn Transform>>,
    /// Whether one of them encrypts.
    seals: bool,
    /// The version that the user gave to the type.
    version: u32,
    max_value: usize,
}

/// How long an entry lives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    /// Fresh for so long, and kept for so much longer.
    Fresh(Ttl, Option<Duration>),
    /// Kept for so long, not fresh any more.
    Kept(Ttl),
}

impl Life {
    /// For how long the entry is stored.
    pub(crate) fn whole(self) -> Ttl {
        let (ttl, longer) = match self {
            Self::Fresh(ttl, stale_for) => (ttl, stale_for.unwrap_or_default()),
            Self::Kept(ttl) => (ttl, Duration::ZERO),
        };
        let whole = ttl.as_duration().map(|ttl| ttl.saturating_add(longer));
        whole.and_then(|whole| Ttl::try_from(whole).ok()).unwrap_or(ttl)
    }

    /// The ages of a value that is stored now.
    pub(crate) fn ages(self) -> Ages {
        let remaining = |ttl: Ttl| ttl.as_duration().map_or(Remaining::Never, Remaining::For);
        let fresh = match self {
            Self::Fresh(ttl, _) => remaining(ttl),
            Self::Kept(_) => Remaining::For(Duration::ZERO),
        };
        Ages { age: Duration::ZERO, fresh, kept: remaining(self.whole()) }
    }
}

/// How old a value is, and what is left of its life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    /// How long ago it was computed.
    pub(crate) age: Duration,
    /// For how long it is fresh.
    pub(crate) fresh: Remaining,
    /// For how long it is kept, fresh or not.
    pub(crate) kept: Remaining,
}

/// What a stored entry turned out to be.
pub(crate) enum Decoded<T> {
    /// A live value, or the knowledge that there is none.
    Live(Option<T>, Ages),
    /// One that is past its freshness, but kept.
    Stale(Option<T>, Ages),
    /// Past its end: as good as nothing.
    Ended,
    /// Written by a later release of the program or of this crate. As good as nothing, but left in place, so that two
    /// releases that run side by side do not evict each other's entries.
    Newer,
    /// Sealed with a key that is not at hand, perhaps a newer one. As good as nothing, and left in place likewise; but
    /// with the wrong keys all entries are such, so it is an error that somebody should hear of.
    Locked(Error),
}

impl<T: 'static> Codec<T> {
    pub(crate) fn new(
        layout: Layout,
        serializer: Arc<dyn Serializer<T>>,
        transforms: Vec<Arc<dyn Transform>>,
        version: u32,
        max_value: usize,
    ) -> Self {
        let seals = transforms.iter().any(|transform| transform.kind() == TransformKind::Encryption);
        Self { layout, serializer, transforms, seals, version, max_value }
    }

    /// Whether entries are encrypted.
    pub(crate) fn seals(&self) -> bool {
        self.seals
    }

    pub(crate) fn format(&self) -> Format {
        self.serializer.format()
    }

    /// The entry of `value`, which lives for `life` from `now` on, written in the namespace's `epoch`.
    ///
    /// E020 for a value that the format cannot hold, E022 for one that is too large, and what the transforms report.
    pub(crate) fn encode(
        &self,
        key: &Key,
        tenant: Option<&str>,
        value: Option<&T>,
        life: Life,
        epoch: u64,
        now: UnixTime,
    ) -> Result<Bytes> {
        if self.layout == Layout::Interop {
            return self.encode_interop(key, value);
        }
        let format = self.format();
        let mut header = Header::new(format.id, now);
        header.schema = (format.schema != 0).then_some(format.schema);
        header.version = self.version;
        header.epoch = epoch;
        header.expires = life.whole().as_duration().map(|whole| now + whole);
        header.fresh_until = match life {
            Life::Fresh(ttl, stale_for) => stale_for.and(ttl.as_duration()).map(|ttl| now + ttl),
            // Long ago, for whatever clock.
            Life::Kept(_) => Some(UnixTime::from_millis(0)),
        };
        if value.is_none() {
            header.content = Content::Absent;
        }
        let entry = if self.transforms.is_empty() {
            header.encode_with(key, TYPICAL, |bytes| match value {
                Some(value) => self.serializer.serialize(value, bytes),
                None => Ok(()),
            })?
        } else {
            self.encode_transformed(key, tenant, value, header)?
        };
        self.check_size(entry.len())?;
        Ok(entry)
    }

    /// Serializes, compresses and seals in the buffer that becomes the entry, behind room for the header.
    fn encode_transformed(
        &self,
        key: &Key,
        tenant: Option<&str>,
        value: Option<&T>,
        mut header: Header,
    ) -> Result<Bytes> {
        // The marks of encryption are set first: the header has its length from here on, and what seals authenticates them.
        if let Some(sealing) = self.transforms.iter().find(|transform| transform.kind() == TransformKind::Encryption) {
            header.protection = Protection::Encrypted { fingerprint: sealing.fingerprint() };
        }
        let first = header.to_bytes();
        let mut entry = Vec::with_capacity(first.len() + TYPICAL);
        entry.extend_from_slice(&first);
        if let Some(value) = value {
            self.serializer.serialize(value, &mut entry)?;
        }
        if !entry.starts_with(&first) {
            let expected = "the serializer to append only";
            return Err(Error::invalid(ErrorCode::E020, "entry", expected, "a change of what stands before"));
        }
        for transform in &self.transforms {
            self.apply(&**transform, &mut header, key, tenant, &mut entry)?;
        }
        header.complete(key, entry)
    }

    /// How long the document of `value` is, in bytes.
    ///
    /// E020 and E022 as for [`encode`](Self::encode).
    pub(crate) fn measure(&self, value: Option<&T>) -> Result<usize> {
        let Some(value) = value else { return Ok(0) };
        let mut bytes = Vec::with_capacity(TYPICAL);
        self.serializer.serialize(value, &mut bytes)?;
        self.check_value(&bytes)?;
        self.check_size(bytes.len())?;
        Ok(bytes.len())
    }

    fn check_size(&self, length: usize) -> Result<()> {
        if length <= self.max_value {
            return Ok(());
        }
        let expected = format_args!("at most {} bytes as stored (CACHEKIT_MAX_VALUE_SIZE)", self.max_value);
        Err(Error::invalid(ErrorCode::E022, "value", expected, format_args!("{length} bytes")))
    }

    /// What `entry` is at `now`, to a reader who knows `epoch`.
    ///
    /// E003 and E005 from encryption, E021 for anything else that cannot be read.
    pub(crate) fn decode(
        &self,
        key: &Key,
        tenant: Option<&str>,
        entry: &Entry,
        epoch: &Epoch,
        now: UnixTime,
    ) -> Result<Decoded<T>> {
        if entry.value.len() > self.max_value {
            return Err(Error::invalid(
                ErrorCode::E021,
                "stored entry",
                format_args!("at most {} bytes (CACHEKIT_MAX_VALUE_SIZE)", self.max_value),
                format_args!("{} bytes", entry.value.len()),
            ));
        }
        if self.layout == Layout::Interop {
            return self.decode_interop(key, entry, epoch);
        }
        let view = match Header::decode(&entry.value, key) {
            Ok(view) => view,
            Err(newer) if newer.is_newer() => return Ok(Decoded::Newer),
            Err(undecodable) => return Err(undecodable.into()),
        };
        let header = &view.header;
        if header.version > self.version {
            return Ok(Decoded::Newer);
        }
        let format = self.format();
        if header.version < self.version {
            // An earlier version of the type: what it means is not known any more. It is overwritten.
            return Ok(Decoded::Ended);
        }
        self.check_protection(header)?;
        if header.format != format.id || header.schema.unwrap_or(0) != format.schema {
            return Err(Error::invalid(
                ErrorCode::E021,
                "format of the stored entry",
                format_args!("{} (number {}, schema {:016x})", format.name, format.id, format.schema),
                format_args!("number {}, schema {:016x}", header.format, header.schema.unwrap_or(0)),
            ));
        }
        if !header.is_live(now) || !epoch.believes(header) {
            return Ok(Decoded::Ended);
        }
        let remaining = |end: Option<UnixTime>| match (end, entry.remaining) {
            (Some(end), Remaining::For(told)) => Remaining::For(end.since(now).min(told)),
            (Some(end), _) => Remaining::For(end.since(now)),
            (None, told @ Remaining::For(_)) => told,
            (None, _) => Remaining::Never,
        };
        let ages = Ages {
            age: now.since(header.created),
            fresh: remaining(header.fresh_until.or(header.expires)),
            kept: remaining(header.expires),
        };
        if let Some(fingerprint) = fingerprint_of(header).filter(|fingerprint| !self.knows(fingerprint)) {
            return Ok(Decoded::Locked(locked(fingerprint)));
        }
        let fresh = header.is_fresh(now);
        let value = self.open(key, tenant, &view)?;
        Ok(if fresh { Decoded::Live(value, ages) } else { Decoded::Stale(value, ages) })
    }

    /// The value in an entry that was [decoded](Self::decode) or [encoded](Self::encode) here before: how long it lives
    /// is known, and whether it is believed.
    ///
    /// E003 and E021 as for [`decode`](Self::decode), E003 also for a key that is not at hand any more.
    pub(crate) fn reopen(&self, key: &Key, tenant: Option<&str>, entry: &[u8]) -> Result<Option<T>> {
        match self.layout {
            Layout::Native => self.open(key, tenant, &Header::decode(entry, key)?),
            Layout::Interop => self.open_interop(key, entry),
        }
    }

    /// Whether the key is at hand that `entry` was sealed with, if it names one.
    pub(crate) fn has_key_of(&self, key: &Key, entry: &[u8]) -> bool {
        let Layout::Native = self.layout else { return true };
        let view = Header::decode(entry, key);
        view.is_ok_and(|view| fingerprint_of(&view.header).is_none_or(|fingerprint| self.knows(&fingerprint)))
    }

    /// The value in an entry, once everything is undone that was done to its payload.
    fn open(&self, key: &Key, tenant: Option<&str>, view: &EntryView<'_>) -> Result<Option<T>> {
        let header = &view.header;
        if self.transforms.is_empty() {
            let is_absent = header.content == Content::Absent;
            return if is_absent { Ok(None) } else { self.serializer.deserialize(view.payload).map(Some) };
        }
        // The one copy that has to be: the entry may be shared, and what is sealed opens in place.
        let mut payload = view.payload.to_vec();
        let context =
            EntryContext::new(key, tenant, self.format(), view.header_bytes).with_fingerprint(fingerprint_of(header));
        for transform in self.transforms.iter().rev() {
            if bears_mark(header, transform.kind()) {
                transform.reverse(&context, &mut payload)?;
            }
        }
        if header.content == Content::Absent { Ok(None) } else { self.serializer.deserialize(&payload).map(Some) }
    }

    fn knows(&self, fingerprint: &[u8; 16]) -> bool {
        let mut sealing = self.transforms.iter().filter(|transform| transform.kind() == TransformKind::Encryption);
        sealing.all(|transform| transform.knows(fingerprint))
    }

    fn apply(
        &self,
        transform: &dyn Transform,
        header: &mut Header,
        key: &Key,
        tenant: Option<&str>,
        entry: &mut Vec<u8>,
    ) -> Result<()> {
        let before = header.content;
        match transform.kind() {
            TransformKind::Compression if before == Content::Document => header.content = Content::Compressed,
            TransformKind::Compression => return Ok(()),
            TransformKind::Encryption => {}
        }
        let bytes = header.to_bytes();
        let context = EntryContext::new(key, tenant, self.format(), &bytes).with_fingerprint(fingerprint_of(header));
        match (transform.apply_from(&context, entry, bytes.len())?, transform.kind()) {
            (Applied::Yes, _) => {}
            (Applied::Declined, TransformKind::Compression) => header.content = before,
            (Applied::Declined, TransformKind::Encryption) => {
                return Err(shirked());
            }
        }
        Ok(())
    }

    /// What must be encrypted is not accepted in the clear, and what is encrypted or compressed needs somebody who can
    /// undo it.
    fn check_protection(&self, header: &Header) -> Result<()> {
        match header.protection {
            Protection::Checksum if self.seals => {
                return Err(Error::new(ErrorCode::E005, "the stored entry is not encrypted, but the namespace is"));
            }
            Protection::Encrypted { .. } if !self.seals => {
                return Err(Error::new(ErrorCode::E021, "the stored entry is encrypted, but the namespace is not"));
            }
            _ => {}
        }
        let inflates = || self.transforms.iter().any(|transform| transform.kind() == TransformKind::Compression);
        if header.content == Content::Compressed && !inflates() {
            return Err(Error::new(ErrorCode::E021, "the stored entry is compressed, but the namespace is not"));
        }
        Ok(())
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec")
            .field("serializer", &self.serializer)
            .field("transforms", &self.transforms)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The value must not leave in the clear because a plug-in shirked.
fn shirked() -> Error {
    Error::new(ErrorCode::E020, "encryption declined to seal the value")
}

fn bears_mark(header: &Header, kind: TransformKind) -> bool {
    match kind {
        TransformKind::Compression => header.content == Content::Compressed,
        TransformKind::Encryption => matches!(header.protection, Protection::Encrypted { .. }),
    }
}

fn fingerprint_of(header: &Header) -> Option<[u8; 16]> {
    match header.protection {
        Protection::Encrypted { fingerprint } => fingerprint,
        Protection::Checksum => None,
    }
}

fn locked(fingerprint: [u8; 16]) -> Error {
    let got = format_args!("key {:032x}", u128::from_be_bytes(fingerprint));
    Error::invalid(ErrorCode::E003, "encrypted entry", "one sealed with a key that is at hand", got)
}

/// What is set aside for a document before it is known.
const TYPICAL: usize = 256;
