//! [`Pairs`]: a map that is sorted when it is whole.

use std::ops::Range;

use super::encode;

/// The pairs of a map that is being written at the end of a buffer. Its header comes when they are counted, and they are
/// sorted by the bytes of their keys, which for UTF-8 is the order of the code points.
#[derive(Debug)]
pub(super) struct Pairs {
    start: usize,
    pairs: Vec<Pair>,
}

#[derive(Debug)]
struct Pair {
    begin: usize,
    key: Range<usize>,
}

impl Pairs {
    pub(super) fn begin(bytes: &[u8]) -> Self {
        Self { start: bytes.len(), pairs: Vec::new() }
    }

    /// Writes the key of the next pair. Its value is to follow.
    pub(super) fn key(&mut self, bytes: &mut Vec<u8>, key: &str) {
        let begin = bytes.len();
        encode::text(bytes, key);
        self.pairs.push(Pair { begin, key: bytes.len() - key.len()..bytes.len() });
    }

    /// Makes the map of the pairs. `false` if a key came twice.
    pub(super) fn end(self, bytes: &mut Vec<u8>) -> bool {
        let Self { start, pairs } = self;
        let ends = pairs.iter().skip(1).map(|pair| pair.begin).chain([bytes.len()]);
        let mut sorted: Vec<(&[u8], &[u8])> =
            pairs.iter().zip(ends).map(|(pair, end)| (&bytes[pair.key.clone()], &bytes[pair.begin..end])).collect();
        // Of two equal keys the order does not matter: they are refused.
        sorted.sort_unstable_by_key(|(key, _)| *key);
        let differ = sorted.windows(2).all(|two| two[0].0 != two[1].0);
        let mut map = Vec::with_capacity(bytes.len() - start + 5);
        encode::map(&mut map, sorted.len());
        sorted.iter().for_each(|(_, pair)| map.extend_from_slice(pair));
        bytes.truncate(start);
        bytes.extend_from_slice(&map);
        differ
    }
}
