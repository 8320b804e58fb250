//! The suite for serializers: the fake keeps it, each clause has its rule, and a zoo of broken serializers is caught.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod part_clauses;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;

use cachekit_core::{Error, ErrorCode, Format, Result, Serializer};
use cachekit_serde::MessagePack;
use cachekit_testkit::conformance::serializer::{SerializerFixture, rules, run};
use cachekit_testkit::fakes::FakeSerializer;

cachekit_testkit::serializer_conformance!(of(FakeSerializer::over(MessagePack)), seed = 7);

/// A text; something that MessagePack cannot hold if it is `Some(None)`; and what may be nested.
type Value = (String, Option<Option<u8>>, Vec<Vec<u8>>);

fn of<S: Serializer<Value>>(serializer: S) -> SerializerFixture<S, Value> {
    SerializerFixture::new(
        serializer,
        vec![(String::new(), None, Vec::new()), ("ab".to_owned(), Some(Some(3)), vec![vec![1]])],
    )
    .with_unholdable((String::new(), Some(None), Vec::new()), Some("$[1]"))
    .with_secret(("hunter2-hunter2".to_owned(), None, Vec::new()), "hunter2-hunter2")
    .with_bomb([&[0x93, 0xa0, 0xc0][..], &vec![0x91; 1_000]].concat())
}

#[test]
fn every_clause_has_a_rule_and_every_rule_a_clause() {
    let source = include_str!("../../cachekit-core/src/contract/serializer.rs");
    let clauses = part_clauses::of("serializer", source, "pub trait Serializer<T>", &["format", "serialize"]);
    part_clauses::compare(&clauses, rules());
}

#[tokio::test]
async fn what_does_nothing_wrong_is_caught_by_no_rule_and_only_allocation_is_skipped() {
    let report = run("fake", Some(7), async || of(Animal::new(Quirk::None))).await;
    assert_eq!((report.count("fail"), report.ids("skip")), (0, vec!["serializer.4.allocation-is-bounded"]), "{report}");
    assert!(report.passed());
    assert_eq!(report.to_json()["summary"]["pass"], rules().len() - 1);
}

#[tokio::test]
async fn the_zoo_is_caught() {
    let mut catching = BTreeSet::<&str>::new();
    for &(quirk, expected) in ZOO {
        let report = run("animal", Some(7), async || of(Animal::new(quirk))).await;
        assert_eq!(report.ids("fail"), expected, "{quirk:?}: {report}");
        catching.extend(expected);
    }
    let idle: Vec<_> = rules().iter().map(|rule| rule.id).filter(|id| !catching.contains(id)).collect();
    assert_eq!(idle, ["serializer.4.allocation-is-bounded"], "no animal shows that these rules can fail");
}

#[tokio::test]
async fn a_seed_gives_the_same_result_each_time() {
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let report = run("animal", Some(11), async || of(Animal::new(Quirk::PanicsOnOddRandomBytes))).await;
        seen.insert(report.to_string());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    None,
    LosesTheText,
    HoldsNothingAsNone,
    RefusesWithTheWrongCode,
    HidesThePath,
    TakesWhatFollows,
    PanicsWhenCut,
    PanicsOnFlippedBits,
    PanicsOnForeignBytes,
    PanicsOnOddRandomBytes,
    BelievesLengths,
    TakesNests,
    CountsWhatItWrites,
    SulksAfterTrouble,
    ShowsTheBytes,
    ChangesItsFormat,
    HasNoName,
    ReplacesWhatWasThere,
    ClearsOnRefusal,
    WorksInOneThreadOnly,
}

const ZOO: &[(Quirk, &[&str])] = &[
    (
        Quirk::LosesTheText,
        &["serializer.1.what-is-written-is-read", "serializer.5.failures-leave-no-trace", "serializer.5.many-at-once"],
    ),
    (
        Quirk::HoldsNothingAsNone,
        &["serializer.2.what-cannot-be-held-is-refused", "serializer.2.a-refusal-names-the-field"],
    ),
    (
        Quirk::RefusesWithTheWrongCode,
        &["serializer.2.what-cannot-be-held-is-refused", "serializer.2.a-refusal-names-the-field"],
    ),
    (Quirk::HidesThePath, &["serializer.2.a-refusal-names-the-field"]),
    (Quirk::TakesWhatFollows, &["serializer.3.bytes-that-follow-are-refused"]),
    (Quirk::PanicsWhenCut, &["serializer.4.cut-documents-are-survived"]),
    (Quirk::PanicsOnFlippedBits, &["serializer.4.flipped-bits-are-survived"]),
    (Quirk::PanicsOnForeignBytes, &["serializer.4.foreign-bytes-are-survived"]),
    (Quirk::PanicsOnOddRandomBytes, &["serializer.4.random-bytes-are-survived"]),
    (Quirk::BelievesLengths, &["serializer.4.lengths-that-lie-are-survived"]),
    (Quirk::TakesNests, &["serializer.4.depth-is-bounded"]),
    (Quirk::CountsWhatItWrites, &["serializer.5.the-same-bytes-each-time", "serializer.serialize.only-appends"]),
    (Quirk::SulksAfterTrouble, &["serializer.5.failures-leave-no-trace"]),
    (Quirk::ShowsTheBytes, &["serializer.errors.no-value-shows"]),
    (Quirk::ChangesItsFormat, &["serializer.format.stays-the-same"]),
    (Quirk::HasNoName, &["serializer.format.is-named"]),
    (
        Quirk::ReplacesWhatWasThere,
        &["serializer.serialize.only-appends", "serializer.serialize.a-refusal-leaves-what-was-there"],
    ),
    (Quirk::ClearsOnRefusal, &["serializer.serialize.a-refusal-leaves-what-was-there"]),
    (Quirk::WorksInOneThreadOnly, &["serializer.5.many-at-once"]),
];

