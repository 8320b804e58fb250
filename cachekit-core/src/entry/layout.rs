//! Where each field of an entry lies, byte by byte. `docs/entry-layout.md` says the same in prose.

use std::fmt;
use std::ops::{Deref, Range};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Content, EntryView, Header, Look, Protection, Undecodable};
use crate::{Key, UnixTime};

/// The bytes of a header: [`Header::to_bytes`].
#[derive(Clone, Copy)]
pub struct HeaderBytes {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &**self {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

pub(super) fn header_len(header: &Header) -> usize {
    let schema = if header.schema.is_some() { SCHEMA_LEN } else { 0 };
    let fingerprint = match header.protection {
        Protection::Encrypted { fingerprint: Some(_) } => FINGERPRINT_LEN,
        _ => 0,
    };
    FIXED + schema + fingerprint
}

pub(super) fn trailer_len(header: &Header) -> usize {
    if header.protection == Protection::Checksum { CHECKSUM_LEN } else { 0 }
}

pub(super) fn header(header: &Header) -> HeaderBytes {
    let len = header_len(header);
    let mut bytes = [0; MAX_HEADER];
    bytes[..3].copy_from_slice(&MAGIC);
    bytes[VERSION_AT] = VERSION;
    bytes[REQUIRED_AT] = required_flags(header);
    bytes[OPTIONAL_AT] = 0;
    // The longest header that this version writes is 64 bytes.
    bytes[LENGTH].copy_from_slice(&(len as u16).to_be_bytes());
    bytes[CHECK_AT] = check(&bytes);
    bytes[FORMAT_AT] = header.format;
    bytes[USER_VERSION].copy_from_slice(&header.version.to_be_bytes());
    let expires = end(header.expires);
    put_time(&mut bytes[CREATED], header.created.as_millis().min(NEVER - 1));
    put_time(&mut bytes[FRESH_UNTIL], header.fresh_until.map_or(NEVER, |fresh| end(Some(fresh)).min(expires)));
    put_time(&mut bytes[EXPIRES], expires);
    bytes[EPOCH].copy_from_slice(&header.epoch.to_be_bytes());
    let mut at = FIXED;
    if let Some(schema) = header.schema {
        bytes[at..at + SCHEMA_LEN].copy_from_slice(&schema.to_be_bytes());
        at += SCHEMA_LEN;
    }
    if let Protection::Encrypted { fingerprint: Some(fingerprint) } = header.protection {
        bytes[at..at + FINGERPRINT_LEN].copy_from_slice(&fingerprint);
    }
    HeaderBytes { bytes, len }
}

/// The checksum of `covered`, which is all of an entry that comes before it, stored under `key`.
pub(super) fn checksum(covered: &[u8], key: &Key) -> u64 {
    xxh3_64_with_seed(covered, xxh3_64(key.as_str().as_bytes()))
}

pub(super) fn decode<'a>(stored: &'a [u8], key: &Key) -> Result<EntryView<'a>, Undecodable> {
    let Some(prologue) = stored.first_chunk::<PROLOGUE>() else {
        let magic = &MAGIC[..stored.len().min(MAGIC.len())];
        return Err(if !stored.is_empty() && stored.starts_with(magic) {
            Undecodable::Corrupt { offset: stored.len(), expected: "9 bytes that begin every header, the entry ends" }
        } else {
            Undecodable::Foreign(Look::at(stored))
        });
    };
    if prologue[..3] != MAGIC {
        return Err(Undecodable::Foreign(Look::at(stored)));
    }
    if prologue[CHECK_AT] != check(prologue) {
        return Err(corrupt(CHECK_AT, "the check of the 8 bytes before it"));
    }
    let flags = prologue[REQUIRED_AT];
    match prologue[VERSION_AT] {
        0 => return Err(corrupt(VERSION_AT, "a layout version above zero")),
        VERSION if flags & !KNOWN == 0 => {}
        version => return Err(Undecodable::Newer { version, flags }),
    }
    let (content, encrypted) = content(flags)?;

    let len = usize::from(u16::from_be_bytes([prologue[LENGTH.start], prologue[LENGTH.start + 1]]));
    let has_schema = flags & SCHEMA != 0;
    let has_fingerprint = flags & FINGERPRINT != 0;
    let known = FIXED + if has_schema { SCHEMA_LEN } else { 0 } + if has_fingerprint { FINGERPRINT_LEN } else { 0 };
    if len < known {
        return Err(corrupt(LENGTH.start, "a header that is long enough for its fields"));
    }
    let trailer = if encrypted { 0 } else { CHECKSUM_LEN };
    if stored.len() < len + trailer {
        return Err(corrupt(stored.len(), "a whole header and its checksum, the entry ends"));
    }
    let (covered, trailer) = stored.split_at(stored.len() - trailer);
    if let Ok(expected) = <[u8; CHECKSUM_LEN]>::try_from(trailer)
        && u64::from_be_bytes(expected) != checksum(covered, key)
    {
        return Err(corrupt(covered.len(), "the checksum of this key and of the bytes before it"));
    }
    let (bytes, payload) = covered.split_at(len);
    if content == Content::Absent && !encrypted && !payload.is_empty() {
        return Err(corrupt(len, "no payload, for the entry says that there is no value"));
    }

