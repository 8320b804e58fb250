//! LZ4: any bytes give as many bytes as they announce, or E021; what is compressed comes back.
#![no_main]

use cachekit_core::{Applied, EntryContext, ErrorCode, Format, Key, Transform};
use cachekit_serde::Lz4;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = Key::new("users:42").expect("a valid key");
    let context = EntryContext::new(&key, None, Format::JSON, b"");
    let bounded = Lz4::new().with_max_size(1 << 20).with_threshold(0).with_saving(0);
    let mut plain = bytes.to_vec();
    match bounded.reverse(&context, &mut plain) {
        Ok(()) => assert_eq!(plain.len(), u32::from_be_bytes(*bytes.first_chunk().expect("a length")) as usize),
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::E021);
            assert!(plain.is_empty());
        }
    }
    let mut compressed = bytes.to_vec();
    if bounded.apply(&context, &mut compressed).expect("never fails") == Applied::Yes {
        assert!(compressed.len() < bytes.len());
        bounded.reverse(&context, &mut compressed).expect("what was compressed can be read");
    }
    assert_eq!(compressed, bytes);
});
