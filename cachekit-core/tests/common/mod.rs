//! What the engine's tests share: a format without dependencies, and caches over it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

pub mod by_hand;
pub mod lock;
pub mod scripted;

use cachekit_core::{Entropy, Error, ErrorCode, Format, Result, Serializer};

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

/// Numbers that look random and come from a seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Randomness from a seed.
#[derive(Debug)]
pub struct Seeded(std::sync::Mutex<Dice>);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(std::sync::Mutex::new(Dice::new(seed)))
    }
}

impl Entropy for Seeded {
    fn next(&self) -> u64 {
        self.0.lock().unwrap().next()
    }
}
