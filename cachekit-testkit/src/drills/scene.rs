//! What drills share: a cache to look at, the evidence that they bring, and the checks on it.

use std::convert::Infallible;
use std::fmt;

use cachekit::core::Operation;
use cachekit::{Cache, Error, ErrorCode, Key, Namespace, cache};

use super::{Drill, DrillKind, Expected};
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
    /// What a store met at the same time.
    written: Option<Error>,
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
        Self { observed: Observed::Error(error), written: None, meanwhile, shown: Vec::new() }
    }

    /// An event with a code.
    pub(super) fn event(code: ErrorCode, text: String, meanwhile: Meanwhile) -> Self {
        Self { observed: Observed::Event(code, text), written: None, meanwhile, shown: Vec::new() }
    }

    /// With what a store met, which has to be the same error, and is made again only if nothing was sent.
    pub(super) fn and_write(mut self, error: Error) -> Self {
        self.written = Some(error);
        self
    }

    /// With what a cache shows of itself.
    pub(super) fn of(mut self, cache: &Cache) -> Self {
        let status = cache.status();
        self.shown.extend([format!("{cache:?}"), format!("{status} {status:?}")]);
        self
    }

    /// Checks all that was promised, and says in a line what was seen.
    pub(super) fn check(self, drill: &Drill, meanwhile: Meanwhile) -> Result<String, String> {
        let Drill { code, expected, kind: source, .. } = *drill;
        let Expected { class, kind, retried, trips_breaker, unsent } = expected;
        let of = |code: ErrorCode, retried: bool, unsent: bool| {
            (code, code.class().as_str(), code.kind(), retried, code.trips_breaker(), unsent)
        };
        // By its real cause it may also be known, here and there, that nothing was sent.
        let sent = |error: &Error| error.is_unsent() && (unsent || source == DrillKind::Fake);
        let (seen, text) = match &self.observed {
            Observed::Error(error) => (of(error.code(), error.is_retryable(), sent(error)), error.to_string()),
            Observed::Event(code, text) => (of(*code, code.is_retryable(), unsent), format!("event: {text}")),
        };
        let wanted = (code, class, kind, retried, trips_breaker, unsent);
        if seen != wanted {
            return Err(format!(
                "expected code, class, kind, retried, counted, nothing sent {wanted:?}, got {seen:?}: {text}"
            ));
        }
        if let Some(written) = &self.written {
            let again = written.is_retryable()
                && (written.is_unsent() || written.operation().is_some_and(Operation::is_repeatable));
            if written.code() != code || again != (retried && unsent) {
                let wanted = if retried && unsent { "is made again" } else { "is not made again" };
                return Err(format!("expected {code} of a store, which {wanted}, got {written:?}"));
            }
        }
        if self.meanwhile != meanwhile {
            return Err(format!("expected meanwhile {meanwhile}, got {}", self.meanwhile));
        }
        let mut shown = self.shown;
        shown.extend(self.written.iter().flat_map(|error| everything_shown(error)).map(|(_, text)| text));
        match &self.observed {
            Observed::Error(error) => shown.extend(everything_shown(error).into_iter().map(|(_, text)| text)),
            Observed::Event(_, text) => shown.push(text.clone()),
        }
        if shown.iter().any(|text| text.contains(SECRET)) {
            return Err(format!("a secret shows: {text}"));
        }
        let retried = match (retried, unsent) {
            (true, true) => "retried, a store too",
            (true, false) => "retried, but not a store",
            (false, _) => "not retried",
        };
        let counted = if trips_breaker { "counted by the breaker" } else { "not counted by the breaker" };
        Ok(format!("{text}; {kind}, {retried}, {counted}; {meanwhile}"))
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
