//! What does it cost to seal an entry and to open it again?
//!
//! - An operation does both, from a text to the same text. Candidates that work in place get one buffer for all of it,
//!   into which the text is copied first; so an entry travels with us. Those that hand out new buffers may do so, and
//!   ours is shown that way, too.
//! - The floor is AWS-LC alone with a key that was expanded before, and `aes-gcm` alone stands beside it. Both count their
//!   nonces, which no program could do that forks or is resumed from a snapshot; the peer counts as well.
//! - Ours find the key by its name, bind the entry's place and header, commit to the key and draw a random nonce.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use cachekit::Key;
use cachekit::core::entry::{Header, Protection};
use cachekit::core::{EntryContext, Format, KeyRing, MasterKey, Transform, UnixTime};
use cachekit_core_peer::{ZeroKnowledgeEncryptor, derive_domain_key};
use cachekit_crypto::{Cipher, Encryption, Keys};

use crate::harness::{Candidate, Role, Row, compare, time};

pub fn run() -> Vec<Row> {
    let mut rows = Vec::new();
    for (size, bytes) in [("64 B", 64), ("1 KiB", 1_024), ("16 KiB", 16_384), ("1 MiB", 1 << 20)] {
        let text = vec![0x5a; bytes];
        let candidates = candidates(&text);
        for (threads, word) in [(1, "1 thread"), (2, "2 threads")] {
            rows.extend(compare("crypto", format!("seal + open, {size}, {word}"), threads, &candidates));
        }
    }
    rows
}

fn candidates(text: &[u8]) -> Vec<Candidate<'_>> {
    vec![
        aws_lc(text),
        aes_gcm(text),
        cachekit_core(text),
        ours("ours, aws-lc", text, Cipher::AwsLc),
        ours("ours, RustCrypto", text, Cipher::RustCrypto),
        ours_in_new_buffers("ours, aws-lc, new buffers", text, Cipher::AwsLc),
    ]
}

fn aws_lc(text: &[u8]) -> Candidate<'_> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("32 bytes"));
    Candidate::new("aws-lc-rs alone", Role::Floor, move |_, operations| {
        let nonces = Nonces::default();
        in_place(text, operations, |buffer| {
            let nonce = nonces.next();
            let count = || Nonce::assume_unique_for_key(nonce);
            let tag = key.seal_in_place_separate_tag(count(), Aad::from(BOUND), buffer).expect("short enough");
            buffer.extend_from_slice(tag.as_ref());
            black_box(&mut *buffer);
            key.open_in_place(count(), Aad::from(BOUND), buffer).expect("sealed above");
            buffer.truncate(text.len());
        })
    })
}

fn aes_gcm(text: &[u8]) -> Candidate<'_> {
    let key = Aes256Gcm::new(&KEY.into());
    Candidate::new("aes-gcm alone", Role::Other, move |_, operations| {
        let nonces = Nonces::default();
        in_place(text, operations, |buffer| {
            let nonce = nonces.next().into();
            let tag = key.encrypt_inout_detached(&nonce, &BOUND, buffer.as_mut_slice().into()).expect("short enough");
            black_box(&mut *buffer);
            key.decrypt_inout_detached(&nonce, &BOUND, buffer.as_mut_slice().into(), &tag).expect("sealed above");
        })
    })
}

/// As `cachekit-rs` calls it: with the tenant's key derived before, and with less to bind than ours.
fn cachekit_core(text: &[u8]) -> Candidate<'_> {
    let encryptor = ZeroKnowledgeEncryptor::new().expect("the system has randomness");
    let key = derive_domain_key(&KEY, "encryption", b"tenant").expect("a valid master key");
    let place = &BOUND[..48];
    Candidate::new("cachekit-core 0.7.4", Role::Peer, move |_, operations| {
        time(operations, |_| {
            let sealed = encryptor.encrypt_aes_gcm(black_box(text), &key, place).expect("short enough");
            let opened = encryptor.decrypt_aes_gcm(black_box(&sealed), &key, place).expect("sealed above");
            assert_eq!(black_box(opened).len(), text.len());
        })
    })
}

fn ours<'a>(name: &'static str, text: &'a [u8], cipher: Cipher) -> Candidate<'a> {
    let place = Place::new(cipher);
    Candidate::new(name, Role::Ours, move |_, operations| {
        let context = place.context();
        in_place(text, operations, |buffer| {
            place.encryption.apply(&context, buffer).expect("keys that may seal");
            black_box(&mut *buffer);
            place.encryption.reverse(&context, buffer).expect("sealed above");
        })
    })
}

fn ours_in_new_buffers<'a>(name: &'static str, text: &'a [u8], cipher: Cipher) -> Candidate<'a> {
    let place = Place::new(cipher);
    Candidate::new(name, Role::Ours, move |_, operations| {
        let context = place.context();
        time(operations, |_| {
            let mut sealed = Vec::with_capacity(text.len() + Encryption::OVERHEAD);
            sealed.extend_from_slice(black_box(text));
            place.encryption.apply(&context, &mut sealed).expect("keys that may seal");
            let mut opened = black_box(&sealed).clone();
            place.encryption.reverse(&context, &mut opened).expect("sealed above");
            assert_eq!(black_box(opened).len(), text.len());
        })
    })
}

/// Times `both`, which seals and opens what is in the buffer: the text, anew each time.
fn in_place(text: &[u8], operations: u64, mut both: impl FnMut(&mut Vec<u8>)) -> Duration {
    let mut buffer = Vec::with_capacity(text.len() + Encryption::OVERHEAD);
    time(operations, |_| {
        buffer.clear();
        buffer.extend_from_slice(black_box(text));
        both(&mut buffer);
        assert_eq!(black_box(&buffer).len(), text.len());
    })
}

/// Where an entry stands: its key and its header.
struct Place {
    encryption: Encryption,
    key: Key,
    header: Vec<u8>,
}

impl Place {
    fn new(cipher: Cipher) -> Place {
        let ring = KeyRing::new(MasterKey::new(&KEY).expect("32 bytes"));
        let encryption = Keys::builder().cipher(cipher).fixed(&ring).encryption();
        let mut header = Header::new(Format::MESSAGE_PACK.id, UnixTime::from_millis(1_790_000_000_000));
        header.expires = Some(UnixTime::from_millis(1_790_000_300_000));
        header.protection = Protection::Encrypted { fingerprint: encryption.fingerprint() };
        Place { encryption, key: Key::new("users:42").expect("a valid key"), header: header.to_bytes().to_vec() }
    }

    fn context(&self) -> EntryContext<'_> {
        EntryContext::new(&self.key, None, Format::MESSAGE_PACK, &self.header)
            .with_fingerprint(self.encryption.fingerprint())
    }
}

#[derive(Default)]
struct Nonces(Cell<u64>);

impl Nonces {
    fn next(&self) -> [u8; 12] {
        self.0.set(self.0.get() + 1);
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.0.get().to_be_bytes());
        nonce
    }
}

const KEY: [u8; 32] = [7; 32];

/// About as much as ours bind beside the text.
const BOUND: [u8; 96] = [3; 96];
