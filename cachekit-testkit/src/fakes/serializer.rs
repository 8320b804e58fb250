//! [`FakeSerializer`]: a serializer that fails on cue.

use cachekit_core::{Format, Result, Serializer};

use super::Cue;

/// A serializer over another, which fails on cue. Clones share the cues.
///
/// ```
/// use cachekit_core::{ErrorCode, Serializer};
/// use cachekit_serde::MessagePack;
/// use cachekit_testkit::fakes::FakeSerializer;
///
/// let fake = FakeSerializer::over(MessagePack);
/// fake.on_serialize().fail(ErrorCode::E020);
/// assert_eq!(fake.serialize(&7_u8, &mut Vec::new()).unwrap_err().code(), ErrorCode::E020);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeSerializer<S> {
    inner: S,
    serialize: Cue,
    deserialize: Cue,
}

impl<S> FakeSerializer<S> {
    /// The format of `inner`.
    #[must_use]
    pub fn over(inner: S) -> Self {
        Self { inner, serialize: Cue::default(), deserialize: Cue::default() }
    }

    /// The cue of [`Serializer::serialize`]. When it fails, half of a document was written already: whoever calls has to throw it away.
    #[must_use]
    pub fn on_serialize(&self) -> &Cue {
        &self.serialize
    }

    /// The cue of [`Serializer::deserialize`].
    #[must_use]
    pub fn on_deserialize(&self) -> &Cue {
        &self.deserialize
    }
}

impl<T, S: Serializer<T>> Serializer<T> for FakeSerializer<S> {
    fn format(&self) -> Format {
        self.inner.format()
    }

    fn serialize(&self, value: &T, bytes: &mut Vec<u8>) -> Result<()> {
        let before = bytes.len();
        let done = self.inner.serialize(value, bytes);
        if let Err(error) = self.serialize.check("serialize") {
            bytes.truncate(before + (bytes.len() - before) / 2);
            return Err(error);
        }
        done
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T> {
        self.deserialize.check("deserialize")?;
        self.inner.deserialize(bytes)
    }

    fn absent(&self) -> Option<&'static [u8]> {
        self.inner.absent()
    }
}
