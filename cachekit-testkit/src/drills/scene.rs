//! What drills share: a cache to look at, the evidence that they bring, and the checks on it.

use std::convert::Infallible;
use std::fmt;

use cachekit::{Cache, Error, ErrorCode, Key, Namespace, cache};

use super::Expected;
use crate::everything_shown;

/// What a drill ends with: evidence, or what is wrong in words.
pub(super) type Drilled = Result<Evidence, String>;

/// What stands in every key, value, URL and password of a drill, and never in what shows.
pub(super) const SECRET: &str = "hunter2.Tr0ub4dor";

/// What loads and cached functions do while the trouble lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meanwhile {
    /// The loader runs and its value arrives.
    OwnValue,
    /// There is nothing that could load: making or opening it was refused.
    NotMade,
    /// The caller is told: there is no value.
    Told,
}

/// What a drill has seen.
#[derive(Debug)]
pub(super) struct Evidence {
    observed: Observed,
    meanwhile: Meanwhile,
    /// What else shows to people: `Debug` and status of the cache.
    shown: Vec<String>,
}

#[derive(Debug)]
enum Observed {
    Error(Error),
    /// The code stands in an event, for there is nobody to whom an error could be returned.
    Event(ErrorCode, String),
}

impl Evidence {
    /// An error that was returned.
    pub(super) fn error(error: Error, meanwhile: Meanwhile) -> Self {
        Self { observed: Observed::Error(error), meanwhile, shown: Vec::new() }
    }

    /// An event with a code.
    pub(super) fn event(code: ErrorCode, text: String, meanwhile: Meanwhile) -> Self {
        Self { observed: Observed::Event(code, text), meanwhile, shown: Vec::new() }
    }

    /// With what a cache shows of itself.
    pub(super) fn of(mut self, cache: &Cache) -> Self {
        let status = cache.status();
        self.shown.extend([format!("{cache:?}"), format!("{status} {status:?}")]);
        self
    }

    /// Checks all that was promised, and says in a line what was seen.
    pub(super) fn check(self, code: ErrorCode, expected: &Expected, meanwhile: Meanwhile) -> Result<String, String> {
        let (seen, text) = match &self.observed {
            Observed::Error(error) => {
                let seen =
                    (error.code(), error.class().as_str(), error.kind(), error.is_retryable(), error.trips_breaker());
                (seen, error.to_string())
            }
            Observed::Event(code, text) => {
                let seen = (*code, code.class().as_str(), code.kind(), code.is_retryable(), code.trips_breaker());
                (seen, format!("event: {text}"))
            }
        };
        let wanted = (code, expected.class, expected.kind, expected.retried, expected.trips_breaker);
        if seen != wanted {
            return Err(format!("expected code, class, kind, retried, counted {wanted:?}, got {seen:?}: {text}"));
        }
        if self.meanwhile != meanwhile {
            return Err(format!("expected meanwhile {meanwhile}, got {}", self.meanwhile));
        }
        let mut shown = self.shown;
        match &self.observed {
            Observed::Error(error) => shown.extend(everything_shown(error).into_iter().map(|(_, text)| text)),
            Observed::Event(_, text) => shown.push(text.clone()),
        }
        if shown.iter().any(|text| text.contains(SECRET)) {
            return Err(format!("a secret shows: {text}"));
        }
        let retried = if expected.retried { "retried" } else { "not retried" };
        let counted = if expected.trips_breaker { "counted by the breaker" } else { "not counted by the breaker" };
        Ok(format!("{text}; {}, {retried}, {counted}; {meanwhile}", expected.kind))
    }
}

impl fmt::Display for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnValue => "loads and cached functions returned their own values",
            Self::NotMade => "nothing was made that could load",
            Self::Told => "the caller was told, and nothing was stored",
        })
    }
}

/// The namespace that drills use, of texts.
pub(super) fn texts(cache: &Cache) -> Result<Namespace<String>, String> {
    cache.namespace::<String>("drills").open().map_err(words)
}

/// Where texts stores what belongs to the secret.
pub(super) fn stored_key() -> Result<Key, String> {
    Key::new(&format!("drills:{SECRET}")).map_err(words)
}

/// Loads through `texts`, and through a cached function with `cache`: each has to return its own value.
pub(super) async fn own_values(cache: &Cache, texts: &Namespace<String>) -> Result<Meanwhile, String> {
    let own = format!("loaded with {SECRET}");
    let loaded = texts.get_or_load(SECRET, || async { Ok::<_, Infallible>(own.clone()) }).await.map_err(words)?;
    ensure(*loaded == own, "a load returned another value than its own")?;
    let computed = cachekit::scope(cache.clone(), compute(SECRET)).await;
    ensure(computed == format!("computed with {SECRET}"), "a cached function returned another value than its own")?;
    Ok(Meanwhile::OwnValue)
}

/// A cached function.
#[cache(ttl = "5m", name = "cachekit_testkit.drills.compute")]
async fn compute(with: &str) -> String {
    format!("computed with {with}")
}

/// The error, which has to be there.
pub(super) fn refused<T>(answer: cachekit::Result<T>, what: &str) -> Result<Error, String> {
    match answer {
        Ok(_) => Err(format!("{what}: expected an error, got none")),
        Err(error) => Ok(error),
    }
}

pub(super) fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

pub(super) fn words(error: impl fmt::Display) -> String {
    format!("unexpected: {error}")
}
