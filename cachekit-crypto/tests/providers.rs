//! Every key provider keeps the contract, and each has ways of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachekit_core::{BackendFault, Error, ErrorCode, KeyProvider, KeyRing, MasterKey, Result};
use cachekit_crypto::{CachedKeys, EnvironmentKeys, FileKeys, StaticKeys};
use cachekit_testkit::conformance::key_provider::KeyProviderFixture;
use cachekit_testkit::fakes::FakeKeyProvider;

mod environment {
    use super::*;

    cachekit_testkit::key_provider_conformance!(fixture());

    fn fixture() -> KeyProviderFixture {
        let variables = Arc::new(Mutex::new(Vec::from([hex(1)])));
        let read = Arc::clone(&variables);
        let of = |current: &str, previous: &str| environment(&[(CURRENT, current), (PREVIOUS, previous)]);
        KeyProviderFixture::new(EnvironmentKeys::new(move |name| {
            let keys = read.lock().unwrap();
            let value = if name == CURRENT { keys[0].clone() } else { keys[1..].join(", ") };
            Some(value.into())
        }))
        .with_rotation(move || {
            rotate(&mut variables.lock().unwrap());
            std::future::ready(())
        })
        .with_lacking(environment(&[]))
        .with_lacking(of("  ", &hex(2)))
        .with_malformed(of("hunter2", ""))
        .with_malformed(of(&hex(1), "hunter2"))
        .with_malformed(of(&hex(1), &hex(1)))
        .with_malformed(EnvironmentKeys::new(not_text))
        .with_secret("hunter2")
        .with_secret(&hex(2)[..16])
    }

    #[cfg(unix)]
    fn not_text(_: &str) -> Option<OsString> {
        use std::os::unix::ffi::OsStringExt;
        Some(OsString::from_vec(b"hunter2\xff".to_vec()))
    }

    #[cfg(not(unix))]
    fn not_text(_: &str) -> Option<OsString> {
        Some("hunter2".into())
    }

    /// What is accepted is what the published Rust client accepts, and an earlier key twice is one key.
    #[tokio::test]
    async fn variables_are_read_as_other_clients_of_the_family_read_them() {
        let (key, b) = (hex(0xaa), hex(0xbb));
        let three = [1, 2, 3].map(hex).join(",");
        let cases: &[(&str, &str, Option<usize>)] = &[
            (&key, "", Some(0)),
            (&key.to_uppercase(), "", Some(0)),
            (&format!("{key}aa"), "", Some(0)),
            (&format!("{key}{key}"), "", Some(0)),
            (&format!("0x{key}"), "", None),
            (&format!("{key}\n"), "", None),
            (&format!(" {key} "), "", None),
            (
                "aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb aa bb ",
                "",
                None,
            ),
            (&format!("a {}", &key[1..]), "", None),
            (&key[2..], "", None),
            (&key[1..], "", None),
            ("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=", "", None),
            (&key, &b, Some(1)),
            (&key, &format!(" {b} "), Some(1)),
            (&key, "  ", Some(0)),
            (&key, &format!(" , {b} , ,"), None),
            (&key, &three, Some(3)),
            (&key, &format!("{three},{b}"), None),
            (&key, &format!("{b},{b}"), Some(1)),
            (&key, &key.to_uppercase(), None),
            (&key, &b[2..], None),
            (&key, &"z".repeat(64), None),
        ];
        for &(current, previous, expected) in cases {
            let read = environment(&[(CURRENT, current), (PREVIOUS, previous)]).keys().await;
            let found = read.as_ref().map(|ring| ring.previous().len()).map_err(Error::code);
            assert_eq!(found, expected.ok_or(ErrorCode::E002), "{current:?}, {previous:?}");
        }
        assert_eq!(environment(&[(PREVIOUS, &b)]).keys().await.unwrap_err().code(), ErrorCode::E001);
    }

    #[tokio::test]
    async fn errors_name_the_variable_and_what_is_wrong() {
        let two = format!("{}, {}", hex(1), &hex(2)[1..]);
        let error = environment(&[(CURRENT, &hex(3)), (PREVIOUS, &two)]).keys().await.unwrap_err();
        assert_eq!(
            error.message(),
            "CACHEKIT_PREVIOUS_MASTER_KEYS, key 2: expected at least 64 hexadecimal digits, got 63 characters, an odd number"
        );
    }

