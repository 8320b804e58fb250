//! [`KeyWriter`]: puts the parts of a key together so that no two lists of parts meet.

use smallvec::SmallVec;

/// Takes the parts of a key, escapes them and joins them with `:`.
///
/// # The encoding
/// 1. A part keeps `A-Z a-z 0-9 . -`; every other byte of its UTF-8 becomes `_` and two lower-case hexadecimal digits, so
///    `a_b@c` is `a_5fb_40c`. A part therefore never contains `:`.
/// 2. The empty part is `_v`; `None` is `_n`; `Some(x)` is `x`, or `_s` before it where `x` begins with `_n` or `_s`.
/// 3. A slice is `_l` and its length, then its elements as parts of their own. Tuples and structs are their fields, in
///    order; an enum is its variant's name, then the fields.
/// 4. Numbers are decimal, `true` and `false` are so written, a UUID is its hyphenated text.
///
/// For one type of key, two values with different parts never make the same key. Across types, `7u64`, `7i8` and `"7"` are
/// the same part on purpose.
#[derive(Debug)]
pub struct KeyWriter {
    bytes: SmallVec<[u8; INLINE]>,
    start: usize,
}

/// Keys up to this length are built without allocation.
const INLINE: usize = 96;

impl KeyWriter {
    /// Begins a key whose bytes up to here are `before`, taken as they are. The first part follows them without separator.
    #[must_use]
    pub fn new(before: &[u8]) -> Self {
        Self { bytes: SmallVec::from_slice(before), start: before.len() }
    }

    /// Writes a part of text.
    pub fn text(&mut self, part: &str) {
        self.separate();
        if part.is_empty() {
            self.bytes.extend_from_slice(b"_v");
            return;
        }
        let mut plain = 0;
        for (at, &byte) in part.as_bytes().iter().enumerate() {
            if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-') {
                self.bytes.extend_from_slice(&part.as_bytes()[plain..at]);
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                self.bytes.extend_from_slice(&[b'_', digit(byte >> 4), digit(byte & 15)]);
                plain = at + 1;
            }
        }
        self.bytes.extend_from_slice(&part.as_bytes()[plain..]);
    }

    /// Writes a part of an integer.
    pub fn integer(&mut self, part: impl itoa::Integer) {
        self.separate();
        self.bytes.extend_from_slice(itoa::Buffer::new().format(part).as_bytes());
    }

    /// Writes the part that stands for `None`.
    pub fn none(&mut self) {
        self.separate();
        self.bytes.extend_from_slice(b"_n");
    }

    /// Writes what `inner` writes, marked where that could be taken for [`none`](Self::none).
    pub fn some(&mut self, inner: impl FnOnce(&mut Self)) {
        let before = self.bytes.len();
        inner(self);
        // The separator, if one was written, stands before the part.
        let part = before + usize::from(before > self.start && self.bytes.len() > before);
        if self.bytes[part.min(self.bytes.len())..].starts_with(b"_n")
            || self.bytes[part.min(self.bytes.len())..].starts_with(b"_s")
        {
            self.bytes.insert_from_slice(part, b"_s");
        }
    }

    /// Writes the part that begins a sequence of `length` elements, which follow as parts of their own.
    pub fn sequence(&mut self, length: usize) {
        self.separate();
        self.bytes.extend_from_slice(b"_l");
        self.bytes.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    }

    /// What has been written, `before` included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn separate(&mut self) {
        if self.bytes.len() > self.start {
            self.bytes.push(b':');
        }
    }
}
