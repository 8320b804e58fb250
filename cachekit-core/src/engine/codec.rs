//! [`Codec`]: values of a namespace to stored entries and back.

mod interop;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::epoch::Epoch;
use crate::entry::{Content, Header, Protection};
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
}

impl<T: 'static> Codec<T> {
    pub(crate) fn new(
        layout: Layout,
        serializer: Arc<dyn Serializer<T>>,
        transforms: Vec<Arc<dyn Transform>>,
        version: u32,
        max_value: usize,
    ) -> Self {
        Self { layout, serializer, transforms, version, max_value }
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
            let mut payload = Vec::with_capacity(TYPICAL);
            if let Some(value) = value {
                self.serializer.serialize(value, &mut payload)?;
            }
            for transform in &self.transforms {
                self.apply(&**transform, &mut header, key, tenant, &mut payload)?;
            }
            header.encode(key, &payload)
        };
        self.check_size(entry.len())?;
        Ok(entry)
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
        let fresh = header.is_fresh(now);
        let value = if self.transforms.is_empty() {
            if header.content == Content::Absent { None } else { Some(self.serializer.deserialize(view.payload)?) }
        } else {
            let mut payload = view.payload.to_vec();
            let fingerprint = match header.protection {
                Protection::Encrypted { fingerprint } => fingerprint,
                Protection::Checksum => None,
            };
            let context = EntryContext::new(key, tenant, format, view.header_bytes).with_fingerprint(fingerprint);
            for transform in self.transforms.iter().rev() {
                if bears_mark(header, transform.kind()) {
                    transform.reverse(&context, &mut payload)?;
                }
            }
            if header.content == Content::Absent { None } else { Some(self.serializer.deserialize(&payload)?) }
        };
        Ok(if fresh { Decoded::Live(value, ages) } else { Decoded::Stale(value, ages) })
    }

    fn apply(
        &self,
        transform: &dyn Transform,
        header: &mut Header,
        key: &Key,
        tenant: Option<&str>,
        payload: &mut Vec<u8>,
    ) -> Result<()> {
        let before = header.clone();
        // The mark is set first, because it is part of what encryption authenticates.
        match transform.kind() {
            TransformKind::Compression if header.content == Content::Document => header.content = Content::Compressed,
            TransformKind::Compression => return Ok(()),
            TransformKind::Encryption => {
                header.protection = Protection::Encrypted { fingerprint: transform.fingerprint() };
            }
        }
        let bytes = header.to_bytes();
        let context = EntryContext::new(key, tenant, self.format(), &bytes).with_fingerprint(match header.protection {
            Protection::Encrypted { fingerprint } => fingerprint,
            Protection::Checksum => None,
        });
        match (transform.apply(&context, payload)?, transform.kind()) {
            (Applied::Yes, _) => {}
            (Applied::Declined, TransformKind::Compression) => *header = before,
            (Applied::Declined, TransformKind::Encryption) => {
                return Err(shirked());
            }
        }
        Ok(())
    }

    /// What must be encrypted is not accepted in the clear, and what is encrypted or compressed needs somebody who can
    /// undo it.
    fn check_protection(&self, header: &Header) -> Result<()> {
        let has = |kind| self.transforms.iter().any(|transform| transform.kind() == kind);
        match header.protection {
            Protection::Checksum if has(TransformKind::Encryption) => {
                return Err(Error::new(ErrorCode::E005, "the stored entry is not encrypted, but the namespace is"));
            }
            Protection::Encrypted { .. } if !has(TransformKind::Encryption) => {
                return Err(Error::new(ErrorCode::E021, "the stored entry is encrypted, but the namespace is not"));
            }
            _ => {}
        }
        if header.content == Content::Compressed && !has(TransformKind::Compression) {
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

/// What is set aside for a document before it is known.
const TYPICAL: usize = 256;
