//! The fakes keep their contracts until they are told to fail.

use std::convert::Infallible;
use std::time::Duration;

use cachekit_core::{
    Admission, Applied, Cache, Call, EntryContext, Error, ErrorCode, Format, Key, KeyProvider, KeyRing, MemoryBackend,
    Moment, Next, Operation, Outcome, ResiliencePolicy, Serializer, Transform, TransformKind, Verdict,
};
use cachekit_serde::MessagePack;
use cachekit_testkit::fakes::{FakeKeyProvider, FakePolicy, FakeSerializer, FakeTransform};

#[test]
fn a_serializer_fails_with_half_a_document_written() {
    let fake = FakeSerializer::over(MessagePack);
    let shared = fake.clone();
    let mut bytes = b"before".to_vec();
    shared.on_serialize().fail_next(1, ErrorCode::E020);
    let value = "a text".to_owned();
    assert_eq!(fake.serialize(&value, &mut bytes).unwrap_err().code(), ErrorCode::E020);
    assert!(bytes.len() > 6 && bytes.starts_with(b"before"), "{bytes:?}");

    bytes.clear();
    fake.serialize(&value, &mut bytes).unwrap();
    shared.on_deserialize().fail_next(1, ErrorCode::E021);
    let read = || Serializer::<String>::deserialize(&fake, &bytes);
    assert_eq!(read().unwrap_err().code(), ErrorCode::E021);
    assert_eq!(read().unwrap(), value);
    assert_eq!((fake.on_serialize().calls(), fake.on_deserialize().calls()), (2, 2));
    assert_eq!(Serializer::<String>::format(&fake), Format::MESSAGE_PACK);
}

#[tokio::test]
async fn a_cache_with_a_failing_serializer_returns_its_values_uncached() {
    let fake = FakeSerializer::over(MessagePack);
    let cache: Cache<MessagePack> = Cache::builder().backend(MemoryBackend::new()).build().unwrap();
    let users = cache.namespace::<String>("users").serializer(fake.clone()).open().unwrap();
    let load = async || users.get_or_load(1, || async { Ok::<_, Infallible>("Ada".to_owned()) }).await.unwrap();
    fake.on_serialize().fail_next(1, ErrorCode::E020);
    assert_eq!(*load().await, "Ada");
    assert_eq!(*load().await, "Ada");
    assert_eq!(*load().await, "Ada");
    assert_eq!(users.stats().loads, 2, "the first value was not cached, the second was");
}

#[test]
fn a_transform_reverses_what_it_did_and_refuses_another_context() {
    let (one, other) = (Key::new("users:1").unwrap(), Key::new("users:2").unwrap());
    let context = |key, tenant, header| EntryContext::new(key, tenant, Format::JSON, header);
    let own = context(&one, Some("a"), b"header");
    for kind in [TransformKind::Encryption, TransformKind::Compression] {
        let fake = FakeTransform::new(kind);
        for plain in [&b""[..], b"a value"] {
            let mut bytes = plain.to_vec();
            assert_eq!(fake.apply(&own, &mut bytes).unwrap(), Applied::Yes);
            assert!(plain.is_empty() || !bytes.windows(plain.len()).any(|part| part == plain));
            let sealed = bytes.clone();
            fake.reverse(&own, &mut bytes).unwrap();
            assert_eq!(bytes, plain);

            let foreign = [
                context(&other, Some("a"), b"header"),
                context(&one, Some("b"), b"header"),
                context(&one, None, b"header"),
                context(&one, Some("a"), b"headeR"),
            ];
            for context in foreign {
                let mut bytes = sealed.clone();
                let opened = fake.reverse(&context, &mut bytes).map_err(|error| error.code());
                match kind {
                    TransformKind::Encryption => assert_eq!((opened, bytes.len()), (Err(ErrorCode::E003), 0)),
                    _ => assert_eq!((opened, &*bytes), (Ok(()), plain)),
                }
            }
            // Cut or altered, at every place.
            for at in 0..sealed.len() {
                let mut altered = sealed.clone();
                altered[at] ^= 1;
                for mut hostile in [sealed[..at].to_vec(), altered] {
                    let code = fake.reverse(&own, &mut hostile).unwrap_err().code();
                    let expected = if kind == TransformKind::Encryption { ErrorCode::E003 } else { ErrorCode::E021 };
                    assert_eq!((code, hostile.len()), (expected, 0));
                }
            }
        }
        fake.on_apply().fail_next(1, ErrorCode::E006);
        assert_eq!(fake.apply(&own, &mut Vec::new()).unwrap_err().code(), ErrorCode::E006);
        fake.decline(true);
        assert_eq!(fake.apply(&own, &mut Vec::new()).unwrap(), Applied::Declined);
    }
}

