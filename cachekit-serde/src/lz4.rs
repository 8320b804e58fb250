//! [`Lz4`]: compression of what the serializers write.

use std::ops::RangeInclusive;

use cachekit_core::{Applied, EntryContext, Error, ErrorCode, Result, Transform, TransformKind};

/// Compresses entries with LZ4, where that pays.
///
/// ```
/// use cachekit_core::{Applied, EntryContext, Format, Key, Transform};
/// use cachekit_serde::Lz4;
///
/// let key = Key::new("users:42")?;
/// let context = EntryContext::new(&key, None, Format::JSON, b"");
/// let mut bytes = br#"{"name":"Ada"},"#.repeat(1_000);
/// assert_eq!(Lz4::new().apply(&context, &mut bytes)?, Applied::Yes);
/// assert!(bytes.len() < 200);
/// Lz4::new().reverse(&context, &mut bytes)?;
/// assert_eq!(bytes.len(), 15_000);
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// # When it pays
/// Documents below [1 KiB](Self::with_threshold) are left as they are: there compressing costs more time than the bytes
/// it saves, and often makes them longer. So are those of which it saves less than [an eighth](Self::with_saving), and
/// those that it could not read back within its own bounds. What was left as it was bears no mark and costs nothing to
/// read.
///
/// # Bounds
/// An entry says how long it becomes. That is believed only up to [64 MiB](Self::with_max_size), and up to [255 times
/// its own length](Self::with_max_ratio), which no true block exceeds; both are checked before anything is allocated.
/// Then exactly so many bytes are allocated, and have to be filled exactly.
///
/// # Bytes
/// The length of what was compressed, 4 bytes big-endian, then one LZ4 block.
///
/// # Errors
/// Applying never fails. Reversing gives E021 for what is cut, altered or beyond the bounds, and then leaves `bytes`
/// empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lz4 {
    threshold: usize,
    /// In percent.
    saving: u8,
    max_size: u32,
    max_ratio: u8,
}

impl Lz4 {
    /// Compression with the bounds that are given above.
    #[must_use]
    pub const fn new() -> Self {
        Self { threshold: 1_024, saving: 12, max_size: 64 << 20, max_ratio: 255 }
    }

    /// From how many bytes on a document is compressed. 1,024 if not set.
    #[must_use]
    pub const fn with_threshold(self, bytes: usize) -> Self {
        Self { threshold: bytes, ..self }
    }

    /// How many percent of its length a document has to lose to be stored compressed. 12 if not set; more than 100
    /// means 100, with which nothing is compressed any more.
    #[must_use]
    pub const fn with_saving(self, percent: u8) -> Self {
        Self { saving: if percent > 100 { 100 } else { percent }, ..self }
    }

    /// How many bytes an entry may have before it is compressed, and so after it was read. 64 MiB if not set. Longer
    /// ones are stored uncompressed; readers that share entries should have the same bound.
    #[must_use]
    pub const fn with_max_size(self, bytes: u32) -> Self {
        Self { max_size: bytes, ..self }
    }

    /// How many times longer than its block a document may be. 255 if not set; 0 means 1.
    #[must_use]
    pub const fn with_max_ratio(self, ratio: u8) -> Self {
        Self { max_ratio: if ratio == 0 { 1 } else { ratio }, ..self }
    }

    /// How long a block of `length` bytes may become.
    fn sizes(&self, length: usize) -> RangeInclusive<usize> {
        0..=length.saturating_mul(self.max_ratio.into()).min(self.max_size as usize)
    }

    /// How many bytes `plain` may take at most when it is compressed.
    fn worthwhile(&self, plain: usize) -> usize {
        // Without overflow: of each hundred so many, and of the rest.
        let kept = usize::from(100 - self.saving);
        plain / 100 * kept + plain % 100 * kept / 100
    }
}

impl Default for Lz4 {
    fn default() -> Self {
        Self::new()
    }
}

impl Transform for Lz4 {
    fn kind(&self) -> TransformKind {
        TransformKind::Compression
    }

    fn apply(&self, _: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<Applied> {
        let Ok(length) = u32::try_from(bytes.len()) else { return Ok(Applied::Declined) };
        if bytes.len() < self.threshold || length > self.max_size {
            return Ok(Applied::Declined);
        }
        let mut compressed = lz4_flex::block::compress_prepend_size(bytes);
        let block = compressed.len() - PREFIX;
        let pays = compressed.len() < bytes.len() && compressed.len() <= self.worthwhile(bytes.len());
        if !pays || !self.sizes(block).contains(&bytes.len()) {
            return Ok(Applied::Declined);
        }
        // The crate writes the length in the other order.
        compressed[..PREFIX].copy_from_slice(&length.to_be_bytes());
        *bytes = compressed;
        Ok(Applied::Yes)
    }

    fn reverse(&self, _: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        let compressed = std::mem::take(bytes);
        let Some((length, block)) = compressed.split_first_chunk::<PREFIX>() else {
            return Err(Error::new(
                ErrorCode::E021,
                format!("LZ4: {} bytes are too few for a length", compressed.len()),
            ));
        };
        let length = u32::from_be_bytes(*length) as usize;
        let sizes = self.sizes(block.len());
        if !sizes.contains(&length) {
            let expected = format_args!("at most {} bytes of a block of {}", sizes.end(), block.len());
            return Err(Error::invalid(ErrorCode::E021, "LZ4", expected, format_args!("{length} bytes announced")));
        }
        let mut plain = vec![0; length];
        match lz4_flex::block::decompress_into(block, &mut plain) {
            Ok(filled) if filled == length => {
                *bytes = plain;
                Ok(())
            }
            Ok(filled) => Err(Error::invalid(
                ErrorCode::E021,
                "LZ4",
                format_args!("{length} bytes as announced"),
                format_args!("{filled}"),
            )),
            Err(_) => Err(Error::new(
                ErrorCode::E021,
                format!("LZ4: a block of {} bytes that does not give the {length} it announces", block.len()),
            )),
        }
    }
}

/// How many bytes the length takes.
const PREFIX: usize = 4;
