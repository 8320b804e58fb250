//! Ciphertext: any bytes are E003 unless they were sealed; what is sealed opens, and nowhere else, and not altered.
#![no_main]

use std::sync::LazyLock;

use cachekit_core::{EntryContext, ErrorCode, Format, Key, KeyRing, MasterKey, Transform};
use cachekit_crypto::{Encryption, Keys};
use libfuzzer_sys::fuzz_target;

/// Seals with a key of sevens and opens with one of eights, too, whose name comes second.
static ENCRYPTION: LazyLock<(Encryption, Option<[u8; 16]>)> = LazyLock::new(|| {
    let key = |byte| MasterKey::new(&[byte; 32]).expect("32 bytes");
    let previous = Keys::fixed(&KeyRing::new(key(8))).encryption().fingerprint();
    let ring = KeyRing::new(key(7)).with_previous(vec![key(8)]).expect("another key");
    (Keys::fixed(&ring).encryption(), previous)
});

fuzz_target!(|bytes: &[u8]| {
    let [key, other] = ["users:42", "users:43"].map(|key| Key::new(key).expect("a valid key"));
    let (encryption, previous) = &*ENCRYPTION;
    let place = EntryContext::new(&key, None, Format::JSON, HEADER).with_fingerprint(encryption.fingerprint());

    // The seeds were sealed with these keys for one of these places. Of them alone the text is known.
    for named in [place.fingerprint, *previous] {
        for tenant in [None, Some("acme")] {
            let mut place = place.with_fingerprint(named);
            place.tenant = tenant;
            if let Some(text) = open(&place, bytes) {
                assert_eq!(text, SEALED, "something opened that was never sealed");
            }
        }
    }
    for named in [None, Some([9; 16])] {
        assert_eq!(open(&place.with_fingerprint(named), bytes), None);
    }

    let mut sealed = bytes.to_vec();
    encryption.apply(&place, &mut sealed).expect("a key that may seal");
    assert_eq!(sealed.len(), bytes.len() + Encryption::OVERHEAD);
    assert_eq!(open(&place, &sealed).as_deref(), Some(bytes));
    let mut elsewhere = [place; 6];
    elsewhere[0].key = &other;
    elsewhere[1].tenant = Some("");
    elsewhere[2].format = Format::POSTCARD;
    elsewhere[3].format = Format::JSON.with_schema(1);
    elsewhere[4].header = &HEADER[1..];
    elsewhere[5].fingerprint = *previous;
    assert!(elsewhere.iter().all(|place| open(place, &sealed).is_none()), "it opened in another place");
    // Which bit is up to the fuzzer.
    let bit = bytes.iter().fold(bytes.len(), |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let bit = bit % (sealed.len() * 8);
    sealed[bit / 8] ^= 1 << (bit % 8);
    assert_eq!(open(&place, &sealed), None, "it opened with bit {bit} flipped");
    sealed[bit / 8] ^= 1 << (bit % 8);
    sealed.truncate(bit / 8);
    assert_eq!(open(&place, &sealed), None, "it opened cut to {} bytes", bit / 8);
});

/// The text of what is E003 is nothing, whatever was decrypted of it.
fn open(place: &EntryContext<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = sealed.to_vec();
    match ENCRYPTION.0.reverse(place, &mut bytes) {
        Ok(()) => Some(bytes),
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::E003);
            assert!(bytes.is_empty());
            None
        }
    }
}

const HEADER: &[u8] = b"a header of some twenty";

/// The text of all seeds.
const SEALED: &[u8] = b"what the seeds hold";
