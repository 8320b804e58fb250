//! What the engine's tests share: a format without dependencies, and caches over it.
#![allow(dead_code, reason = "each test file uses its part")]

use cachekit_core::{Error, ErrorCode, Format, Result, Serializer};

/// Text as its UTF-8 bytes; numbers as their decimal text.
#[derive(Debug, Default)]
pub struct Text;

impl Serializer<String> for Text {
    fn format(&self) -> Format {
        Format::new(200, "text")
    }

    fn serialize(&self, value: &String, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<String> {
        String::from_utf8(bytes.to_vec())
            .map_err(|error| Error::new(ErrorCode::E021, "text: not UTF-8").with_source(error))
    }
}

impl Serializer<u64> for Text {
    fn format(&self) -> Format {
        Format::new(201, "decimal")
    }

    fn serialize(&self, value: &u64, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<u64> {
        let text = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        text.ok_or_else(|| Error::new(ErrorCode::E021, "decimal: not a number"))
    }
}
