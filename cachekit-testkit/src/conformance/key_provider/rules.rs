//! The rules for a key provider, as functions.

use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;

use cachekit_core::{Error, ErrorCode, KeyProvider, KeyRing};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{KeyProviderFixture, Outcome, Rotate};
use crate::conformance::case::polled;
use crate::conformance::outcome::{Unmet, ensure};
use crate::redaction::everything_shown;

pub(super) async fn key_provider_1_the_ring_is_whole(fixture: &KeyProviderFixture) -> Outcome {
    for _ in 0..=KeyRing::MAX_PREVIOUS + 1 {
        let keys = bytes(&keys(fixture).await?);
        let repeated = (1..keys.len()).any(|at| keys[..at].contains(&keys[at]));
        ensure(!repeated, "each key of a ring once", || format!("{} keys, of which some are equal", keys.len()))?;
        match &fixture.rotate {
            Some(rotate) => rotate().await,
            None => break,
        }
    }
    Ok(())
}

pub(super) async fn key_provider_1_many_at_once_agree(fixture: &KeyProviderFixture) -> Outcome {
    let first = keys(fixture).await?;
    let mut asking = JoinSet::new();
    for _ in 0..64 {
        let (provider, patience) = (Arc::clone(&fixture.provider), fixture.patience);
        asking.spawn(async move { timeout(patience, async { provider.keys().await }).await });
    }
    while let Some(ended) = asking.join_next().await {
        let ring = ended
            .map_err(|_| Unmet::deviates("no panic", "a panic of one of 64 calls"))?
            .map_err(|_| hung(fixture))??;
        same("one of 64 calls at once", &ring, &first)?;
    }
    Ok(())
}

pub(super) async fn key_provider_1_an_answer_is_of_one_moment(fixture: &KeyProviderFixture) -> Outcome {
    let rotate = rotation(fixture)?;
    for polls in 1..=8 {
        let before = keys(fixture).await?;
        let ring = {
            let mut asking = std::pin::pin!(fixture.provider.keys());
            match polled(asking.as_mut(), polls).await {
                Some(ring) => {
                    rotate().await;
                    ring
                }
                None => {
                    rotate().await;
                    in_time(fixture, asking).await?
                }
            }
        }?;
        let after = keys(fixture).await?;
        let whole = [&before, &after].iter().any(|moment| bytes(moment) == bytes(&ring));
        ensure(whole, format_args!("a ring of one moment, with a rotation after poll {polls}"), || {
            "neither the keys of before nor those of after".to_owned()
        })?;
    }
    Ok(())
}

pub(super) async fn key_provider_2_rotation_gives_another_key(fixture: &KeyProviderFixture) -> Outcome {
    let rotate = rotation(fixture)?;
    let before = keys(fixture).await?;
    rotate().await;
    let after = keys(fixture).await?;
    // The suite compares keys that it was handed and shows none.
    let another = before.current().expose() != after.current().expose();
    ensure(another, "another current key after a rotation", || "the same".to_owned())
}

pub(super) async fn key_provider_2_the_former_key_stays(fixture: &KeyProviderFixture) -> Outcome {
    let rotate = rotation(fixture)?;
    let mut expected = bytes(&keys(fixture).await?);
    for n in 1..=KeyRing::MAX_PREVIOUS {
        rotate().await;
        let found = bytes(&keys(fixture).await?);
        let kept = &expected[..expected.len().min(KeyRing::MAX_PREVIOUS)];
        ensure(found[1..] == *kept, format_args!("after rotation {n}: the former keys, the latest first"), || {
            format!("{} earlier keys, not {} in that order", found.len() - 1, kept.len())
        })?;
        expected = found;
    }
    Ok(())
}

pub(super) async fn key_provider_3_answers_again_and_again(fixture: &KeyProviderFixture) -> Outcome {
    let first = keys(fixture).await?;
    for n in 0..32 {
        same(&format!("call {n}"), &keys(fixture).await?, &first)?;
    }
    Ok(())
}

pub(super) async fn key_provider_4_debug_hides_keys(fixture: &KeyProviderFixture) -> Outcome {
    let before = debugged(&fixture.provider);
    let ring = keys(fixture).await?;
    let after = debugged(&fixture.provider);
    let mut hidden = forms(&ring);
    hidden.extend(fixture.secrets.iter().cloned());
    for provider in [&fixture.lacking, &fixture.malformed, &fixture.failing].into_iter().flatten() {
        shows_none("Debug of a provider that fails", &debugged(provider), &hidden)?;
    }
    shows_none("Debug before keys were asked for", &before, &hidden)?;
    shows_none("Debug after keys were asked for", &after, &hidden)
}

pub(super) async fn key_provider_4_errors_hide_keys(fixture: &KeyProviderFixture) -> Outcome {
    let ill: Vec<_> = [&fixture.lacking, &fixture.malformed, &fixture.failing].into_iter().flatten().collect();
    if ill.is_empty() {
        return Err(Unmet::skipped("the fixture has no provider that fails"));
    }
    let mut hidden = forms(&keys(fixture).await?);
    hidden.extend(fixture.secrets.iter().cloned());
    for provider in ill {
        // Whether it fails is another rule's.
        let Err(error) = in_time(fixture, provider.keys()).await? else { continue };
        for (place, text) in everything_shown(&error) {
            shows_none(&place, &text, &hidden)?;
        }
    }
    Ok(())
}