    let (created, fresh_until, expires) = (time(bytes, CREATED), time(bytes, FRESH_UNTIL), time(bytes, EXPIRES));
    if created == NEVER {
        return Err(corrupt(CREATED.start, "a time of creation, not never"));
    }
    if fresh_until != NEVER && fresh_until > expires {
        return Err(corrupt(FRESH_UNTIL.start, "an end of freshness that is not after the end of life"));
    }
    let mut at = FIXED;
    let schema = has_schema.then(|| {
        at += SCHEMA_LEN;
        u64::from_be_bytes(array(bytes, at - SCHEMA_LEN))
    });
    let fingerprint = has_fingerprint.then(|| array(bytes, at));
    let header = Header {
        content,
        protection: if encrypted { Protection::Encrypted { fingerprint } } else { Protection::Checksum },
        format: bytes[FORMAT_AT],
        schema,
        version: u32::from_be_bytes(array(bytes, USER_VERSION.start)),
        created: UnixTime::from_millis(created),
        fresh_until: (fresh_until != NEVER).then(|| UnixTime::from_millis(fresh_until)),
        expires: (expires != NEVER).then(|| UnixTime::from_millis(expires)),
        epoch: u64::from_be_bytes(array(bytes, EPOCH.start)),
    };
    Ok(EntryView { header, header_bytes: bytes, payload })
}

fn content(flags: u8) -> Result<(Content, bool), Undecodable> {
    let content = match (flags & COMPRESSED != 0, flags & ABSENT != 0) {
        (false, false) => Content::Document,
        (true, false) => Content::Compressed,
        (false, true) => Content::Absent,
        (true, true) => return Err(corrupt(REQUIRED_AT, "an entry that is compressed or absent, not both")),
    };
    let encrypted = flags & ENCRYPTED != 0;
    if flags & FINGERPRINT != 0 && !encrypted {
        return Err(corrupt(REQUIRED_AT, "no key fingerprint in an entry that is not encrypted"));
    }
    Ok((content, encrypted))
}

fn required_flags(header: &Header) -> u8 {
    let content = match header.content {
        Content::Document => 0,
        Content::Compressed => COMPRESSED,
        Content::Absent => ABSENT,
    };
    let protection = match header.protection {
        Protection::Checksum => 0,
        Protection::Encrypted { fingerprint: None } => ENCRYPTED,
        Protection::Encrypted { fingerprint: Some(_) } => ENCRYPTED | FINGERPRINT,
    };
    content | protection | if header.schema.is_some() { SCHEMA } else { 0 }
}

/// Finds any single flipped bit before it, also in entries of later versions and in encrypted ones, so that damage is
/// not taken for an entry of a later release, which would be left in place.
fn check(bytes: &[u8]) -> u8 {
    !bytes[..CHECK_AT].iter().fold(0, |sum, byte| sum ^ byte)
}

fn end(time: Option<UnixTime>) -> u64 {
    time.map_or(NEVER, |time| time.as_millis().min(NEVER))
}

fn put_time(field: &mut [u8], millis: u64) {
    field.copy_from_slice(&millis.to_be_bytes()[2..]);
}

fn time(bytes: &[u8], field: Range<usize>) -> u64 {
    let [a, b, c, d, e, f] = array(bytes, field.start);
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// The caller has checked that the field is there; the zeros are never seen.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn corrupt(offset: usize, expected: &'static str) -> Undecodable {
    Undecodable::Corrupt { offset, expected }
}

/// MessagePack reserves the first byte and UTF-8, therefore JSON, never contains it.
pub(super) const MAGIC: [u8; 3] = [0xc1, b'c', b'k'];
const VERSION: u8 = 1;

const VERSION_AT: usize = 3;
const REQUIRED_AT: usize = 4;
const OPTIONAL_AT: usize = 5;
const LENGTH: Range<usize> = 6..8;
const CHECK_AT: usize = 8;
const PROLOGUE: usize = 9;
const FORMAT_AT: usize = 9;
const USER_VERSION: Range<usize> = 10..14;
const CREATED: Range<usize> = 14..20;
const FRESH_UNTIL: Range<usize> = 20..26;
const EXPIRES: Range<usize> = 26..32;
const EPOCH: Range<usize> = 32..40;
const FIXED: usize = 40;
const SCHEMA_LEN: usize = 8;
const FINGERPRINT_LEN: usize = 16;
const MAX_HEADER: usize = FIXED + SCHEMA_LEN + FINGERPRINT_LEN;
const CHECKSUM_LEN: usize = 8;

const NEVER: u64 = (1 << 48) - 1;

const ENCRYPTED: u8 = 1;
const COMPRESSED: u8 = 1 << 1;
const ABSENT: u8 = 1 << 2;
const SCHEMA: u8 = 1 << 3;
const FINGERPRINT: u8 = 1 << 4;
const KNOWN: u8 = ENCRYPTED | COMPRESSED | ABSENT | SCHEMA | FINGERPRINT;