    fn environment(variables: &[(&str, &str)]) -> impl KeyProvider + use<> {
        let map: HashMap<_, _> = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        EnvironmentKeys::new(move |name| map.get(name).map(OsString::from))
    }

    const CURRENT: &str = "CACHEKIT_MASTER_KEY";
    const PREVIOUS: &str = "CACHEKIT_PREVIOUS_MASTER_KEYS";
}

mod fixed {
    use super::*;

    cachekit_testkit::key_provider_conformance!(KeyProviderFixture::new(StaticKeys::new(ring(&[1, 2, 3, 4]))));
}

mod file {
    use super::*;

    cachekit_testkit::key_provider_conformance!(fixture());

    fn fixture() -> KeyProviderFixture {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let with = |name: &str, text: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            FileKeys::new(path)
        };
        let keys = Mutex::new(vec![hex(1)]);
        let provider = with("keys", hex(1).as_bytes());
        let hostile = [hex(1), hex(2), hex(3), hex(4), hex(5)].join("\n");
        KeyProviderFixture::new(provider)
            .with_lacking(FileKeys::new(dir.path().join("missing")))
            .with_lacking(with("empty", b""))
            .with_lacking(with("blank", b" \n\n\t\n"))
            .with_malformed(with("password", b"hunter2"))
            .with_malformed(with("too many", hostile.as_bytes()))
            .with_malformed(with("not text", b"hunter2\xff"))
            .with_malformed(with("long", &vec![b'a'; 1 << 17]))
            .with_failing(FileKeys::new(dir.path()))
            .with_secret("hunter2")
            .with_secret(&hex(5)[..16])
            .with_rotation(move || {
                let mut keys = keys.lock().unwrap();
                rotate(&mut keys);
                replace(&dir.path().join("keys"), &keys);
                std::future::ready(())
            })
    }

    #[tokio::test]
    async fn spaces_and_blank_lines_around_keys_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        std::fs::write(&path, format!("\r\n  {}  \r\n\r\n{}\n", hex(1), hex(2))).unwrap();
        assert_same(&FileKeys::new(path).keys().await.unwrap(), &ring(&[1, 2]));
    }

    fn replace(path: &Path, keys: &[String]) {
        let new = path.with_extension("new");
        std::fs::write(&new, keys.join("\n")).unwrap();
        std::fs::rename(new, path).unwrap();
    }
}

mod cached {
    use super::*;

    cachekit_testkit::key_provider_conformance!(fixture());

