//! Keys show nowhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::ffi::OsString;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use cachekit_core::{EntryContext, Error, Format, Key, KeyProvider, KeyRing, MasterKey, Transform};
use cachekit_crypto::{CachedKeys, EnvironmentKeys, FileKeys, Keys, StaticKeys};
use cachekit_testkit::{assert_debug_redacted, assert_redacted};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

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

/// The file was fine at first: what is wrong with it later is told in events.
#[tokio::test]
async fn no_event_shows_a_digit_of_a_key() {
    let told = Told::default();
    let _listening = tracing::subscriber::set_default(told.clone());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    std::fs::write(&path, &malformed()[0]).unwrap();
    let keys = Keys::new(FileKeys::new(&path)).await.unwrap();
    let mut failed = 0;
    for current in &malformed()[1..] {
        for previous in malformed() {
            std::fs::write(&path, format!("{current}\n{previous}")).unwrap();
            failed += usize::from(keys.refresh().await.is_err());
        }
    }
    let told = told.0.lock().unwrap();
    assert!(failed > 40 && told.matches("master keys not refreshed").count() >= failed, "{failed} failed");
    assert!(!told.is_empty() && SHOWN.iter().all(|shown| !told.contains(shown)), "an event shows a key");
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

/// All that spans and events say.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<String>>);

impl Subscriber for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Writes(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Writes(&mut self.0.lock().unwrap()));
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Writes(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Writes<'a>(&'a mut String);

impl Visit for Writes<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}: {value:?}").unwrap();
    }
}
