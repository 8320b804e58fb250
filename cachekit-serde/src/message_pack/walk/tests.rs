//! The walk agrees with its table and with a naive decoder.

use proptest::prelude::*;

use super::{Fault, MAX_DEPTH, check};

#[test]
fn bounds() {
    // Name, document, accepted or where it is refused. The rows that other clients publish for their own walk are among
    // these.
    let deep = |marker: &[u8], times, end: &[u8]| [marker.repeat(times), end.to_vec()].concat();
    let rows: [(&str, Vec<u8>, Result<(), usize>); 28] = [
        ("arrays to the bound", deep(b"\x91", 100, b"\xc0"), Ok(())),
        ("arrays beyond", deep(b"\x91", 101, b"\xc0"), Err(100)),
        ("an empty array is a leaf", deep(b"\x91", 100, b"\x90"), Ok(())),
        ("an empty array far beyond", deep(b"\x91", 101, b"\x90"), Err(100)),
        ("maps to the bound", deep(b"\x81\xa0", 100, b"\xc0"), Ok(())),
        ("maps beyond", deep(b"\x81\xa0", 101, b"\xc0"), Err(200)),
        ("an empty map is a leaf", deep(b"\x91", 100, b"\x80"), Ok(())),
        ("an extension is a leaf", deep(b"\x91", 100, b"\xd4\x01\x00"), Ok(())),
        ("depth is given back", deep(b"\x92\x90", 50, b"\xc0"), Ok(())),
        ("array32 over-claims", b"\xdd\xff\xff\xff\xff".to_vec(), Err(0)),
        ("map32 over-claims", b"\xdf\xff\xff\xff\xff\x00\x00".to_vec(), Err(0)),
        ("arrays over-claim together", b"\x92\xdc\x00\x02\xc0\xdc\x00\x02\xc0".to_vec(), Err(5)),
        ("a map needs two per pair", b"\x81\xa0".to_vec(), Err(0)),
        ("text past the end", b"\xdb\xff\xff\xff\xffab".to_vec(), Err(0)),
        ("binary past the end", b"\xc6\xff\xff\xff\xff".to_vec(), Err(0)),
        ("extension past the end", b"\xc9\xff\xff\xff\xff\x01".to_vec(), Err(0)),
        ("fixext cut", b"\xd8\x01\x02".to_vec(), Err(0)),
        ("fixstr cut", b"\xa3ab".to_vec(), Err(0)),
        ("integer cut", b"\xcf\x00\x00".to_vec(), Err(0)),
        ("length cut", b"\xda\x00".to_vec(), Err(0)),
        ("count cut", b"\xdc\x00".to_vec(), Err(0)),
        ("reserved", b"\xc1".to_vec(), Err(0)),
        ("reserved within", b"\x92\x01\xc1".to_vec(), Err(2)),
        ("empty", b"".to_vec(), Err(0)),
        ("a byte follows", b"\xc0\x00".to_vec(), Err(1)),
        ("a Python frame", b"CK\x03".to_vec(), Err(1)),
        ("over-long headers", b"\xdd\x00\x00\x00\x01\xdb\x00\x00\x00\x01a".to_vec(), Ok(())),
        ("any keys, twice", b"\x82\xc0\x01\xc0\x90".to_vec(), Ok(())),
    ];
    for (name, document, expected) in rows {
        assert_eq!(check(&document).map_err(|fault| fault.offset), expected, "{name}");
    }
}

#[test]
fn every_marker_agrees_with_the_naive_decoder() {
    for marker in 0..=255_u8 {
        for length in 0..40 {
            for fill in [0, 1, 0xc0] {
                let mut document = vec![fill; length];
                document.insert(0, marker);
                assert_eq!(check(&document).is_ok(), naive::is_document(&document), "{document:02x?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_agree_with_the_naive_decoder(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(check(&bytes).is_ok(), naive::is_document(&bytes));
    }

    /// Few long leaves, so that documents nest and end where they should.
    #[test]
    fn likely_documents_agree_with_the_naive_decoder(bytes in prop::collection::vec(likely_byte(), 0..24)) {
        prop_assert_eq!(check(&bytes).is_ok(), naive::is_document(&bytes));
    }

    #[test]
    fn offsets_lie_within(bytes in prop::collection::vec(likely_byte(), 0..24)) {
        if let Err(Fault { offset, .. }) = check(&bytes) {
            prop_assert!(offset <= bytes.len());
        }
    }
}

fn likely_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        8 => prop::sample::select(vec![0x00, 0x01, 0xc0, 0xa0, 0xa1, 0x90, 0x91, 0x92, 0x80, 0x81]),
        1 => prop::sample::select(vec![0xc4, 0xc5, 0xc7, 0xcc, 0xcd, 0xd4, 0xd5, 0xd9, 0xdc, 0xdd, 0xde, 0xdf, 0xc1, 0xff]),
    ]
}

/// A decoder as one would write it first, recursive and from the specification. It allocates nothing either, but finds
/// over-claims only when it runs out of bytes.
mod naive {
    use super::MAX_DEPTH;

    pub(super) fn is_document(bytes: &[u8]) -> bool {
        value(bytes, MAX_DEPTH) == Some(&[])
    }

    /// What follows the first value.
    fn value(bytes: &[u8], depth: usize) -> Option<&[u8]> {
        let (&marker, rest) = bytes.split_first()?;
        match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some(rest),
            0xc1 => None,
            0x80..=0x8f => values(rest, usize::from(marker - 0x80) * 2, depth),
            0x90..=0x9f => values(rest, usize::from(marker - 0x90), depth),
            0xa0..=0xbf => rest.get(usize::from(marker - 0xa0)..),
            0xc4 | 0xd9 => sized(rest, 1, 0),
            0xc5 | 0xda => sized(rest, 2, 0),
            0xc6 | 0xdb => sized(rest, 4, 0),
            0xc7 => sized(rest, 1, 1),
            0xc8 => sized(rest, 2, 1),
            0xc9 => sized(rest, 4, 1),
            0xcc | 0xd0 => rest.get(1..),
            0xcd | 0xd1 => rest.get(2..),
            0xce | 0xd2 | 0xca => rest.get(4..),
            0xcf | 0xd3 | 0xcb => rest.get(8..),
            0xd4 => rest.get(2..),
            0xd5 => rest.get(3..),
            0xd6 => rest.get(5..),
            0xd7 => rest.get(9..),
            0xd8 => rest.get(17..),
            0xdc => number(rest, 2).and_then(|(n, rest)| values(rest, n, depth)),
            0xdd => number(rest, 4).and_then(|(n, rest)| values(rest, n, depth)),
            0xde => number(rest, 2).and_then(|(n, rest)| values(rest, n * 2, depth)),
            0xdf => number(rest, 4).and_then(|(n, rest)| values(rest, n * 2, depth)),
        }
    }

    fn values(mut rest: &[u8], count: usize, depth: usize) -> Option<&[u8]> {
        let depth = if count == 0 { depth } else { depth.checked_sub(1)? };
        for _ in 0..count {
            rest = value(rest, depth)?;
        }
        Some(rest)
    }

    fn sized(bytes: &[u8], width: usize, more: usize) -> Option<&[u8]> {
        let (length, rest) = number(bytes, width)?;
        rest.get(length + more..)
    }

    fn number(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
        let (digits, rest) = bytes.split_at_checked(width)?;
        Some((digits.iter().fold(0, |n, &digit| n * 256 + usize::from(digit)), rest))
    }
}
