//! Keys show nowhere, and nothing of them is left in memory once they are dropped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::ffi::OsString;

use cachekit_core::{EntryContext, Error, Format, Key, KeyProvider, KeyRing, MasterKey, Transform};
use cachekit_crypto::{CachedKeys, EnvironmentKeys, FileKeys, Keys, StaticKeys};
use cachekit_testkit::{assert_debug_redacted, assert_redacted};

#[tokio::test]
async fn no_error_and_no_debug_shows_a_digit_of_a_key_over_all_that_can_go_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let mut errors: Vec<Error> = Vec::new();
    for current in malformed() {
        for previous in malformed() {
            let (a, b) = (current.clone(), previous.clone());
            let environment = EnvironmentKeys::new(move |name| {
                Some(OsString::from(if name.contains("PREVIOUS") { b.clone() } else { a.clone() }))
            });
            assert_shows_nothing(&environment);
            errors.extend(environment.keys().await.err());
            let path = dir.path().join("keys");
            std::fs::write(&path, format!("{current}\n{previous}")).unwrap();
            let file = FileKeys::new(path);
            errors.extend(file.keys().await.err());
            let cached = CachedKeys::new(move || {
                let file = file.clone();
                async move { file.keys().await }
            });
            errors.extend(cached.keys().await.err());
            errors.extend(Keys::new(cached).await.err());
        }
    }
    errors.extend(refusals());
    assert!(errors.len() > 100, "{} errors", errors.len());
    for error in &errors {
        for shown in SHOWN {
            assert_redacted(error, shown);
        }
    }
}

#[test]
fn debug_of_keys_at_work_shows_fingerprints_and_no_keys() {
    let keys = Keys::fixed(&ring());
    let encryption = keys.encryption();
    let _sealed = seal(&encryption);
    assert_shows_nothing(&keys);
    assert_shows_nothing(&encryption);
    assert_shows_nothing(&Keys::builder());
    assert_shows_nothing(&StaticKeys::new(ring()));
    let fingerprint = u128::from_be_bytes(encryption.fingerprint().unwrap());
    assert_eq!(format!("{keys:?}"), format!("Keys {{ keys: [Master({fingerprint:032x})] }}"));
}

/// Of what may hold a key by mistake: too short, too long, not hexadecimal, several, and none.
fn malformed() -> Vec<String> {
    let good = "5ec2e7".repeat(11);
    vec![
        good.clone(),
        good[..30].to_owned(),
        good[1..].to_owned(),
        format!("{good}zz"),
        format!("0x{good}"),
        format!("\"{good}\""),
        good.repeat(200),
        [&good[..]; 5].join(","),
        " ".to_owned(),
    ]
}

/// What a reader, a writer at its limit and a reader without the key are told.
fn refusals() -> Vec<Error> {
    let keys = Keys::builder().seal_limit(1).fixed(&ring());
    let encryption = keys.encryption();
    let sealed = seal(&encryption);
    let key = Key::new("users:42").unwrap();
    let context = EntryContext::new(&key, Some("acme"), Format::JSON, b"header");
    let named = context.with_fingerprint(encryption.fingerprint());
    let stranger = context.with_fingerprint(Some([9; 16]));
    let refused =
        |context: &EntryContext<'_>, bytes: &[u8]| encryption.reverse(context, &mut bytes.to_vec()).unwrap_err();
    let mut errors: Vec<_> = (0..sealed.len()).map(|cut| refused(&named, &sealed[..cut])).collect();
    errors.extend([refused(&context, &sealed), refused(&stranger, &sealed)]);
    errors.extend([&named, &stranger, &context].map(|context| encryption.apply(context, &mut Vec::new()).unwrap_err()));
    errors
}

fn seal(encryption: &impl Transform) -> Vec<u8> {
    let key = Key::new("users:42").unwrap();
    let context =
        EntryContext::new(&key, Some("acme"), Format::JSON, b"header").with_fingerprint(encryption.fingerprint());
    let mut bytes = b"value".to_vec();
    encryption.apply(&context, &mut bytes).unwrap();
    bytes
}

fn ring() -> KeyRing {
    KeyRing::new(MasterKey::new(b"5ec2e75ec2e75ec2e75ec2e75ec2e75e").unwrap())
}

fn assert_shows_nothing(value: &impl std::fmt::Debug) {
    SHOWN.iter().for_each(|shown| assert_debug_redacted(value, shown));
}

/// How a part of the keys above would look: as text, and as the lists that a derived `Debug` makes of the bytes of the
/// text and of those that it stands for.
const SHOWN: [&str; 4] = ["5ec2e7", "5EC2E7", "53, 101, 99", "94, 194, 231"];

#[cfg(target_os = "linux")]
mod memory {
    use super::*;
    use std::io::{Read, Seek, SeekFrom};

    /// Both master keys of 100 rings that were made, used and dropped. What is searched for is kept masked.
    #[test]
    fn nothing_of_a_master_key_is_left_in_memory_once_all_is_dropped() {
        let used = |masked: &[[u8; 32]]| {
            let keys = Keys::fixed(&ring_of(masked));
            let _sealed = seal(&keys.encryption());
            let ring = ring_of(masked);
            let held = in_memory(masked);
            drop((keys, ring));
            held
        };
        let rings: Vec<[[u8; 32]; 2]> = (0..100).map(|_| [pattern(), pattern()]).collect();
        let held: usize = rings[..3].iter().map(|ring| used(ring)).sum();
        assert_eq!(held, 6, "the search finds what is there");
        rings[3..].iter().for_each(|masked| {
            let keys = Keys::fixed(&ring_of(masked));
            let _sealed = seal(&keys.encryption());
        });
        assert_eq!(in_memory(&rings.concat()), 0, "of 200 keys");
    }

    fn ring_of(masked: &[[u8; 32]]) -> KeyRing {
        let mut keys = masked.iter().map(|masked| {
            let mut plain = zeroize::Zeroizing::new(*masked);
            plain.iter_mut().for_each(|byte| *byte ^= MASK);
            MasterKey::new(&plain[..]).unwrap()
        });
        KeyRing::new(keys.next().unwrap()).with_previous(keys.collect()).unwrap()
    }

    /// Bytes that occur nowhere else.
    fn pattern() -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).unwrap();
        bytes
    }

    /// How many of these are in the memory of this process, each the mask of what is searched for. It searches for the
    /// latter half: an allocator writes over the beginning of what it was given back.
    fn in_memory(masked: &[[u8; 32]]) -> usize {
        let mut found = std::collections::BTreeSet::new();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
        for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[stack]")) {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
            let mut bytes = zeroize::Zeroizing::new(vec![0; usize::try_from(end - start).unwrap()]);
            memory.seek(SeekFrom::Start(start)).unwrap();
            if memory.read_exact(&mut bytes).is_err() {
                continue;
            }
            bytes.iter_mut().for_each(|byte| *byte ^= MASK);
            for masked in masked {
                let mut from = 0;
                while let Some(at) = bytes[from..].iter().position(|byte| *byte == masked[16]) {
                    from += at + 1;
                    if bytes[from - 1..].starts_with(&masked[16..]) {
                        found.insert(masked);
                    }
                }
            }
        }
        found.len()
    }

    const MASK: u8 = 0xa5;
}
