//! The error of bytes that are no document, which says where, and what they may be instead.

use cachekit_core::{Error, ErrorCode, Format};

/// E021: `problem` at `offset` of `bytes`, which were to be of `format`.
pub(crate) fn undecodable(format: Format, bytes: &[u8], offset: usize, problem: &str) -> Error {
    let hint = match looks_like(bytes) {
        // The one format is the other, too.
        Some((Some(id), _)) if id == Format::MESSAGE_PACK.id && format == Format::INTEROP => "",
        Some((id, what)) if id != Some(format.id) => what,
        _ => "",
    };
    Error::new(ErrorCode::E021, format!("{}: {problem}, at byte {offset} of {}{hint}", format.name, bytes.len()))
}

/// What bytes that begin like these are elsewhere, and the number of the format if it is one of ours. postcard begins
/// with anything.
fn looks_like(bytes: &[u8]) -> Option<(Option<u8>, &'static str)> {
    Some(match bytes {
        [b'C', b'K', ..] => (None, "; this looks like an entry of the Python client's standard mode"),
        [0xc1, b'c', b'k', ..] => (None, "; this looks like a whole entry of the native layout"),
        [b'{' | b'[' | b'"', ..] => (Some(Format::JSON.id), "; this looks like JSON"),
        [0xff, 0xff, 0xff, 0xff, ..] => (Some(Format::ARROW.id), "; this looks like Arrow IPC"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => (None, "; this looks like an Arrow file, which is no stream"),
        [0x80..=0x9f | 0xdc..=0xdf, _, ..] => (Some(Format::MESSAGE_PACK.id), "; this looks like MessagePack"),
        _ => return None,
    })
}
