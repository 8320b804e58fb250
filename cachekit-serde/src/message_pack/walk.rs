//! A walk over the headers of a MessagePack document, before anything is made of it.

/// How deep arrays and maps may nest.
pub(crate) const MAX_DEPTH: usize = 100;

/// What is wrong with a document, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) problem: &'static str,
}

/// Checks that `bytes` are exactly one document whose lengths are true and whose depth is bounded.
///
/// Refused are: an array or map with elements deeper than [`MAX_DEPTH`] (empty ones, binaries, texts and extensions are
/// leaves, as for the other clients), a length past the end, more elements than there are bytes left (over all open
/// arrays and maps), the reserved `c1`, an early end, and bytes that follow. So whoever decodes afterwards may trust
/// the lengths.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Fault> {
    // Elements that the open arrays and maps still owe, by depth and in total.
    let mut open = [0_u64; MAX_DEPTH];
    let mut depth = 0;
    let mut owed = 1_u64;
    let mut at = 0;
    while owed > 0 {
        let here = at;
        let fault = |problem| Err(Fault { offset: here, problem });
        let Some(&marker) = bytes.get(at) else { return fault("the document ends early") };
        at += 1;
        owed -= 1;
        if marker == 0xc1 {
            return fault("the reserved byte c1");
        }
        let (length, elements) = announced(bytes, &mut at, marker);
        let collection = matches!(marker, 0x80..=0x9f | 0xdc..=0xdf);
        let (Some(length), true) = (length, elements.is_some() == collection) else {
            return fault("a length that is cut off");
        };
        let left = (bytes.len() - at) as u64;
        if length > left {
            return fault("a length past the end");
        }
        // Not above what is left, which is a `usize`.
        at += length as usize;
        let elements = elements.unwrap_or(0);
        owed += elements;
        if owed > left - length {
            return fault("more elements than there are bytes");
        }
        if elements > 0 && depth == MAX_DEPTH {
            return fault("arrays and maps nest deeper than 100");
        }
        if elements > 0 {
            open[depth] = elements;
            depth += 1;
            continue;
        }
        while depth > 0 {
            open[depth - 1] -= 1;
            if open[depth - 1] > 0 {
                break;
            }
            depth -= 1;
        }
    }
    if at < bytes.len() { Err(Fault { offset: at, problem: "bytes follow the document" }) } else { Ok(()) }
}

/// What a header announces: how many bytes of content follow, and how many elements. `None` for a length that is cut
/// off, and for the elements of what is no array or map.
#[inline]
fn announced(bytes: &[u8], at: &mut usize, marker: u8) -> (Option<u64>, Option<u64>) {
    match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (Some(0), None),
        0x80..=0x8f => (Some(0), Some(2 * u64::from(marker & 15))),
        0x90..=0x9f => (Some(0), Some(u64::from(marker & 15))),
        0xa0..=0xbf => (Some(u64::from(marker & 31)), None),
        0xc1 => (None, None),
        0xc4 | 0xd9 => (number(bytes, at, 1), None),
        0xc5 | 0xda => (number(bytes, at, 2), None),
        0xc6 | 0xdb => (number(bytes, at, 4), None),
        0xc7 => (number(bytes, at, 1).map(|length| length + 1), None),
        0xc8 => (number(bytes, at, 2).map(|length| length + 1), None),
        0xc9 => (number(bytes, at, 4).map(|length| length + 1), None),
        0xcc | 0xd0 => (Some(1), None),
        0xcd | 0xd1 => (Some(2), None),
        0xca | 0xce | 0xd2 => (Some(4), None),
        0xcb | 0xcf | 0xd3 => (Some(8), None),
        0xd4..=0xd8 => (Some(1 + (1 << (marker - 0xd4))), None),
        0xdc => (Some(0), number(bytes, at, 2)),
        0xdd => (Some(0), number(bytes, at, 4)),
        0xde => (Some(0), number(bytes, at, 2).map(|pairs| 2 * pairs)),
        0xdf => (Some(0), number(bytes, at, 4).map(|pairs| 2 * pairs)),
    }
}

/// The value that `bytes`, which were [checked](check), begin with: how long its header is, how many bytes of content
/// follow, and how many elements.
#[cfg(feature = "interop")]
pub(crate) fn value(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    let mut at = 1;
    let (length, elements) = announced(bytes, &mut at, *bytes.first()?);
    Some((at, usize::try_from(length?).ok()?, usize::try_from(elements.unwrap_or(0)).ok()?))
}

/// The big-endian number of `width` bytes at `at`, which moves behind it. `None` if the input ends before.
fn number(bytes: &[u8], at: &mut usize, width: usize) -> Option<u64> {
    let digits = bytes.get(*at..*at + width)?;
    *at += width;
    Some(digits.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests;
