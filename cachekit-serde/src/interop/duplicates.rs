//! Maps with a key that comes twice: the last one counts, as for the Python client.

use std::collections::HashMap;

use crate::message_pack::walk;

/// The document without the pairs that a later one of the same key replaces, or `None` if there are none.
///
/// `bytes` have been [checked](walk::check): lengths are true and depth is bounded.
pub(super) fn dropped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut reader = Reader { rest: bytes, found: false };
    reader.value(&mut kept)?;
    reader.found.then_some(kept)
}

struct Reader<'a> {
    rest: &'a [u8],
    found: bool,
}

impl<'a> Reader<'a> {
    /// Copies the next value to `kept`. `None` if the document is not what the check has found it to be.
    fn value(&mut self, kept: &mut Vec<u8>) -> Option<()> {
        let (header, leaf, elements) = walk::value(self.rest)?;
        let is_map = matches!(self.rest.first()?, 0x80..=0x8f | 0xde | 0xdf);
        let whole = self.take(header + leaf)?;
        if !is_map {
            kept.extend_from_slice(whole);
            return (0..elements).try_for_each(|_| self.value(kept));
        }
        let mut last = HashMap::new();
        let mut pairs = Vec::new();
        for _ in 0..elements / 2 {
            let before = self.rest;
            let mut key = Vec::new();
            self.value(&mut key)?;
            let of_key = &before[..before.len() - self.rest.len()];
            let mut value = Vec::new();
            self.value(&mut value)?;
            let name = text(of_key).ok_or(of_key);
            last.insert(name, pairs.len());
            pairs.push((name, key, value));
        }
        self.found |= last.len() < pairs.len();
        // A header of any length will do: this is read once, here.
        kept.push(0xdf);
        kept.extend_from_slice(&u32::try_from(last.len()).ok()?.to_be_bytes());
        for (at, (name, key, value)) in pairs.into_iter().enumerate() {
            if last.get(&name) == Some(&at) {
                kept.extend_from_slice(&key);
                kept.extend_from_slice(&value);
            }
        }
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// The text that a key is, which may have a header longer than it needs.
fn text(key: &[u8]) -> Option<&[u8]> {
    let header = match key.first()? {
        0xa0..=0xbf => 1,
        0xd9 => 2,
        0xda => 3,
        0xdb => 5,
        _ => return None,
    };
    key.get(header..)
}
