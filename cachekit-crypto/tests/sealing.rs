//! What was altered, moved or sealed with another key does not open; what was not, does, also while keys rotate.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cachekit_core::entry::{Header, Protection};
use cachekit_core::{
    Applied, EntryContext, Error, ErrorCode, Format, Key, KeyRing, MasterKey, Result, Transform, TransformKind,
    UnixTime,
};
use cachekit_crypto::{Encryption, Keys};
use cachekit_testkit::fakes::FakeKeyProvider;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn what_was_sealed_opens_with_its_length_known() {
    let encryption = keys(&[1]).encryption();
    assert_eq!(encryption.kind(), TransformKind::Encryption);
    for length in [0, 1, 15, 16, 17, 1_000, 1 << 20] {
        let text = vec![0x5a; length];
        let sealed = seal(&encryption, &place(), &text);
        assert_eq!(sealed.len(), length + 77);
        assert_eq!(open(&encryption, &place(), &sealed).unwrap(), text);
    }
}

/// By a program in Python, from what the documentation says. The fuzz target begins with the same bytes.
#[test]
fn what_another_program_sealed_opens() {
    let seeds: [(&[u8], u8, Option<&str>); 3] = [
        (include_bytes!("../../fuzz/seeds/ciphertext/current"), 7, None),
        (include_bytes!("../../fuzz/seeds/ciphertext/previous"), 8, None),
        (include_bytes!("../../fuzz/seeds/ciphertext/tenant"), 7, Some("acme")),
    ];
    for (sealed, key, tenant) in seeds {
        let tenant = tenant.map(str::to_owned);
        let place = Place { tenant, format: Format::JSON, named: keys(&[key]).encryption().fingerprint(), ..place() };
        assert_eq!(open(&keys(&[7, 8]).encryption(), &place, sealed).unwrap(), b"what the seeds hold");
    }
}

#[test]
fn an_entry_with_any_bit_flipped_is_refused() {
    let encryption = keys(&[1]).encryption();
    let key = Key::new("users:42").unwrap();
    let mut header = Header::new(Format::MESSAGE_PACK.id, UnixTime::from_millis(1_790_000_000_000));
    header.schema = Some(7);
    header.protection = Protection::Encrypted { fingerprint: encryption.fingerprint() };
    let place = |header: &[u8]| Place { header: header.to_vec(), ..place() };
    let sealed = seal(
        &encryption,
        &place(&header.to_bytes()),
        b"Ada Lovelace, and 64 bytes of other things that are known of her",
    );
    let entry = header.encode(&key, &sealed);
    let read = |entry: &[u8]| -> Result<Vec<u8>> {
        let view = Header::decode(entry, &key)?;
        let Protection::Encrypted { fingerprint } = view.header.protection else {
            return Err(Error::new(ErrorCode::E005, "the reader expects encryption"));
        };
        let place = Place { named: fingerprint, ..place(view.header_bytes) };
        open(&encryption, &place, view.payload)
    };
    assert!(read(&entry).is_ok());
    let mut flipped = 0;
    for bit in 0..entry.len() * 8 {
        let mut altered = entry.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&altered).is_err(), "bit {bit} flipped");
        flipped += 1;
    }
    assert_eq!(flipped, (64 + 64 + 77) * 8);
}

#[test]
fn each_part_of_the_context_is_bound_bit_by_bit() {
    let encryption = keys(&[1]).encryption();
    let right = Place { tenant: Some("acme".into()), format: Format::JSON.with_schema(7), ..place() };
    let sealed = seal(&encryption, &right, b"value");
    assert!(open(&encryption, &right, &sealed).is_ok());
    let mut wrong: Vec<Place> = Vec::new();
    let flips = |text: &str| {
        let bits = 0..text.len() * 8;
        let flip = |bit: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            String::from_utf8(bytes).ok()
        };
        bits.filter_map(flip).collect::<Vec<_>>()
    };
    // Keys are of a small alphabet: those flips that leave it are no keys.
    let keys = flips(&right.key).into_iter().filter(|key| Key::new(key).is_ok());
    wrong.extend(keys.map(|key| Place { key, ..right.clone() }));
    wrong.extend(flips("acme").into_iter().map(|tenant| Place { tenant: Some(tenant), ..right.clone() }));
    wrong.extend([None, Some(String::new())].map(|tenant| Place { tenant, ..right.clone() }));
    wrong.extend((0..right.header.len() * 8).map(|bit| {
        let mut header = right.header.clone();
        header[bit / 8] ^= 1 << (bit % 8);
        Place { header, ..right.clone() }
    }));
    wrong.extend((0..8).map(|bit| {
        let format = Format::new(right.format.id ^ (1 << bit), right.format.name).with_schema(7);
        Place { format, ..right.clone() }
    }));
    wrong.extend((0..64).map(|bit| {
        let format = Format::JSON.with_schema(7 ^ (1 << bit));
        Place { format, ..right.clone() }
    }));
    assert!(wrong.len() > 250, "{} places", wrong.len());
    for place in &wrong {
        assert_eq!(open(&encryption, place, &sealed).unwrap_err().code(), ErrorCode::E003, "{place:?}");
    }
}

