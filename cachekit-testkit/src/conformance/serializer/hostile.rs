//! Bytes that nobody wrote: foreign documents, lies about lengths, and nests without end.

use crate::faults::dice::draw;

/// Documents of other formats, and bytes that have broken readers before.
pub(super) fn foreign() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = [
        &b""[..],
        b"\0",
        b" \r\n",
        b"null",
        b"{\"a\":[1,2.5e308,\"\\ud800\"]}",
        b"1e999999999",
        b"\"\\u0000",
        b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"&b;&b;\">]><a>&b;</a>",
        b"CK\x01\x02\x03",
        b"\xc1ck\x01",
        b"\x1f\x8b\x08\0\0\0\0\0",
        b"(\xb5/\xfd\x04",
        b"\x04\"M\x18",
        b"ARROW1\0\0\xff\xff\xff\xff",
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",
        b"\xa1aa\xf9\x7e\0",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe\0\xd8",
        b"\xed\xa0\x80\xc0\x80",
        b"\xc7\xff\xff",
        b"\xd4\xff\x01",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    corpus.extend((0..=u8::MAX).map(|byte| vec![byte]));
    corpus.extend((0..=u8::MAX).map(|byte| vec![byte; 64]));
    corpus
}

/// Beginnings that announce up to four thousand million elements or more, and end at once.
pub(super) fn liars() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    // MessagePack, CBOR and length-prefixed formats in both orders of bytes.
    for marker in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf, 0x5a, 0x7a, 0x9a, 0xba, 0x5b, 0x7b, 0x9b, 0xbb] {
        for length in [&[0xff; 4][..], &[0x7f, 0xff, 0xff, 0xff], &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            corpus.push([&[marker], length].concat());
            corpus.push([&[marker], length, b"abc"].concat());
        }
    }
    corpus.push(vec![0xff, 0xff, 0xff, 0xff, 0x0f]);
    corpus.push([&[0xff; 9][..], &[0x01]].concat());
    corpus.push(vec![0xff; 16]);
    corpus
}

/// Beginnings of nests in several formats, far deeper than any stack.
pub(super) fn nests() -> Vec<Vec<u8>> {
    [&[0x91][..], &[0x81, 0xa0], &[0x81, 0xc0], &[0xdd, 0, 0, 0, 1], &[0x9f], &[0xbf, 0x60], b"[", b"{\"\":", &[1]]
        .map(|step| step.repeat(200_000))
        .to_vec()
}

/// Up to 64 bytes that look like nothing, the `count`-th of `seed`.
pub(super) fn random(seed: u64, count: u64) -> Vec<u8> {
    let words = (0..8).flat_map(|word| draw(seed, count, word).to_le_bytes());
    words.take(usize::from(draw(seed, count, 8).to_le_bytes()[0] % 65)).collect()
}

/// Places in something of this length: all of them, or both ends and many between.
pub(super) fn places(length: usize, seed: u64) -> Vec<usize> {
    if length <= 2 * END {
        return (0..length).collect();
    }
    let between = (0..256).map(|n| END + crate::faults::dice::below(draw(seed, 77, n), length - 2 * END));
    (0..END).chain(between).chain(length - END..length).collect()
}

const END: usize = 1_024;
