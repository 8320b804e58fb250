//! The native layout: any bytes are refused or read, and what is read is written back as it was.
#![no_main]

use cachekit_core::Key;
use cachekit_core::entry::{Header, Protection};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = Key::new("users:42").expect("a valid key");
    check(bytes, &key);
    // Once more with check and checksum made right, or the fuzzer would have to guess 64 bits to get past them.
    let mut made = bytes.to_vec();
    if made.len() >= 9 {
        made[..3].copy_from_slice(b"\xc1ck");
        made[8] = !made[..8].iter().fold(0, |sum, byte| sum ^ byte);
    }
    let seed = xxhash(key.as_str().as_bytes(), 0);
    let sum = xxhash(&made, seed);
    made.extend_from_slice(&sum.to_be_bytes());
    check(&made, &key);
});

fn xxhash(bytes: &[u8], seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed)
}

fn check(bytes: &[u8], key: &Key) {
    let Ok(view) = Header::decode(bytes, key) else { return };
    assert!(view.header_bytes.len() + view.payload.len() <= bytes.len());
    assert!(bytes.starts_with(view.header_bytes));
    let again = view.header.encode(key, view.payload);
    let read = Header::decode(&again, key).expect("what was read can be written and read again");
    assert_eq!((&read.header, read.payload), (&view.header, view.payload));
    // Without fields and flags of later releases the bytes are the same, too.
    if view.header_bytes[5] == 0 && view.header_bytes.len() == view.header.to_bytes().len() {
        assert_eq!(&again[..], bytes);
    }
    if view.header.protection == Protection::Checksum {
        let other = Key::new("users:43").expect("a valid key");
        assert!(Header::decode(bytes, &other).is_err(), "a moved entry was read");
    }
}