#[test]
fn entries_of_50_keys_and_of_50_tenants_never_open_in_each_others_place() {
    let places = |n: u8, by_tenant: bool| {
        let name = format!("n{n}");
        if by_tenant {
            Place { tenant: Some(name), ..place() }
        } else {
            Place { key: format!("users:{name}"), ..place() }
        }
    };
    for by_tenant in [true, false] {
        let encryption = keys(&[1]).encryption();
        let places: Vec<_> = (0..50).map(|n| places(n, by_tenant)).collect();
        assert_eq!(swapped(&places.iter().map(|place| (&encryption, place)).collect::<Vec<_>>()), 2_450);
    }
    // And of 50 master keys, each entry with its own key's name and with the reader's.
    let all: Vec<_> = (0..50).map(|n| keys(&[n]).encryption()).collect();
    let named: Vec<_> = all.iter().map(|key| Place { named: key.fingerprint(), ..place() }).collect();
    assert_eq!(swapped(&all.iter().zip(&named).collect::<Vec<_>>()), 2_450);
}

/// Opens each entry in each other's place, and says how many of these were refused.
fn swapped(places: &[(&Encryption, &Place)]) -> usize {
    let sealed: Vec<_> = places.iter().map(|(by, place)| seal(by, place, b"value")).collect();
    let mut refused = 0;
    for (n, (by, place)) in places.iter().enumerate() {
        for (m, sealed) in sealed.iter().enumerate() {
            match open(by, place, sealed) {
                Ok(_) => assert_eq!(n, m),
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::E003);
                    refused += 1;
                }
            }
        }
    }
    refused
}

#[test]
fn a_key_that_is_not_in_the_ring_is_told_apart_and_nothing_is_tried() {
    let (old, new) = (keys(&[1]), keys(&[2]));
    let named = new.encryption().fingerprint();
    let sealed = seal(&new.encryption(), &place(), b"value");
    let reader = old.encryption();
    assert!(!reader.knows(&named.unwrap()) && reader.knows(&reader.fingerprint().unwrap()));
    let error = open(&reader, &Place { named, ..place() }, &sealed).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E003);
    let fingerprint = u128::from_be_bytes(named.unwrap());
    assert!(error.message().contains(&format!("{fingerprint:032x}, which is not among them")), "{error}");
    let error = reader.reverse(&context_of(&place(), &key_of(&place()), None), &mut sealed.clone()).unwrap_err();
    assert_eq!((error.code(), error.message().contains("names none")), (ErrorCode::E003, true));
    assert_eq!(old.uses()[0].opened, 0);
}

#[test]
fn a_header_that_names_no_key_of_the_ring_is_not_sealed() {
    let encryption = keys(&[1]).encryption();
    for named in [None, Some([7; 16])] {
        let (place, key) = (place(), key_of(&place()));
        let error = encryption.apply(&context_of(&place, &key, named), &mut b"value".to_vec()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::E020);
    }
}

#[test]
fn up_to_its_limit_a_key_seals_and_beyond_it_only_opens() {
    let keys = Keys::builder().seal_limit(100).fixed(&ring(&[1]));
    let encryption = keys.encryption();
    let sealed: Vec<_> = (0..100).map(|_| seal(&encryption, &place(), b"value")).collect();
    let (place, key) = (place(), key_of(&place()));
    for _ in 0..2 {
        let mut bytes = b"value".to_vec();
        let context = context_of(&place, &key, encryption.fingerprint());
        assert_eq!(encryption.apply(&context, &mut bytes).unwrap_err().code(), ErrorCode::E006);
        assert_eq!(bytes, b"value");
    }
    assert!(sealed.iter().all(|sealed| open(&encryption, &place, sealed).is_ok()));
    assert_eq!((keys.uses()[0].sealed, keys.uses()[0].opened), (100, 100));
}