    /// Each call fetches, so that the suite sees rotations.
    fn fixture() -> KeyProviderFixture {
        let over = |fake: FakeKeyProvider| {
            let fetch = move || {
                let fake = fake.clone();
                async move { fake.keys().await }
            };
            CachedKeys::new(fetch).interval(Duration::ZERO)
        };
        let failing = |code| {
            let fake = FakeKeyProvider::new();
            fake.on_keys().fail(code);
            over(fake)
        };
        let fake = FakeKeyProvider::new();
        KeyProviderFixture::new(over(fake.clone()))
            .with_rotation(move || {
                fake.rotate();
                std::future::ready(())
            })
            .with_lacking(failing(ErrorCode::E001))
            .with_malformed(failing(ErrorCode::E002))
            .with_failing(failing(ErrorCode::E062))
            .with_failing(failing(ErrorCode::E010))
            .with_failing(CachedKeys::new(std::future::pending).timeout(Duration::from_millis(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_fetched_is_kept_for_the_interval() {
        let (kms, keys) = service();
        for (after, fetches) in [(0, 1), (299, 1), (1, 2), (299, 2), (1, 3)] {
            tokio::time::advance(Duration::from_secs(after)).await;
            for _ in 0..10 {
                assert_eq!(keys.keys().await.unwrap().current().expose()[0], u8::try_from(fetches).unwrap());
            }
            assert_eq!(kms.fetched(), fetches);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_who_come_first_one_fetches_and_all_get_its_keys_or_its_error() {
        let (kms, keys) = service();
        kms.take(Duration::from_secs(1));
        kms.ill(true);
        let failed = futures(&keys, 64).await;
        assert!(failed.iter().all(|keys| keys.as_ref().unwrap_err().code() == ErrorCode::E062));
        assert_eq!(kms.fetched(), 1, "the others get its error, rather than fail one after the other");
        kms.ill(false);
        assert!(futures(&keys, 64).await.iter().all(Result::is_ok));
        assert_eq!(kms.fetched(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn while_one_fetches_again_others_are_served_what_is_known() {
        let (kms, keys) = service();
        keys.keys().await.unwrap();
        tokio::time::advance(Duration::from_secs(300)).await;
        kms.take(Duration::from_secs(5));
        let (fetching, others) = tokio::join!(keys.keys(), async {
            let start = tokio::time::Instant::now();
            let others = futures(&keys, 64).await;
            assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits");
            others
        });
        assert_eq!(fetching.unwrap().current().expose()[0], 2);
        assert!(others.iter().all(|ring| ring.as_ref().unwrap().current().expose()[0] == 1));
        assert_eq!(kms.fetched(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn known_keys_stay_in_use_while_the_service_is_ill_and_it_is_asked_every_ten_seconds() {
        let (kms, keys) = service();
        keys.keys().await.unwrap();
        kms.ill(true);
        for _ in 0..3_600 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(keys.keys().await.unwrap().current().expose()[0], 1);
        }
        assert_eq!((kms.fetched() - 1, keys.failures()), (331, 331), "after 300 seconds, then every 10");
        kms.ill(false);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_ne!(keys.keys().await.unwrap().current().expose()[0], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_does_not_answer_is_given_up_on() {
        let keys = CachedKeys::new(std::future::pending);
        let start = tokio::time::Instant::now();
        assert_eq!(keys.keys().await.unwrap_err().code(), ErrorCode::E064);
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_dropped_while_fetching_leaves_it_to_the_next() {
        let (kms, keys) = service();
        kms.take(Duration::from_secs(5));
        assert!(tokio::time::timeout(Duration::from_secs(1), keys.keys()).await.is_err());
        assert_eq!(keys.keys().await.unwrap().current().expose()[0], 2);
    }

    async fn futures(keys: &Arc<impl KeyProvider>, n: usize) -> Vec<Result<KeyRing>> {
        let asking: Vec<_> = (0..n)
            .map(|_| {
                let keys = Arc::clone(keys);
                tokio::spawn(async move { keys.keys().await })
            })
            .collect();
        let mut all = Vec::new();
        for asking in asking {
            all.push(asking.await.unwrap());
        }
        all
    }

    /// A service whose n-th answer is a key of the byte n, and a provider over it.
    fn service() -> (Arc<Kms>, Arc<CachedKeys<impl Fn() -> futures_of::Fetch>>) {
        let kms = Arc::new(Kms::default());
        let service = Arc::clone(&kms);
        (kms, Arc::new(CachedKeys::new(move || service.fetch())))
    }

    mod futures_of {
        pub(super) type Fetch =
            std::pin::Pin<Box<dyn Future<Output = cachekit_core::Result<cachekit_core::KeyRing>> + Send>>;
    }

    #[derive(Default)]
    struct Kms {
        fetched: AtomicU64,
        state: Mutex<(Duration, bool)>,
    }

    impl Kms {
        fn fetch(&self) -> futures_of::Fetch {
            let n = self.fetched.fetch_add(1, Ordering::SeqCst) + 1;
            let (takes, ill) = *self.state.lock().unwrap();
            Box::pin(async move {
                if !takes.is_zero() {
                    tokio::time::sleep(takes).await;
                }
                if ill { Err(Error::backend("kms", BackendFault::Server, "ill")) } else { Ok(ring(&[n as u8])) }
            })
        }

        fn fetched(&self) -> u64 {
            self.fetched.load(Ordering::SeqCst)
        }

        fn take(&self, so_long: Duration) {
            self.state.lock().unwrap().0 = so_long;
        }

        fn ill(&self, ill: bool) {
            self.state.lock().unwrap().1 = ill;
        }
    }
}

fn ring(bytes: &[u8]) -> KeyRing {
    let mut keys = bytes.iter().map(|&byte| MasterKey::new(&[byte; 32]).unwrap());
    KeyRing::new(keys.next().unwrap()).with_previous(keys.collect()).unwrap()
}

fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// A new key in front, and as many earlier ones as there may be.
fn rotate(keys: &mut Vec<String>) {
    let next = u8::from_str_radix(&keys[0][..2], 16).unwrap() + 1;
    keys.insert(0, hex(next));
    keys.truncate(KeyRing::MAX_PREVIOUS + 1);
}

fn assert_same(found: &KeyRing, expected: &KeyRing) {
    let bytes = |ring: &KeyRing| {
        std::iter::once(ring.current()).chain(ring.previous()).map(|key| key.expose().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(bytes(found), bytes(expected));
}
