//! [`KeyWriter`]: puts the parts of a key together so that no two lists of parts meet.

use std::fmt::{self, Write as _};

/// Takes the parts of a key, escapes them and joins them with `:`.
///
/// # The encoding
/// 1. A part keeps `A-Z a-z 0-9 . -`; every other byte of its UTF-8 becomes `_` and two lower-case hexadecimal digits,
///    so `a_b@c` is `a_5fb_40c`. A part therefore never contains `:`.
/// 2. The empty part is `_v`.
/// 3. `None` is the part `_n`. `Some(x)` is what `x` writes. Where that begins with a mark of an option (`x` is itself
///    an option, or begins with one), `_s` stands before it; where `x` writes no part at all, `Some(x)` is the part
///    `_s`.
/// 4. A slice is `_l` and its length, then its elements as parts of their own. Tuples and structs are their fields, in
///    order; an enum is its variant's name, then the fields.
/// 5. Numbers are decimal, `true` and `false` are so written, a UUID is its hyphenated text.
///
/// For one type of key, two values with different parts never make the same key. Across types, `7u64`, `7i8` and `"7"`
/// are the same part on purpose.
///
/// | value | parts |
/// | --- | --- |
/// | `42`, `"42"`, `Some(42)` | `42` |
/// | `"a:b"` | `a_3ab` |
/// | `""` | `_v` |
/// | `("users", -7)` | `users:-7` |
/// | `None` | `_n` |
/// | `Some(None)` | `_s_n` |
/// | `Some(())` | `_s` |
/// | `["x", "y"]` | `_l2:x:y` |
/// | `()` | none |
#[derive(Clone)]
pub struct KeyWriter {
    /// The key, as long as it fits.
    inline: [u8; INLINE],
    /// The key, once it does not.
    spilled: Vec<u8>,
    len: usize,
    start: usize,
    /// How many `Some(` were opened since the last part; whether they leave a mark is up to the part that follows.
    opened: usize,
}

/// Keys up to this length are built without allocation.
const INLINE: usize = 96;

impl KeyWriter {
    /// Begins a key whose bytes up to here are `before`, taken as they are. The first part follows them without
    /// separator.
    #[inline]
    #[must_use]
    pub fn new(before: &[u8]) -> Self {
        let mut writer = Self::empty();
        writer.begin(before);
        writer
    }

    /// A writer without anything in it. With [`begin`](Self::begin) it does what [`new`](Self::new) does, without
    /// moving what was begun: that is a third of the price of a short key.
    #[inline]
    #[must_use]
    pub const fn empty() -> Self {
        Self { inline: [0; INLINE], spilled: Vec::new(), len: 0, start: 0, opened: 0 }
    }

    /// Forgets what was written and begins a key as [`new`](Self::new) does.
    #[inline]
    pub fn begin(&mut self, before: &[u8]) {
        self.spilled.clear();
        (self.len, self.opened) = (0, 0);
        self.push(before);
        self.start = before.len();
    }

    /// Writes a part of text.
    #[inline]
    pub fn text(&mut self, part: &str) {
        self.part();
        if part.is_empty() {
            self.push(b"_v");
        } else {
            self.escape(part.as_bytes());
        }
    }

    /// Writes a part of an integer, in decimal.
    #[inline]
    pub fn unsigned(&mut self, part: u128) {
        self.part();
        self.digits(part);
    }

    /// Writes a part of an integer that may be negative, in decimal.
    #[inline]
    pub fn signed(&mut self, part: i128) {
        self.part();
        if part < 0 {
            self.push(b"-");
        }
        self.digits(part.unsigned_abs());
    }

    /// Writes a part of text as [`Display`](fmt::Display) gives it, without allocating.
    ///
    /// It is for types whose text is canonical, as a date's: equal values must give the same text, others another.
    pub fn display(&mut self, part: impl fmt::Display) {
        self.part();
        let before = self.len;
        // `Escape` itself never fails; a `Display` that does leaves what it has written so far.
        let _ = write!(Escape(self), "{part}");
        if self.len == before {
            self.push(b"_v");
        }
    }

    /// Writes the part that stands for `None`.
    pub fn none(&mut self) {
        self.mark(b"_n");
    }