pub(super) async fn key_provider_errors_no_key(fixture: &KeyProviderFixture) -> Outcome {
    fail_with(fixture, "lacks its key", &fixture.lacking, &[ErrorCode::E001]).await
}

pub(super) async fn key_provider_errors_a_malformed_key(fixture: &KeyProviderFixture) -> Outcome {
    fail_with(fixture, "has a malformed key", &fixture.malformed, &[ErrorCode::E002]).await
}

pub(super) async fn key_provider_errors_a_failing_service(fixture: &KeyProviderFixture) -> Outcome {
    use ErrorCode as E;
    let codes = [E::E060, E::E061, E::E062, E::E063, E::E064, E::E065, E::E066];
    fail_with(fixture, "has a failing service", &fixture.failing, &codes).await
}

pub(super) async fn key_provider_cancellation_a_dropped_call_leaves_no_trace(fixture: &KeyProviderFixture) -> Outcome {
    let first = keys(fixture).await?;
    for polls in 0..16 {
        // Done or dropped: both are fine.
        let _ = polled(fixture.provider.keys(), polls).await;
        same(&format!("after a call that was dropped after {polls} polls"), &keys(fixture).await?, &first)?;
    }
    Ok(())
}

async fn fail_with(
    fixture: &KeyProviderFixture,
    kind: &str,
    providers: &[Arc<dyn KeyProvider>],
    codes: &[ErrorCode],
) -> Outcome {
    if providers.is_empty() {
        return Err(Unmet::skipped(format!("the fixture has no provider that {kind}")));
    }
    for (n, provider) in providers.iter().enumerate() {
        let expected = format!("one of {codes:?} from provider {n} of those that {kind}");
        // Twice: the first failure must not be taken for an answer.
        for _ in 0..2 {
            match in_time(fixture, provider.keys()).await? {
                Err(error) if codes.contains(&error.code()) => {}
                Err(error) => return Err(Unmet::deviates(expected, format_args!("{}", error.code()))),
                Ok(_) => return Err(Unmet::deviates(expected, "keys")),
            }
        }
    }
    Ok(())
}

async fn keys(fixture: &KeyProviderFixture) -> Outcome<KeyRing> {
    Ok(in_time(fixture, fixture.provider.keys()).await??)
}

async fn in_time(
    fixture: &KeyProviderFixture,
    asking: impl Future<Output = Result<KeyRing, Error>>,
) -> Outcome<Result<KeyRing, Error>> {
    timeout(fixture.patience, asking).await.map_err(|_| hung(fixture))
}

fn hung(fixture: &KeyProviderFixture) -> Unmet {
    Unmet::deviates("every call to be answered in its time", format_args!("nothing within {:?}", fixture.patience))
}

fn rotation(fixture: &KeyProviderFixture) -> Outcome<&Rotate> {
    fixture.rotate.as_ref().ok_or_else(|| Unmet::skipped("the fixture cannot rotate keys"))
}

fn same(when: &str, ring: &KeyRing, expected: &KeyRing) -> Outcome {
    ensure(bytes(ring) == bytes(expected), format_args!("{when}: the keys of before"), || "other keys".to_owned())
}

/// The current key, then the earlier ones. They are exposed to be compared, and to be looked for where they must not show.
fn bytes(ring: &KeyRing) -> Vec<Vec<u8>> {
    std::iter::once(ring.current()).chain(ring.previous()).map(|key| key.expose().to_vec()).collect()
}

/// How eight bytes of each key would look if they were shown.
fn forms(ring: &KeyRing) -> Vec<String> {
    let mut forms = Vec::new();
    for key in bytes(ring) {
        let part = &key[..8];
        let hex = part.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes what is written");
            hex
        });
        forms.extend([hex.to_uppercase(), hex]);
        // Both layouts of a list in `Debug`.
        let list = |between: &str| part.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
        forms.extend([list(", "), list(",")]);
        if part.iter().all(u8::is_ascii_graphic) {
            forms.extend(std::str::from_utf8(part).map(str::to_owned));
        }
        forms.push(base64(&key[..9]));
    }
    forms
}

/// Three bytes to four digits, in the alphabet that most use.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks_exact(3) {
        let bits = three.iter().fold(0_usize, |bits, &byte| bits << 8 | usize::from(byte));
        text.extend([18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63])));
    }
    text
}

fn debugged(provider: &Arc<dyn KeyProvider>) -> String {
    // The alternate form has its lists on lines of their own.
    let alternate: String = format!("{provider:#?}").split_whitespace().collect();
    format!("{provider:?} {alternate}")
}

fn shows_none(place: &str, text: &str, hidden: &[String]) -> Outcome {
    let shown = hidden.iter().any(|hidden| text.contains(hidden.as_str()));
    ensure(!shown, format_args!("no key and no secret in {place}"), || "one shows".to_owned())
}
