//! LZ4: what is compressed comes back, what does not pay is left alone, and blocks that lie are refused.
#![cfg(feature = "lz4")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use cachekit_core::{Applied, EntryContext, ErrorCode, Format, Key, Transform, TransformKind};
use cachekit_serde::Lz4;
use proptest::prelude::*;

#[test]
fn what_is_compressed_comes_back() {
    assert_eq!(Lz4::default().kind(), TransformKind::Compression);
    for length in [1_024, 1_025, 5_000, 65_536, 70_000, 1 << 20] {
        for plain in [vec![0; length], text(length)] {
            let compressed = compressed(Lz4::new(), &plain).unwrap();
            assert!(compressed.len() < plain.len() * 88 / 100);
            assert_eq!(reversed(Lz4::new(), &compressed).unwrap(), plain);
        }
    }
}

#[test]
fn what_does_not_pay_is_left_as_it_was() {
    // Below the threshold, however well it would go.
    assert_eq!(compressed(Lz4::new(), &[0; 1_023]), None);
    assert!(compressed(Lz4::new().with_threshold(0), &[0; 1_023]).is_some());
    assert_eq!(compressed(Lz4::new().with_threshold(0), &[]), None);
    // Noise does not shrink.
    assert_eq!(compressed(Lz4::new(), &noise(100_000)), None);
    assert_eq!(compressed(Lz4::new().with_saving(0), &noise(100_000)), None);
    // Half of it does, by half.
    let mixed = [noise(50_000), vec![7; 50_000]].concat();
    let length = compressed(Lz4::new(), &mixed).unwrap().len();
    assert!((50_000..51_000).contains(&length), "{length}");
    assert!(compressed(Lz4::new().with_saving(49), &mixed).is_some());
    assert_eq!(compressed(Lz4::new().with_saving(50), &mixed), None);
    assert_eq!(compressed(Lz4::new().with_saving(100), &[0; 100_000]), None);
    assert_eq!(compressed(Lz4::new().with_saving(255), &[0; 100_000]), None);
}

#[test]
fn what_could_not_be_read_back_is_not_compressed() {
    assert_eq!(compressed(Lz4::new().with_max_size(9_999), &[0; 10_000]), None);
    assert!(compressed(Lz4::new().with_max_size(10_000), &[0; 10_000]).is_some());
    assert_eq!(compressed(Lz4::new().with_max_ratio(10), &[0; 10_000]), None);
    assert!(compressed(Lz4::new().with_max_ratio(10), &text(10_000)).is_some());
    assert_eq!(compressed(Lz4::new().with_max_ratio(0), &[0; 10_000]), None, "0 means 1");
    // The densest block there is.
    let zeros = vec![0; 16 << 20];
    assert_eq!(reversed(Lz4::new(), &compressed(Lz4::new(), &zeros).unwrap()).unwrap(), zeros);
}

#[test]
fn lengths_are_bounded_before_anything_is_allocated() {
    let block = compressed(Lz4::new(), &[0; 10_000]).unwrap()[4..].to_vec();
    let announcing = |length: u32| [&length.to_be_bytes()[..], &block].concat();
    refused(Lz4::new(), &announcing(u32::MAX), "at most");
    refused(Lz4::new(), &announcing(255 * u32::try_from(block.len()).unwrap() + 1), "at most");
    refused(Lz4::new().with_max_size(9_999), &announcing(10_000), "at most 9999 bytes");
    refused(Lz4::new().with_max_ratio(100), &announcing(10_000), "at most");
    refused(Lz4::new(), &announcing(10_001), "10001 bytes as announced, got 10000");
    refused(Lz4::new(), &announcing(9_999), "does not give the 9999");
    refused(Lz4::new(), &announcing(0), "does not give the 0");
    refused(Lz4::new(), &[], "0 bytes are too few");
    refused(Lz4::new(), &[0, 0, 0], "3 bytes are too few");
    refused(Lz4::new(), &[0, 0, 0, 0], "does not give");
    refused(Lz4::new(), &[0, 0, 0, 1], "at most 0 bytes");
}

#[test]
fn cut_and_flipped_blocks_are_refused_or_some_bytes() {
    let whole = compressed(Lz4::new(), &text(2_000)).unwrap();
    for cut in 0..whole.len() {
        refused(Lz4::new(), &whole[..cut], "");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match reversed(Lz4::new(), &flipped) {
            Ok(plain) => assert_eq!(plain.len(), 2_000, "as long as announced"),
            Err(code) => assert_eq!(code, ErrorCode::E021),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_come_back(plain in prop::collection::vec(0..4_u8, 0..3_000)) {
        let lz4 = Lz4::new().with_threshold(0).with_saving(0);
        if let Some(compressed) = compressed(lz4, &plain) {
            prop_assert_eq!(reversed(lz4, &compressed).unwrap(), plain);
        }
    }

    #[test]
    fn any_block_is_refused_or_bytes(length in 0..10_000_u32, block in prop::collection::vec(any::<u8>(), 0..200)) {
        let entry = [&length.to_be_bytes()[..], &block].concat();
        match reversed(Lz4::new(), &entry) {
            Ok(plain) => prop_assert_eq!(plain.len(), length as usize),
            Err(code) => prop_assert_eq!(code, ErrorCode::E021),
        }
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: u32| format!("{{\"id\":{n},\"name\":\"user {}\"}},", n * 7 % 1_000).into_bytes())
        .take(length)
        .collect()
}

fn noise(length: usize) -> Vec<u8> {
    let next =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    std::iter::successors(Some(1_u64), next).map(|state| state.to_be_bytes()[0]).take(length).collect()
}

fn compressed(lz4: Lz4, plain: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = plain.to_vec();
    match in_context(|context| lz4.apply(context, &mut bytes)).unwrap() {
        Applied::Yes => Some(bytes),
        Applied::Declined => {
            assert_eq!(bytes, plain);
            None
        }
    }
}

fn reversed(lz4: Lz4, compressed: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    let mut bytes = compressed.to_vec();
    match in_context(|context| lz4.reverse(context, &mut bytes)) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            assert!(bytes.is_empty(), "nothing is left behind");
            Err(error.code())
        }
    }
}

fn refused(lz4: Lz4, compressed: &[u8], expected: &str) {
    let error = in_context(|context| lz4.reverse(context, &mut compressed.to_vec())).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E021);
    assert!(error.message().contains(expected), "{error}");
}

fn in_context<T>(act: impl FnOnce(&EntryContext<'_>) -> T) -> T {
    let key = Key::new("users:42").unwrap();
    act(&EntryContext::new(&key, None, Format::JSON, b""))
}