    /// Writes what `inner` writes, marked where that could be taken for [`none`](Self::none).
    #[inline]
    pub fn some(&mut self, inner: impl FnOnce(&mut Self)) {
        self.opened += 1;
        inner(self);
        if self.opened > 0 {
            self.mark(b"");
        }
    }

    /// Writes the part that begins a sequence of `length` elements, which follow as parts of their own.
    pub fn sequence(&mut self, length: usize) {
        self.part();
        self.push(b"_l");
        self.digits(length as u128);
    }

    /// Writes the parts that `other` was given, as if they were written here.
    pub fn parts(&mut self, other: &Self) {
        let parts = &other.as_bytes()[other.start..];
        if parts.starts_with(b"_n") || parts.starts_with(b"_s") {
            self.mark(parts);
        } else if !parts.is_empty() {
            self.part();
            self.push(parts);
        }
    }

    /// What has been written, `before` included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.inline.get(..self.len).unwrap_or(&self.spilled)
    }

    /// Begins a part that cannot be taken for an option's mark.
    #[inline]
    fn part(&mut self) {
        self.opened = 0;
        self.separate();
    }

    /// Writes a part that is, or begins with, an option's mark; each `Some(` around it is then told by a mark of its
    /// own.
    fn mark(&mut self, part: &[u8]) {
        self.separate();
        for _ in 0..self.opened {
            self.push(b"_s");
        }
        self.opened = 0;
        self.push(part);
    }

    #[inline]
    fn separate(&mut self) {
        if self.len > self.start {
            self.push(b":");
        }
    }

    #[inline]
    fn digits(&mut self, number: u128) {
        let Ok(mut rest) = u64::try_from(number) else { return self.push(number.to_string().as_bytes()) };
        let end = self.len + rest.checked_ilog10().map_or(1, |log| log as usize + 1);
        // Written where they belong: copying digits that were just stored one by one stalls the processor.
        let Some(room) = self.inline.get_mut(self.len..end) else { return self.push(rest.to_string().as_bytes()) };
        for digit in room.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.len = end;
    }

    #[inline]
    fn escape(&mut self, text: &[u8]) {
        if are_plain(text) {
            self.push(text);
        } else {
            self.escape_each(text);
        }
    }

    fn escape_each(&mut self, mut rest: &[u8]) {
        while let Some(plain) = rest.iter().position(|&byte| !is_plain(byte)) {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            let byte = rest[plain];
            self.push(&rest[..plain]);
            self.push(&[b'_', digit(byte >> 4), digit(byte & 15)]);
            rest = &rest[plain + 1..];
        }
        self.push(rest);
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.inline.get_mut(self.len..end) {
            Some(room) => copy(bytes, room),
            None => self.spill(bytes),
        }
        self.len = end;
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        if let Some(all) = self.inline.get(..self.len)
            && self.spilled.is_empty()
        {
            self.spilled.extend_from_slice(all);
        }
        self.spilled.extend_from_slice(bytes);
    }
}

impl fmt::Debug for KeyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What has been written may identify a person.
        f.debug_struct("KeyWriter").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Whether `text` is written as it is.
#[inline]
pub(crate) fn are_plain(text: &[u8]) -> bool {
    // Without a branch in it this loop is vectorised, and most texts need no escape.
    text.iter().fold(true, |plain, &byte| plain & is_plain(byte))
}

#[inline]
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_digit() | (byte | 0x20).is_ascii_lowercase() | (byte == b'.') | (byte == b'-')
}

/// Copies up to 16 bytes, as most parts are, without calling `memcpy`: their two halves may overlap.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    fn halves<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return false };
        if from.len() > 2 * N {
            return false;
        }
        if let Some(start) = to.first_chunk_mut::<N>() {
            *start = *first;
        }
        if let Some(end) = to.last_chunk_mut::<N>() {
            *end = *last;
        }
        true
    }
    if !(halves::<8>(from, to) || halves::<4>(from, to) || halves::<2>(from, to) || halves::<1>(from, to)) {
        to.copy_from_slice(from);
    }
}

/// Escapes what is written through it.
struct Escape<'a>(&'a mut KeyWriter);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escape(text.as_bytes());
        Ok(())
    }
}
