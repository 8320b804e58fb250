//! The interop layout: the document and nothing else, sealed or not.

use std::time::Duration;

use bytes::Bytes;

use super::{Ages, Codec, Decoded, TYPICAL, shirked};
use crate::engine::epoch::Epoch;
use crate::{Applied, Entry, EntryContext, Error, ErrorCode, Key, Layout, Result};

impl<T: 'static> Codec<T> {
    /// The entry of `value`: how long it lives is told to the backend alone.
    ///
    /// E020 for a value that the format cannot hold or that it writes as it writes none, E022 for one that is too large,
    /// and what the transforms report.
    pub(super) fn encode_interop(&self, key: &Key, value: Option<&T>) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(TYPICAL);
        match value {
            Some(value) => {
                self.serializer.serialize(value, &mut bytes)?;
                self.check_value(&bytes)?;
            }
            // Was there when the namespace was opened.
            None => bytes.extend_from_slice(self.serializer.absent().unwrap_or_default()),
        }
        for transform in &self.transforms {
            if let Applied::Declined = transform.apply(&self.context(key), &mut bytes)? {
                return Err(shirked());
            }
        }
        self.check_size(bytes.len())?;
        Ok(Bytes::from(bytes))
    }

    /// What `entry` is. Its age is not known, and what is left of its life only as far as the backend tells.
    pub(super) fn decode_interop(&self, key: &Key, entry: &Entry, epoch: &Epoch) -> Result<Decoded<T>> {
        if entry.stale || !epoch.believes_undated() {
            return Ok(Decoded::Ended);
        }
        let ages = Ages { age: Duration::ZERO, fresh: entry.remaining, kept: entry.remaining };
        if self.transforms.is_empty() {
            return Ok(Decoded::Live(self.read(&entry.value)?, ages));
        }
        let mut document = entry.value.to_vec();
        for transform in self.transforms.iter().rev() {
            transform.reverse(&self.context(key), &mut document)?;
        }
        Ok(Decoded::Live(self.read(&document)?, ages))
    }

    /// Refuses the document of a value that would come back as none.
    pub(super) fn check_value(&self, document: &[u8]) -> Result<()> {
        if self.layout == Layout::Interop && self.serializer.absent() == Some(document) {
            let expected = "a value that is not written as the document for no value, in the interop layout";
            return Err(Error::invalid(ErrorCode::E020, self.format().name, expected, "one that is"));
        }
        Ok(())
    }

    fn read(&self, document: &[u8]) -> Result<Option<T>> {
        if self.serializer.absent() == Some(document) {
            return Ok(None);
        }
        self.serializer.deserialize(document).map(Some)
    }

    fn context<'a>(&self, key: &'a Key) -> EntryContext<'a> {
        EntryContext::new(key, None, self.format(), &[])
    }
}
