//! The native entry layout: golden bytes, round trips, and everything that has to be refused.
#![cfg(feature = "engine")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use cachekit_core::entry::{Content, EntryView, Header, Look, Protection, Undecodable};
use cachekit_core::{Error, ErrorCode, Key, UnixTime};
use proptest::prelude::*;

/// Pinned for ever: entries with these bytes are in caches. A change here is a change of the layout, and means that
/// every cache in the field starts empty.
#[test]
fn golden_bytes() {
    let fingerprint = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
    let mut full = document();
    full.schema = Some(0x0102_0304_0506_0708);
    full.version = 3;
    full.fresh_until = Some(millis(1_790_000_060_000));
    full.epoch = 9;
    let mut absent = document();
    absent.content = Content::Absent;
    let mut encrypted = document();
    encrypted.content = Content::Compressed;
    encrypted.protection = Protection::Encrypted { fingerprint: Some(fingerprint) };
    let mut never = Header::new(200, millis(0));
    never.protection = Protection::Encrypted { fingerprint: None };

    let cases: [(&str, &Header, &[u8], &str); 5] = [
        ("document", &document(), b"\x2a", GOLDEN_DOCUMENT),
        ("full", &full, b"payload", GOLDEN_FULL),
        ("absent", &absent, b"", GOLDEN_ABSENT),
        ("encrypted", &encrypted, b"sealed", GOLDEN_ENCRYPTED),
        ("never", &never, b"", GOLDEN_NEVER),
    ];
    for (name, header, payload, golden) in cases {
        let golden = unhex(golden);
        assert_eq!(hex(&header.encode(&key(), payload)), hex(&golden), "{name}: encoded");
        let view = Header::decode(&golden, &key()).unwrap();
        assert_eq!((&view.header, view.payload), (header, payload), "{name}: decoded");
        assert_eq!(view.header_bytes, &*header.to_bytes(), "{name}: authenticated");
        assert_eq!(header.overhead() + payload.len(), golden.len(), "{name}: overhead");
    }
}

#[test]
fn the_documented_example_is_true() {
    let text = include_str!("../../docs/entry-layout.md");
    let block = text.split("```hex\n").nth(1).unwrap().split("```").next().unwrap();
    let bytes: String = block.lines().filter_map(|line| line.split(" | ").next()).collect();
    assert_eq!(hex(&unhex(&bytes)), hex(&document().encode(&key(), b"\x2a")));
}

#[test]
fn plain_entries_cost_48_bytes() {
    assert_eq!(document().overhead(), 48);
}

#[test]
fn encoding_in_place_makes_the_same_bytes() {
    let in_place = document().encode_with(&key(), 0, |bytes| {
        bytes.extend_from_slice(b"payload");
        Ok(())
    });
    assert_eq!(in_place.unwrap(), document().encode(&key(), b"payload"));

    let refused = document().encode_with(&key(), 0, |_| Err(Error::new(ErrorCode::E020, "no")));
    assert_eq!(refused.unwrap_err().code(), ErrorCode::E020);
    let spoiled = document().encode_with(&key(), 0, |bytes| {
        bytes.clear();
        Ok(())
    });
    assert_eq!(spoiled.unwrap_err().code(), ErrorCode::E020);
}

#[test]
fn every_truncation_is_refused() {
    for entry in specimens() {
        for cut in 0..entry.len() {
            let refused = Header::decode(&entry[..cut], &key()).unwrap_err();
            assert!(!refused.is_newer(), "cut at {cut}: {refused}");
        }
    }
}

