//! Rules about refusals, outages, and what errors show.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Error, ErrorCode, Key, SetOptions, Ttl, Write};

use super::batches::LARGEST_REFUSED;
use super::calls::{Call, Target};
use crate::conformance::case::Case;
use crate::conformance::fixture::Illness;
use crate::conformance::outcome::{Outcome, Unmet, ensure, holds};

pub(crate) async fn backend_9_calls_end_while_the_store_is_silent(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    case.fall_ill(Illness::Silent).await?;
    fail_all(case, "to end by itself while the store is silent", &key, &value).await?;
    case.recover().await;
    comes_back(case).await
}

pub(crate) async fn backend_errors_trouble_has_a_code(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    case.fall_ill(Illness::Down).await?;
    fail_all(case, "to fail while the store is down", &key, &value).await?;
    case.recover().await;
    comes_back(case).await
}

pub(crate) async fn backend_errors_too_large_is_refused(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    let large = too_large(case)?;
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    refused("set of a value over the limit", ErrorCode::E022, case.backend().set(&key, large, &case.kept()).await)?;
    holds("get after a set that was refused", case.backend().get(&key).await?.as_ref(), &value)
}

pub(crate) async fn fenced_errors_too_large_is_refused(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    let large = too_large(case)?;
    fenced.acquire(&key, &token, Duration::from_secs(600)).await?;
    let answer = fenced.set_fenced(&key, &token, large.clone(), &case.kept()).await;
    refused("set_fenced of a value over the limit", ErrorCode::E022, answer)?;
    let answer = fenced.set_and_revoke(&key, large, &case.kept()).await;
    refused("set_and_revoke of a value over the limit", ErrorCode::E022, answer)?;
    ensure(fenced.release(&key, &token).await?, "a refused store to leave the fence", || "that it is gone".to_owned())
}

pub(crate) async fn backend_errors_a_life_too_long_is_refused(case: &Case) -> Outcome {
    let Some(longest) = case.backend().limits().max_ttl.filter(|longest| *longest < Duration::MAX) else {
        return Err(Unmet::skipped("the backend takes every time to live"));
    };
    let (key, value) = (case.key("k"), case.value());
    let longer = SetOptions::new(Ttl::try_from(longest.saturating_add(Duration::from_millis(1)))?);
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    let answer = case.backend().set(&key, case.value(), &longer).await;
    refused("set with a life over the limit", ErrorCode::E063, answer)?;
    holds("get after a set that was refused", case.backend().get(&key).await?.as_ref(), &value)?;
    if let Some(expiring) = case.backend().abilities().expiring {
        refused("renew with a life over the limit", ErrorCode::E063, expiring.renew(&key, longer.ttl).await)?;
    }
    Ok(())
}

pub(crate) async fn backend_errors_nothing_secret_is_shown(case: &Case) -> Outcome {
    let (key, marker) = (case.key("users:somebody-in-person"), "the-words-of-a-value-that-nobody-may-see");
    let value = Bytes::from_static(marker.as_bytes());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    let mut shown = vec![("Debug of the backend", format!("{:?} {:#?}", case.backend(), case.backend()))];
    if let Some(entry) = case.backend().get(&key).await? {
        shown.push(("Debug of an entry", format!("{entry:?}")));
    }
    let mut errors = Vec::new();
    if let Ok(large) = too_large(case) {
        errors.extend(case.backend().set(&key, large, &case.kept()).await.err());
    }
    if let Some(longest) = case.backend().limits().max_ttl.filter(|longest| *longest < Duration::MAX) {
        let longer = case.options(longest.saturating_add(Duration::from_millis(1)));
        errors.extend(case.backend().set(&key, value.clone(), &longer).await.err());
    }
    if case.fall_ill(Illness::Down).await.is_ok() {
        for (_, answer) in make_all(case, "to end", &key, &value).await? {
            errors.extend(answer.err());
        }
        case.recover().await;
    }
    shown.extend(errors.iter().map(|error| ("an error", told(error))));

    let secrets = case.secrets();
    for (what, text) in shown {
        let found = if text.contains(key.as_str()) {
            "a key in full"
        } else if text.contains(marker) || text.contains(&format!("{:?}", marker.as_bytes())) {
            "a value"
        } else if secrets.iter().any(|secret| text.contains(secret.as_str())) {
            "a secret of the fixture's"
        } else {
            continue;
        };
        return Err(Unmet::deviates(format_args!("{what} without secrets"), found));
    }
    Ok(())
}

/// Makes one call of each kind, all at once, and waits for their ends.
async fn make_all(
    case: &Case,
    what: &str,
    key: &Key,
    value: &Bytes,
) -> Outcome<Vec<(Call, cachekit_core::Result<()>)>> {
    let running: Vec<_> = Call::of(&**case.backend())
        .into_iter()
        .map(|call| {
            let write = Write::new(key.clone(), value.clone(), case.kept());
            let target = Target { write, prefix: case.namespace("ill"), token: case.token() };
            (call, tokio::spawn(call.make(Arc::clone(case.backend()), target)))
        })
        .collect();
    let mut answers = Vec::new();
    for (call, ends) in running {
        let answer = case.in_time(&format!("{call} {what}"), ends).await?;
        answers.push((call, answer.map_err(|panic| Unmet::deviates("no panic", panic))?));
    }
    Ok(answers)
}

async fn fail_all(case: &Case, what: &str, key: &Key, value: &Bytes) -> Outcome {
    let answers = make_all(case, what, key, value).await?;
    answers.into_iter().try_for_each(|(call, answer)| fails(case, call, answer))
}

/// The error of an ill store says which backend it is, and that the backend is at fault.
fn fails(case: &Case, call: Call, answer: cachekit_core::Result<()>) -> Outcome {
    let Err(error) = answer else {
        return Err(Unmet::deviates(format_args!("{call} to fail while the store is ill"), "success"));
    };
    let name = case.backend().name();
    ensure(error.backend_name() == Some(name), format_args!("an error that names the backend {name:?}"), || {
        error.to_string()
    })?;
    ensure(
        error.trips_breaker() || error.is_retryable(),
        "a code that tells trouble of the store, which may pass, from a mistake of the caller",
        || error.to_string(),
    )
}

fn refused<T>(when: &str, code: ErrorCode, answer: cachekit_core::Result<T>) -> Outcome {
    match answer {
        Err(error) if error.code() == code => Ok(()),
        Err(error) => Err(Unmet::deviates(format_args!("{when}: {code}"), error)),
        Ok(_) => Err(Unmet::deviates(format_args!("{when}: {code}"), "success")),
    }
}

/// A backend finds a recovered store again by itself, though not necessarily at once.
async fn comes_back(case: &Case) -> Outcome {
    let key = &case.key("back");
    let value = case.value();
    let back = async {
        while case.backend().set(key, value.clone(), &case.kept()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        case.backend().get(key).await
    };
    let found = case.in_time("calls to succeed after the store has recovered", back).await?;
    holds("get after the store has recovered", found?.as_ref(), &value)
}

/// A value of one byte more than the backend takes.
fn too_large(case: &Case) -> Outcome<Bytes> {
    match case.backend().limits().max_value {
        Some(most) if most <= LARGEST_REFUSED => Ok(vec![0; most + 1].into()),
        Some(_) => Err(Unmet::skipped("the largest value is too large to go beyond it")),
        None => Err(Unmet::skipped("the backend takes values of every size")),
    }
}

/// All that an error shows, its causes included.
fn told(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let _ = write!(text, " {error} {error:?}");
        cause = error.source();
    }
    text
}