#[tokio::test]
async fn a_key_provider_rotates() {
    let fake = FakeKeyProvider::new();
    let first = fake.keys().await.unwrap();
    assert!(first.previous().is_empty());
    for _ in 0..5 {
        fake.clone().rotate();
    }
    let ring = fake.keys().await.unwrap();
    assert_eq!(ring.previous().len(), KeyRing::MAX_PREVIOUS);
    assert_eq!(ring.previous()[0].expose(), [4; 32]);
    assert_eq!(ring.current().expose(), [5; 32]);
    assert_eq!(first.current().expose(), [0; 32]);
    fake.on_keys().fail(ErrorCode::E060);
    assert_eq!(fake.keys().await.unwrap_err().code(), ErrorCode::E060);
}

#[test]
fn a_policy_keeps_account() {
    let fake = FakePolicy::new();
    let now = Moment::from_nanos(0);
    let mut call = Call::new(Operation::Get, now);
    let Verdict::Go(first) = fake.admit(&call, now, 0) else { panic!("not let go") };
    fake.delay(Duration::from_secs(3));
    let Verdict::GoAfter(delay, second) = fake.admit(&call, now, 0) else { panic!("not delayed") };
    assert_eq!((delay, fake.outstanding()), (Duration::from_secs(3), 2));
    assert_ne!(first, second);

    let error = Error::new(ErrorCode::E065, "gone");
    fake.retry(1, Duration::from_secs(1));
    assert_eq!(fake.finish(&call, first, Outcome::Success(Duration::ZERO), now, 0), Next::Done);
    let failed = Outcome::Failure(&error, Duration::ZERO);
    assert_eq!(fake.finish(&call, second, failed, now, 0), Next::AgainAfter(Duration::from_secs(1)));
    assert_eq!((fake.outstanding(), fake.unexpected()), (0, 0));
    // Twice, or without an admission: somebody does not keep the contract.
    assert_eq!(fake.finish(&call, second, failed, now, 0), Next::Done);
    assert_eq!(fake.finish(&call, Admission::new(7, 7), Outcome::Abandoned, now, 0), Next::Done);
    assert_eq!((fake.succeeded(), fake.failed(), fake.abandoned(), fake.unexpected()), (1, 2, 1, 2));

    fake.queue(Some(Duration::from_secs(1)));
    let Verdict::Queue { ticket, .. } = fake.admit(&call, now, 0) else { panic!("not queued") };
    call.ticket = Some(ticket);
    assert_eq!(fake.admit(&call, now, 0), Verdict::Queue { ticket, at_most: Duration::from_secs(1) });
    fake.finish(&call, Admission::new(0, ticket), Outcome::Abandoned, now, 0);
    assert_eq!(fake.unexpected(), 2, "a ticket may be given up");
    fake.queue(None);
    assert!(matches!(fake.admit(&call, now, 0), Verdict::GoAfter(..)));
    fake.on_admit().fail(ErrorCode::E030);
    assert_eq!(fake.admit(&call, now, 0), Verdict::Refuse(ErrorCode::E030));
    assert_eq!(fake.to_string(), "fake");
}
