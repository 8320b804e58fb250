//! What only the inside can show: sessions that end, and ciphertexts that AES-GCM alone would open under two keys.

use std::collections::HashSet;

use cachekit_core::{Format, Key, KeyRing, MasterKey};

use super::*;
use crate::Keys;
use crate::cipher::tests::CIPHERS;

mod commitment;

#[test]
fn a_session_ends_after_its_length_and_no_write_is_lost() {
    let keys = Keys::builder().session_length(10).fixed(&ring(&[1]));
    let salts: Vec<[u8; SALT]> = (0..25).map(|_| salt_of(&seal(&keys, None, b"value"))).collect();
    let mut distinct = salts.clone();
    distinct.dedup();
    assert_eq!(distinct.len(), 3, "10, 10 and 5 messages: {salts:?}");
    assert_eq!(keys.uses()[0].sealed, 25);
}

#[test]
fn threads_share_a_session_and_it_ends_in_time() {
    let keys = Keys::builder().session_length(100).fixed(&ring(&[1]));
    let seals = || (0..1_000).map(|_| salt_of(&seal(&keys, Some("acme"), b"value"))).collect::<Vec<_>>();
    let salts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(seals)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let count = |salt| salts.iter().filter(|&other| other == salt).count();
    let distinct: HashSet<_> = salts.iter().collect();
    // A thread that took its number before the session began may come late, each at most once.
    assert!(distinct.iter().all(|&salt| count(salt) <= 100 + 8), "a session of 100 messages sealed more");
    assert!(distinct.len() >= 8_000 / (100 + 8), "8,000 messages");
}

#[test]
fn another_instance_derives_the_session_once_and_keeps_it_once_something_opened() {
    let sealed = seal(&Keys::fixed(&ring(&[1])), None, b"value");
    let keys = Keys::fixed(&ring(&[1]));
    let kept_for = |tenant| keys.encryption().keys.ring().current().known(tenant, &salt_of(&sealed)).is_some();
    let kept = || kept_for(None);
    let mut damaged = sealed.clone();
    damaged[0] ^= 1;
    assert!(open(&keys, None, damaged).is_err() && !kept(), "what does not open is not kept");
    assert_eq!(open(&keys, None, sealed.clone()).unwrap(), b"value");
    assert!(kept());
    assert!(!kept_for(Some("acme")));
    // Under another tenant the same salt is another session, whatever was kept.
    assert_eq!(open(&keys, Some("acme"), sealed.clone()).unwrap_err().code(), ErrorCode::E003);
}

#[test]
fn all_ciphers_make_the_same_of_an_entry() {
    for &from in CIPHERS {
        let sealed = seal(&Keys::builder().cipher(from).fixed(&ring(&[1])), Some("acme"), b"value");
        for &to in CIPHERS {
            let keys = Keys::builder().cipher(to).fixed(&ring(&[1]));
            assert_eq!(open(&keys, Some("acme"), sealed.clone()).unwrap(), b"value", "{from:?} to {to:?}");
        }
    }
}

#[test]
fn contexts_that_run_into_each_other_are_bound_apart() {
    let [ab, a] = ["users:ab", "users:a"].map(|key| Key::new(key).unwrap());
    let contexts = [
        EntryContext::new(&ab, None, Format::JSON, b"c"),
        EntryContext::new(&a, None, Format::JSON, b"bc"),
        EntryContext::new(&a, Some("b"), Format::JSON, b"c"),
        EntryContext::new(&a, Some(""), Format::JSON, b"bc"),
        EntryContext::new(&a, None, Format::POSTCARD, b"bc"),
        EntryContext::new(&a, None, Format::JSON.with_schema(1), b"bc"),
    ];
    let distinct: HashSet<_> = contexts.iter().map(|context| bound(context, <[u8]>::to_vec)).collect();
    // Also one that is too long for the stack.
    let (header, long) = ([7; 300], |header| EntryContext::new(&a, None, Format::JSON, header));
    assert_eq!(bound(&long(&header), <[u8]>::to_vec)[42..], header);
    assert_eq!(distinct.len(), contexts.len());
}

fn ring(bytes: &[u8]) -> KeyRing {
    let mut keys = bytes.iter().map(|byte| MasterKey::new(&[*byte; 32]).unwrap());
    let ring = KeyRing::new(keys.next().unwrap());
    ring.with_previous(keys.collect()).unwrap()
}

fn seal(keys: &Keys, tenant: Option<&str>, text: &[u8]) -> Vec<u8> {
    let (encryption, key) = (keys.encryption(), key());
    let mut bytes = text.to_vec();
    let context = EntryContext::new(&key, tenant, Format::JSON, b"header").with_fingerprint(encryption.fingerprint());
    assert_eq!(encryption.apply(&context, &mut bytes).unwrap(), Applied::Yes);
    bytes
}

fn open(keys: &Keys, tenant: Option<&str>, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let (encryption, key) = (keys.encryption(), key());
    let context = EntryContext::new(&key, tenant, Format::JSON, b"header").with_fingerprint(encryption.fingerprint());
    encryption.reverse(&context, &mut bytes).map(|()| bytes)
}

fn key() -> Key {
    Key::new("users:42").unwrap()
}

fn salt_of(sealed: &[u8]) -> [u8; SALT] {
    Trailer::of(sealed.last_chunk().unwrap()).salt
}