#[test]
fn an_encrypted_header_is_refused_when_cut() {
    for fingerprint in [None, Some([7; 16])] {
        let header = encrypted(fingerprint);
        let entry = header.encode(&key(), b"");
        for cut in 0..entry.len() {
            Header::decode(&entry[..cut], &key()).unwrap_err();
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for entry in specimens() {
        for bit in 0..entry.len() * 8 {
            let refused = Header::decode(&flip(&entry, bit), &key()).unwrap_err();
            assert!(!refused.is_newer(), "bit {bit}: damage is not a later release: {refused}");
        }
    }
}

/// The cipher decides about these; no flip may change what is authenticated without changing the bytes that it sees,
/// nor turn an encrypted entry into a plain one.
#[test]
fn every_flipped_bit_of_an_encrypted_entry_is_seen_by_the_cipher() {
    for fingerprint in [None, Some([7; 16])] {
        let entry = encrypted(fingerprint).encode(&key(), b"sealed payload");
        let whole = Header::decode(&entry, &key()).unwrap();
        for bit in 0..entry.len() * 8 {
            let flipped = flip(&entry, bit);
            if let Ok(view) = Header::decode(&flipped, &key()) {
                assert!(matches!(view.header.protection, Protection::Encrypted { .. }), "bit {bit}");
                assert_ne!((view.header_bytes, view.payload), (whole.header_bytes, whole.payload), "bit {bit}");
                assert_eq!(view.header_bytes.len(), whole.header_bytes.len(), "bit {bit}");
            }
        }
    }
}

#[test]
fn an_entry_moved_to_another_key_is_refused() {
    let other = Key::new("users:43").unwrap();
    for entry in specimens() {
        let refused = Header::decode(&entry, &other).unwrap_err();
        assert!(matches!(refused, Undecodable::Corrupt { .. }), "{refused}");
        let error = Error::from(refused);
        assert_eq!(error.code(), ErrorCode::E021);
        assert!(error.message().contains("another key"), "{error}");
    }
}

#[test]
fn later_versions_and_unknown_required_flags_are_newer() {
    for version in 2..=255 {
        let entry = with_prologue(|bytes| bytes[3] = version);
        assert_eq!(Header::decode(&entry, &key()), Err(Undecodable::Newer { version, flags: 0 }));
        // Only the first nine bytes are fixed for all versions: whatever follows, it is not ours to judge.
        assert_eq!(Header::decode(&entry[..9], &key()), Err(Undecodable::Newer { version, flags: 0 }));
    }
    for bit in 5..8 {
        let entry = with_prologue(|bytes| bytes[4] |= 1 << bit);
        assert_eq!(Header::decode(&entry, &key()), Err(Undecodable::Newer { version: 1, flags: 1 << bit }));
    }
}

#[test]
fn unknown_optional_flags_and_longer_headers_are_read() {
    for protection in [Protection::Checksum, Protection::Encrypted { fingerprint: Some([7; 16]) }] {
        let mut header = document();
        header.protection = protection;
        header.schema = Some(5);
        for extra in [0_usize, 1, 7, 300, 60_000] {
            let mut bytes = header.to_bytes().to_vec();
            bytes[5] = 0b1010_0101;
            bytes.resize(bytes.len() + extra, 0xee);
            let len = u16::try_from(bytes.len()).unwrap();
            bytes[6..8].copy_from_slice(&len.to_be_bytes());
            bytes[8] = check(&bytes);
            let authenticated = bytes.clone();
            bytes.extend_from_slice(b"payload");
            let entry = if protection == Protection::Checksum { sum(bytes, &key()) } else { bytes };
            let view = Header::decode(&entry, &key()).unwrap();
            assert_eq!((&view.header, view.payload), (&header, &b"payload"[..]), "{extra} more bytes");
            assert_eq!(view.header_bytes, authenticated, "fields of later releases are authenticated too");
        }
    }
}

#[test]
fn impossible_headers_are_refused_where_they_are() {
    type Change = fn(&mut Vec<u8>);
    let damage: [(&str, usize, Change); 7] = [
        ("version zero", 3, |bytes| bytes[3] = 0),
        ("compressed and absent", 4, |bytes| bytes[4] = 0b110),
        ("fingerprint without encryption", 4, |bytes| bytes[4] = 0b1_0000),
        ("header shorter than its fields", 6, |bytes| bytes[7] = 39),
        ("header shorter than its schema", 6, |bytes| bytes[4] = 0b1000),
        ("created never", 14, |bytes| bytes[14..20].fill(0xff)),
        ("fresh after its end", 20, |bytes| bytes[20..26].copy_from_slice(&[0xff, 0, 0, 0, 0, 0])),
    ];
    for (name, at, change) in damage {
        let entry = with_prologue(change);
        match Header::decode(&entry, &key()) {
            Err(Undecodable::Corrupt { offset, .. }) => assert_eq!(offset, at, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    // 65,535 bytes of header in an entry of 49: nothing is allocated for them, and the entry is found to be short.
    let entry = with_prologue(|bytes| bytes[6..8].fill(0xff));
    assert!(
        matches!(Header::decode(&entry, &key()), Err(Undecodable::Corrupt { offset, .. }) if offset == entry.len())
    );

    let mut absent = document();
    absent.content = Content::Absent;
    let entry = absent.encode(&key(), b"something");
    assert!(matches!(Header::decode(&entry, &key()), Err(Undecodable::Corrupt { offset: 40, .. })));
}

#[test]
fn other_makes_are_named() {
    let cases: [(&[u8], Look); 9] = [
        (b"", Look::Empty),
        (b"CK\x03\x00\x00\x00\x02{}", Look::PythonFrame),
        (b"{\"id\":1}", Look::Json),
        (b"\x81\xa2id\x01", Look::MessagePack),
        (b"\x94\xc4\x01\x00", Look::MessagePack),
        (b"\xff\xff\xff\xff\x10\0\0\0", Look::Arrow),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", Look::Unknown),
        (b"\xc1cx\x01\0\0\0\x28\0\0", Look::Unknown),
        (b"\xc1x", Look::Unknown),
    ];
    for (bytes, look) in cases {
        let refused = Header::decode(bytes, &key()).unwrap_err();
        assert_eq!(refused, Undecodable::Foreign(look), "{bytes:02x?}");
        assert!(!refused.is_newer());
        let error = Error::from(refused);
        assert_eq!(error.code(), ErrorCode::E021);
        assert!(error.message().contains(&look.to_string()), "{error}");
    }
    assert!(matches!(Header::decode(b"\xc1ck\x01", &key()), Err(Undecodable::Corrupt { offset: 4, .. })));
}

#[test]
fn freshness_and_life_end_at_their_millisecond() {
    let mut header = document();
    header.fresh_until = Some(millis(100));
    header.expires = Some(millis(200));
    let states = [99, 100, 199, 200].map(|now| (header.is_fresh(millis(now)), header.is_live(millis(now))));
    assert_eq!(states, [(true, true), (false, true), (false, true), (false, false)]);
    header.fresh_until = None;
    let states = [199, 200].map(|now| header.is_fresh(millis(now)));
    assert_eq!(states, [true, false], "without an end of its own, freshness ends with life");
    header.expires = None;
    assert!(header.is_fresh(millis(u64::MAX)));
}

#[test]
fn times_beyond_the_field_are_stored_as_documented() {
    let mut header = Header::new(1, millis(u64::MAX));
    header.fresh_until = Some(millis(u64::MAX));
    header.expires = Some(millis(u64::MAX));
    let entry = header.encode(&key(), b"");
    let read = Header::decode(&entry, &key()).unwrap().header;
    assert_eq!((read.fresh_until, read.expires), (None, None));
    assert_eq!(read.created, millis((1 << 48) - 2));

    for fresh_until in [6, u64::MAX] {
        header.fresh_until = Some(millis(fresh_until));
        header.expires = Some(millis(5));
        let entry = header.encode(&key(), b"");
        let read = Header::decode(&entry, &key()).unwrap().header;
        assert_eq!(
            [4, 5].map(|now| read.is_fresh(millis(now))),
            [true, false],
            "freshness ends with life at the latest"
        );
    }
}

#[test]
fn debug_shows_no_payload() {
    let entry = document().encode(&key(), b"secret");
    let text = format!("{:?}", Header::decode(&entry, &key()).unwrap());
    assert!(!text.contains("secret") && !text.contains(&format!("{:?}", b"secret")[1..10]), "{text}");
}

proptest! {
    #[test]
    fn any_header_and_payload_come_back(header in any_header(), key in any_key(), payload in any_payload()) {
        let payload = if header.content == Content::Absent && header.protection == Protection::Checksum {
            Vec::new()
        } else {
            payload
        };
        let entry = header.encode(&key, &payload);
        let expected = EntryView::clone(&Header::decode(&entry, &key).unwrap());
        prop_assert_eq!(&expected.header, &header);
        prop_assert_eq!(expected.payload, &payload[..]);
        let in_place = header.encode_with(&key, payload.len(), |bytes| {
            bytes.extend_from_slice(&payload);
            Ok(())
        });
        prop_assert_eq!(in_place.unwrap(), entry);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Header::decode(&bytes, &key()).is_err());
    }

    /// Bytes that pass the prologue and the checksum, so that the fields themselves are met with nonsense.
    #[test]
    fn any_fields_are_read_or_refused(flags in 0_u8..32, extra in 0_u16..40, rest in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut bytes = vec![0xc1, b'c', b'k', 1, flags, 0];
        bytes.extend_from_slice(&(40 + extra).to_be_bytes());
        bytes.push(check(&bytes));
        bytes.extend_from_slice(&rest);
        let entry = if flags & 1 == 0 { sum(bytes, &key()) } else { bytes };
        if let Ok(view) = Header::decode(&entry, &key()) {
            let again = view.header.encode(&key(), view.payload);
            prop_assert_eq!(Header::decode(&again, &key()).unwrap().header, view.header);
        }
    }
}

fn any_header() -> impl Strategy<Value = Header> {
    let protection = prop_oneof![
        Just(Protection::Checksum),
        any::<Option<[u8; 16]>>().prop_map(|fingerprint| Protection::Encrypted { fingerprint }),
    ];
    let content = prop_oneof![Just(Content::Document), Just(Content::Compressed), Just(Content::Absent)];
    let time = || 0_u64..(1 << 48) - 1;
    let ends = (prop::option::of(time()), prop::option::of(time()));
    (content, protection, any::<u8>(), any::<Option<u64>>(), any::<u32>(), time(), ends, any::<u64>()).prop_map(
        |(content, protection, format, schema, version, created, (fresh, expires), epoch)| {
            let mut header = Header::new(format, millis(created));
            header.content = content;
            header.protection = protection;
            header.schema = schema;
            header.version = version;
            header.fresh_until = fresh.map(|fresh| millis(expires.map_or(fresh, |end| fresh.min(end))));
            header.expires = expires.map(millis);
            header.epoch = epoch;
            header
        },
    )
}

fn any_key() -> impl Strategy<Value = Key> {
    "[A-Za-z0-9_.:-]{1,240}x".prop_map(|text| Key::new(&text).unwrap())
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    // Across 240 bytes, where the hash changes its method.
    prop_oneof![prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 180..700)]
}

/// Plain entries of different shapes.
fn specimens() -> Vec<Vec<u8>> {
    let mut full = document();
    full.schema = Some(77);
    full.version = 3;
    full.fresh_until = Some(millis(1_790_000_001_000));
    full.epoch = u64::MAX;
    let mut absent = document();
    absent.content = Content::Absent;
    let mut compressed = Header::new(2, millis(1));
    compressed.content = Content::Compressed;
    vec![
        document().encode(&key(), b"\x2a").to_vec(),
        full.encode(&key(), &[0; 300]).to_vec(),
        absent.encode(&key(), b"").to_vec(),
        compressed.encode(&key(), b"not really").to_vec(),
    ]
}

fn document() -> Header {
    let mut header = Header::new(1, millis(1_790_000_000_000));
    header.expires = Some(millis(1_790_000_300_000));
    header
}

fn encrypted(fingerprint: Option<[u8; 16]>) -> Header {
    let mut header = document();
    header.protection = Protection::Encrypted { fingerprint };
    header
}

/// A document whose header was changed, with its check and checksum made right again.
fn with_prologue(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = document().to_bytes().to_vec();
    change(&mut bytes);
    bytes[8] = check(&bytes);
    bytes.push(0x2a);
    sum(bytes, &key())
}

fn check(bytes: &[u8]) -> u8 {
    !bytes[..8].iter().fold(0, |sum, byte| sum ^ byte)
}

/// Appends the checksum, written here once more from the document.
fn sum(mut bytes: Vec<u8>, key: &Key) -> Vec<u8> {
    let seed = xxhash_rust::xxh3::xxh3_64(key.as_str().as_bytes());
    let checksum = xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

fn flip(entry: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = entry.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

fn key() -> Key {
    Key::new("users:42").unwrap()
}

fn millis(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const GOLDEN_DOCUMENT: &str = "c1636b01000000281f010000000001a0c4506c00ffffffffffff01a0c454ffe000000000000000002aac21b57d12f3b7 \
    f8";
const GOLDEN_FULL: &str = "c1636b01080000300f010000000301a0c4506c0001a0c451566001a0c454ffe000000000000000090102030405060708 \
    7061796c6f6164caaf232fe6381d56";
const GOLDEN_ABSENT: &str =
    "c1636b01040000281b010000000001a0c4506c00ffffffffffff01a0c454ffe0000000000000000026bb656d6f74aa3a";
const GOLDEN_ENCRYPTED: &str = "c1636b01130000381c010000000001a0c4506c00ffffffffffff01a0c454ffe000000000000000000011223344556677 \
    8899aabbccddeeff7365616c6564";
const GOLDEN_NEVER: &str = "c1636b01010000281ec800000000000000000000ffffffffffffffffffffffff0000000000000000";