#[derive(Debug)]
struct Animal {
    quirk: Quirk,
    calls: AtomicU64,
    home: ThreadId,
}

impl Animal {
    fn new(quirk: Quirk) -> Self {
        Self { quirk, calls: AtomicU64::new(0), home: std::thread::current().id() }
    }

    fn count(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst)
    }
}

impl Serializer<Value> for Animal {
    fn format(&self) -> Format {
        match self.quirk {
            Quirk::ChangesItsFormat if self.calls.load(Ordering::SeqCst) > 0 => Format::JSON,
            Quirk::HasNoName => Format::new(0, ""),
            _ => Format::MESSAGE_PACK,
        }
    }

    fn serialize(&self, value: &Value, bytes: &mut Vec<u8>) -> Result<()> {
        let calls = self.count();
        let mut value = value.clone();
        match self.quirk {
            Quirk::LosesTheText => value.0.clear(),
            Quirk::HoldsNothingAsNone if value.1 == Some(None) => value.1 = None,
            Quirk::ReplacesWhatWasThere => bytes.clear(),
            _ => {}
        }
        let before = bytes.len();
        let done = MessagePack.serialize(&value, bytes);
        if self.quirk == Quirk::CountsWhatItWrites && calls % 3 == 2 && value.0.is_empty() && done.is_ok() {
            // The same empty text in two bytes instead of one.
            bytes.splice(before + 1..before + 2, [0xd9, 0]);
        }
        match self.quirk {
            Quirk::RefusesWithTheWrongCode => {
                done.map_err(|error| Error::new(ErrorCode::E021, error.message().to_owned()))
            }
            Quirk::HidesThePath => done.map_err(|_| Error::new(ErrorCode::E020, "something is wrong")),
            Quirk::ClearsOnRefusal if done.is_err() => {
                bytes.clear();
                done
            }
            _ => done,
        }
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Value> {
        let calls = self.count();
        let done: Result<Value> = MessagePack.deserialize(bytes);
        let looks_written = bytes.first() == Some(&0x93);
        match self.quirk {
            Quirk::TakesWhatFollows => {
                // As a reader that stops where the value ends.
                let ends = (1..=bytes.len().min(100)).find_map(|end| MessagePack.deserialize(&bytes[..end]).ok());
                done.or_else(|error| ends.ok_or(error))
            }
            Quirk::PanicsWhenCut => {
                assert!(!looks_written || done.is_ok() || bytes.len() != 3, "the end came too early");
                done
            }
            Quirk::PanicsOnFlippedBits => {
                assert!(!bytes.starts_with(&[0x93, 0xa2, b'a', b'B']), "that is no text of mine");
                done
            }
            Quirk::PanicsOnForeignBytes => {
                assert!(!bytes.starts_with(b"<?xml"), "markup");
                done
            }
            Quirk::PanicsOnOddRandomBytes => {
                assert!(bytes.first() != Some(&0x17) || !(8..64).contains(&bytes.len()), "odd");
                done
            }
            Quirk::BelievesLengths => {
                assert!(!bytes.windows(5).any(|part| part == [0xdd, 0x7f, 0xff, 0xff, 0xff]), "capacity overflow");
                done
            }
            Quirk::TakesNests if bytes.len() > 1_000 && looks_written => Ok((String::new(), None, Vec::new())),
            Quirk::SulksAfterTrouble => {
                if done.is_err() {
                    self.calls.fetch_add(1 << 32, Ordering::SeqCst);
                }
                if calls >> 40 > 0 { Err(Error::new(ErrorCode::E021, "no more of this")) } else { done }
            }
            Quirk::ShowsTheBytes => {
                done.map_err(|_| Error::new(ErrorCode::E021, format!("cannot read {}", String::from_utf8_lossy(bytes))))
            }
            Quirk::WorksInOneThreadOnly if std::thread::current().id() != self.home => {
                Err(Error::new(ErrorCode::E021, "a stranger"))
            }
            _ => done,
        }
    }
}
