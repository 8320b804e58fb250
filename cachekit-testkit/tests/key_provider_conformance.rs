//! The suite for key providers: the fake keeps it, each clause has its rule, and a zoo of broken providers is caught.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod part_clauses;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use cachekit_core::{Error, ErrorCode, KeyProvider, KeyRing, MasterKey, Result};
use cachekit_testkit::conformance::key_provider::{KeyProviderFixture, rules, run};
use cachekit_testkit::fakes::FakeKeyProvider;

cachekit_testkit::key_provider_conformance!(fixture(Quirk::None));

fn failing(code: ErrorCode) -> FakeKeyProvider {
    let fake = FakeKeyProvider::new();
    fake.on_keys().fail(code);
    fake
}

fn fixture(quirk: Quirk) -> KeyProviderFixture {
    let fake = FakeKeyProvider::new();
    let animal = |fake| Animal { quirk, fake, calls: AtomicUsize::new(0) };
    let code = |code, broken| if quirk == broken { ErrorCode::E043 } else { code };
    KeyProviderFixture::new(animal(fake.clone()))
        .with_rotation(move || {
            fake.rotate();
            std::future::ready(())
        })
        .with_lacking(failing(code(ErrorCode::E001, Quirk::LacksWithAnotherCode)))
        .with_malformed(failing(code(ErrorCode::E002, Quirk::MalformedWithAnotherCode)))
        .with_malformed(animal(failing(ErrorCode::E002)))
        .with_failing(failing(code(ErrorCode::E062, Quirk::FailsWithAnotherCode)))
        .with_secret("hunter2")
}

#[test]
fn every_clause_has_a_rule_and_every_rule_a_clause() {
    let source = include_str!("../../cachekit-core/src/contract/key_provider.rs");
    let clauses = part_clauses::of("key-provider", source, "pub trait KeyProvider", &[]);
    part_clauses::compare(&clauses, rules());
}

#[tokio::test]
async fn what_does_nothing_wrong_is_caught_by_no_rule_and_skipped_by_none() {
    let report = run("fake", Some(7), async || fixture(Quirk::None)).await;
    assert_eq!((report.count("pass"), report.passed()), (rules().len(), true), "{report}");
}

#[tokio::test]
async fn what_a_fixture_cannot_show_is_skipped() {
    let report = run("fake", None, async || KeyProviderFixture::new(FakeKeyProvider::new())).await;
    assert_eq!((report.count("fail"), report.count("skip")), (0, 7), "{report}");
}

#[tokio::test]
async fn the_zoo_is_caught() {
    let mut catching = BTreeSet::<&str>::new();
    for &(quirk, expected) in ZOO {
        let report = run("animal", Some(7), async || fixture(quirk)).await;
        assert_eq!(report.ids("fail"), expected, "{quirk:?}: {report}");
        catching.extend(expected);
    }
    let idle: Vec<_> = rules().iter().map(|rule| rule.id).filter(|id| !catching.contains(id)).collect();
    assert!(idle.is_empty(), "no animal shows that these rules can fail: {idle:?}");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    None,
    RepeatsAKey,
    DealsKeysInTurn,
    ReadsInTwoSteps,
    NeverRotates,
    ForgetsTheFormer,
    ShowsItsKeys,
    ShowsSecretsInErrors,
    LacksWithAnotherCode,
    MalformedWithAnotherCode,
    FailsWithAnotherCode,
    TiresAfterTwenty,
    StaysBusyWhenDropped,
}

const ZOO: &[(Quirk, &[&str])] = &[
    (Quirk::RepeatsAKey, &["key-provider.1.the-ring-is-whole", "key-provider.2.the-former-key-stays"]),
    (
        Quirk::DealsKeysInTurn,
        &[
            "key-provider.1.many-at-once-agree",
            "key-provider.1.an-answer-is-of-one-moment",
            "key-provider.2.the-former-key-stays",
            "key-provider.3.answers-again-and-again",
            "key-provider.cancellation.a-dropped-call-leaves-no-trace",
        ],
    ),
    (Quirk::ReadsInTwoSteps, &["key-provider.1.an-answer-is-of-one-moment"]),
    (Quirk::NeverRotates, &["key-provider.2.rotation-gives-another-key", "key-provider.2.the-former-key-stays"]),
    (Quirk::ForgetsTheFormer, &["key-provider.2.the-former-key-stays"]),
    (Quirk::ShowsItsKeys, &["key-provider.4.debug-hides-keys"]),
    (Quirk::ShowsSecretsInErrors, &["key-provider.4.errors-hide-keys"]),
    (Quirk::LacksWithAnotherCode, &["key-provider.errors.no-key"]),
    (Quirk::MalformedWithAnotherCode, &["key-provider.errors.a-malformed-key"]),
    (Quirk::FailsWithAnotherCode, &["key-provider.errors.a-failing-service"]),
    (
        Quirk::TiresAfterTwenty,
        &[
            "key-provider.1.many-at-once-agree",
            "key-provider.1.an-answer-is-of-one-moment",
            "key-provider.3.answers-again-and-again",
            "key-provider.cancellation.a-dropped-call-leaves-no-trace",
        ],
    ),
    (Quirk::StaysBusyWhenDropped, &["key-provider.cancellation.a-dropped-call-leaves-no-trace"]),
];

struct Animal {
    quirk: Quirk,
    fake: FakeKeyProvider,
    calls: AtomicUsize,
}

impl fmt::Debug for Animal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Animal");
        if self.quirk == Quirk::ShowsItsKeys {
            debug.field("key", &[0_u8; MasterKey::MIN_LEN]);
        }
        debug.finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl KeyProvider for Animal {
    async fn keys(&self) -> Result<KeyRing> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst);
        let ring = self.fake.keys().await.map_err(|error| match self.quirk {
            Quirk::ShowsSecretsInErrors => Error::new(error.code(), "not a key: hunter2"),
            _ => error,
        })?;
        let mut busy = Busy { calls: &self.calls, for_ever: self.quirk == Quirk::StaysBusyWhenDropped };
        tokio::task::yield_now().await;
        busy.for_ever = false;
        drop(busy);
        let key = |byte: usize| MasterKey::new(&[u8::try_from(byte).unwrap(); MasterKey::MIN_LEN]).unwrap();
        match self.quirk {
            Quirk::RepeatsAKey => KeyRing::new(ring.current().clone()).with_previous(vec![key(99), key(99)]),
            Quirk::DealsKeysInTurn => Ok(KeyRing::new(key(100 + calls))),
            Quirk::ReadsInTwoSteps => {
                let later = self.fake.keys().await?;
                // What is current comes from one moment, what is earlier from another.
                let earlier = ring.previous().to_vec();
                KeyRing::new(later.current().clone()).with_previous(earlier)
            }
            Quirk::NeverRotates => Ok(KeyRing::new(key(0))),
            Quirk::ForgetsTheFormer => Ok(KeyRing::new(ring.current().clone())),
            Quirk::TiresAfterTwenty if calls > 20 => Err(Error::new(ErrorCode::E065, "tired")),
            Quirk::StaysBusyWhenDropped if calls >= BUSY => Err(Error::new(ErrorCode::E065, "busy")),
            _ => Ok(ring),
        }
    }
}

/// So many calls that none is answered any more.
const BUSY: usize = 1 << 32;

struct Busy<'a> {
    calls: &'a AtomicUsize,
    for_ever: bool,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.for_ever {
            self.calls.store(BUSY, Ordering::SeqCst);
        }
    }
}