/// Four threads read entries of four keys while the ring rotates through new ones that keep three.
#[test]
fn rotation_with_three_earlier_keys_under_load_loses_no_read_and_no_write() {
    let fake = FakeKeyProvider::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let keys = runtime.block_on(Keys::new(fake.clone())).unwrap();
    let encryption = keys.encryption();
    let rotate = || {
        fake.rotate();
        assert!(runtime.block_on(keys.refresh()).unwrap());
    };
    let first = named(&encryption);
    let old = seal(&encryption, &first, b"old");
    let (done, at_work) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let load = || {
            let mut turns = 0_u64;
            while !done.load(Ordering::SeqCst) || turns < 100 {
                assert_eq!(open(&encryption, &first, &old).unwrap(), b"old");
                // The header is made with one key, and another may be current when it is sealed.
                let place = named(&encryption);
                std::thread::yield_now();
                let sealed = seal(&encryption, &place, b"new");
                assert_eq!(open(&encryption, &place, &sealed).unwrap(), b"new");
                turns += 1;
                at_work.fetch_add(1, Ordering::SeqCst);
            }
            turns
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        for _ in 0..KeyRing::MAX_PREVIOUS {
            let before = at_work.load(Ordering::SeqCst);
            while at_work.load(Ordering::SeqCst) < before + 500 {
                std::thread::yield_now();
            }
            rotate();
        }
        done.store(true, Ordering::SeqCst);
        let turns: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        let uses = keys.uses();
        assert_eq!(uses.len(), 4);
        assert_eq!(uses.iter().map(|key| key.opened).sum::<u64>(), 2 * turns);
        assert_eq!(uses.iter().map(|key| key.sealed).sum::<u64>(), turns + 1);
        assert!(uses[3].opened >= turns, "the first key has opened the old entry each time");
    });
}

proptest! {
    #[test]
    fn any_text_comes_back_and_any_cut_is_refused(
        text in vec(any::<u8>(), 0..500), tenant in prop::option::of(".{0,20}"), cut in any::<prop::sample::Index>(),
    ) {
        let encryption = keys(&[1]).encryption();
        let place = Place { tenant, ..place() };
        let sealed = seal(&encryption, &place, &text);
        prop_assert_eq!(&open(&encryption, &place, &sealed).unwrap(), &text);
        let cut = cut.index(sealed.len());
        for part in [&sealed[..cut], &sealed[sealed.len() - cut..]] {
            prop_assert_eq!(open(&encryption, &place, part).unwrap_err().code(), ErrorCode::E003);
        }
    }

    #[test]
    fn any_foreign_bytes_are_refused(bytes in vec(any::<u8>(), 0..300), suite in any::<bool>()) {
        let mut bytes = bytes;
        if suite {
            bytes.push(1);
        }
        let encryption = keys(&[1]).encryption();
        prop_assert_eq!(open(&encryption, &place(), &bytes).unwrap_err().code(), ErrorCode::E003);
    }
}

/// Where an entry stands, and what its header says of the key.
#[derive(Clone, Debug)]
struct Place {
    key: String,
    tenant: Option<String>,
    format: Format,
    header: Vec<u8>,
    /// `None`: the current one of whoever seals or opens.
    named: Option<[u8; 16]>,
}

fn place() -> Place {
    let header = b"a header of some twenty".to_vec();
    Place { key: "users:42".into(), tenant: None, format: Format::MESSAGE_PACK, header, named: None }
}

fn named(encryption: &Encryption) -> Place {
    Place { named: encryption.fingerprint(), ..place() }
}

fn key_of(place: &Place) -> Key {
    Key::new(&place.key).unwrap()
}

fn context_of<'a>(place: &'a Place, key: &'a Key, named: Option<[u8; 16]>) -> EntryContext<'a> {
    EntryContext::new(key, place.tenant.as_deref(), place.format, &place.header).with_fingerprint(named)
}

fn seal(encryption: &Encryption, place: &Place, text: &[u8]) -> Vec<u8> {
    let key = key_of(place);
    let context = context_of(place, &key, place.named.or(encryption.fingerprint()));
    let mut bytes = text.to_vec();
    assert_eq!(encryption.apply(&context, &mut bytes).unwrap(), Applied::Yes);
    bytes
}

/// Refused bytes are wiped, which is checked here for all.
fn open(encryption: &Encryption, place: &Place, sealed: &[u8]) -> Result<Vec<u8>> {
    let key = key_of(place);
    let context = context_of(place, &key, place.named.or(encryption.fingerprint()));
    let mut bytes = sealed.to_vec();
    let opened = encryption.reverse(&context, &mut bytes);
    assert!(opened.is_ok() || bytes.is_empty(), "something is left of what was refused");
    opened.map(|()| bytes)
}

fn keys(bytes: &[u8]) -> Keys {
    Keys::fixed(&ring(bytes))
}

fn ring(bytes: &[u8]) -> KeyRing {
    let mut keys = bytes.iter().map(|&byte| MasterKey::new(&[byte; 32]).unwrap());
    KeyRing::new(keys.next().unwrap()).with_previous(keys.collect()).unwrap()
}
