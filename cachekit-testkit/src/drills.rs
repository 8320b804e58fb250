//! Drills: every error code of the catalogue on demand, from a fake and by its real cause.

mod events;
mod fake;
mod real;
mod registry;
mod scene;

use std::fmt;
use std::pin::Pin;
use std::thread;

use cachekit::{ErrorCode, ErrorKind};
use serde::{Serialize, Serializer};

use self::events::Events;
pub use self::scene::Meanwhile;
use self::scene::{Drilled, SECRET};
use crate::conformance::matches;

/// Runs every drill, first the fake and then the real one of each code, and reports what came of it.
///
/// Real drills start real servers on loopback ports and stop them again: `redis-server` has to be installed. It takes a few seconds.
/// What fake drills leave to chance is drawn by a fixed seed, and what they wait for passes in virtual time: their reports are the
/// same in every run. Those of real drills are too, as far as their servers answer.
#[must_use]
pub fn run() -> Vec<DrillReport> {
    run_matching("", |_| {})
}

/// [`run`], of [those](all_matching) whose ids are what `pattern` says. Tells each report as it is made.
pub fn run_matching(pattern: &str, mut progress: impl FnMut(&DrillReport)) -> Vec<DrillReport> {
    let known = all();
    let mut reports = Vec::new();
    for drill in all_matching(pattern) {
        let report = drill.run();
        progress(&report);
        reports.push(report);
    }
    for &code in ErrorCode::ALL {
        if !known.iter().any(|drill| drill.code == code) {
            let observed = "nobody has written a drill for this code".to_owned();
            reports.push(DrillReport { code, drill: DrillKind::Fake, status: DrillStatus::Fail, observed });
        }
    }
    reports
}

/// All drills: a fake and a real one for each code, in the order of the codes.
#[must_use]
pub fn all() -> Vec<Drill> {
    registry::drills()
}

/// The drills whose [ids](Drill::id) are what `pattern` says, as with the rules of the conformance suite.
#[must_use]
pub fn all_matching(pattern: &str) -> Vec<Drill> {
    all().into_iter().filter(|drill| matches(&drill.id(), pattern)).collect()
}

/// Brings an error about, and checks what was promised of it:
///
/// 1. Its code, class, kind, whether it is retried, a store too, and whether a breaker counts it, against a list of their own.
/// 2. What a load returns [meanwhile](Meanwhile), and what a cached function does.
/// 3. That no secret shows: not in the error, not in its causes, not in `Debug` and status of the cache.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    code: ErrorCode,
    kind: DrillKind,
    expected: Expected,
    part: Part,
}

/// From what an error comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DrillKind {
    /// From a fake that fails on cue.
    Fake,
    /// By its real cause.
    Real,
}

impl DrillKind {
    /// "fake" or "real".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fake => "fake",
            Self::Real => "real",
        }
    }
}

/// What came of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DrillStatus {
    /// All that was promised is true.
    Pass,
    /// Something is not.
    Fail,
    /// The real cause does not exist yet.
    Pending,
}

impl DrillStatus {
    /// "pass", "fail" or "pending".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Pending => "pending",
        }
    }
}

/// What came of a drill, and what was seen. Serialized it is an element of `errors` in the report of the conformance suite:
/// `{"code", "drill", "status", "observed"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DrillReport {
    /// The code.
    #[serde(serialize_with = "as_text")]
    pub code: ErrorCode,
    /// From a fake, or by its real cause.
    pub drill: DrillKind,
    /// What came of it.
    pub status: DrillStatus,
    /// What was seen; what is wrong; or what the real cause waits for.
    pub observed: String,
}

/// What the list says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    class: &'static str,
    kind: ErrorKind,
    retried: bool,
    trips_breaker: bool,
    /// Whether it is always certain that nothing was sent, so that even a store may be made again.
    unsent: bool,
}

#[derive(Clone, Copy)]
enum Part {
    Runs { body: Body, meanwhile: Meanwhile },
    Pending(&'static str),
}

/// Brings the error about.
type Body = fn(ErrorCode) -> Pin<Box<dyn Future<Output = Drilled>>>;

impl Drill {
    /// Its name among the rules of the conformance suite: "errors.E010.real".
    #[must_use]
    pub fn id(&self) -> String {
        format!("errors.{}.{}", self.code, self.kind.as_str())
    }

    /// Which code it brings about.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Whether by a fake or by the real cause.
    #[must_use]
    pub fn kind(&self) -> DrillKind {
        self.kind
    }

    /// What the real cause waits for, if it does not exist yet.
    #[must_use]
    pub fn pending(&self) -> Option<&'static str> {
        match self.part {
            Part::Runs { .. } => None,
            Part::Pending(reason) => Some(reason),
        }
    }

    /// Runs it, in a thread and a runtime of its own.
    #[must_use]
    pub fn run(&self) -> DrillReport {
        let (status, observed) = match self.part {
            Part::Pending(reason) => (DrillStatus::Pending, reason.to_owned()),
            Part::Runs { body, meanwhile } => match self.play(body, meanwhile) {
                Ok(observed) => (DrillStatus::Pass, observed),
                Err(observed) => (DrillStatus::Fail, observed),
            },
        };
        DrillReport { code: self.code, drill: self.kind, status, observed: without_ports(&observed) }
    }

    /// What was seen, or what is wrong.
    fn play(&self, body: Body, meanwhile: Meanwhile) -> Result<String, String> {
        Events::prepare();
        let drill = *self;
        let played = thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all();
            if drill.kind == DrillKind::Fake {
                builder.start_paused(true);
            }
            let runtime = builder.build().map_err(|error| format!("no runtime: {error}"))?;
            let evidence = runtime.block_on(body(drill.code))?;
            evidence.check(&drill, meanwhile)
        });
        match played.join() {
            Ok(seen) => seen.map_err(|wrong| wrong.replace(SECRET, "<the secret>")),
            Err(payload) => {
                Err(format!("the drill panicked: {}", panic_message(&*payload).replace(SECRET, "<the secret>")))
            }
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs { meanwhile, .. } => {
                f.debug_struct("Runs").field("meanwhile", meanwhile).finish_non_exhaustive()
            }
            Self::Pending(reason) => f.debug_tuple("Pending").field(reason).finish(),
        }
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "without a message",
    }
}

/// The text without the numbers of ports, which differ from run to run.
fn without_ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut stable = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        stable.push_str(HOST);
        stable.push_str("PORT");
        stable.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    stable
}

fn as_text<S: Serializer>(code: &ErrorCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

#[cfg(test)]
mod tests {
    use cachekit::Error;
    use cachekit::core::Operation;

    use super::*;
    use crate::drills::scene::Evidence;

    const EXPECTED: Expected = Expected {
        class: "ConnectionError",
        kind: ErrorKind::Transient,
        retried: true,
        trips_breaker: true,
        unsent: false,
    };

    fn run(body: Body) -> (DrillStatus, String) {
        let part = Part::Runs { body, meanwhile: Meanwhile::Told };
        let report = Drill { code: ErrorCode::E010, kind: DrillKind::Fake, expected: EXPECTED, part }.run();
        (report.status, report.observed)
    }

    fn fails(body: Body, why: &str) {
        let (status, observed) = run(body);
        assert!(status == DrillStatus::Fail && observed.contains(why), "{observed}");
        assert!(!observed.contains(SECRET), "{observed}");
    }

    fn told(error: Error) -> Drilled {
        Ok(Evidence::error(error, Meanwhile::Told))
    }

    #[test]
    fn a_drill_that_sees_what_was_promised_passes_and_its_report_is_the_same_in_every_run() {
        let body: Body = |code| Box::pin(async move { told(Error::new(code, "127.0.0.1:4711 and 127.0.0.1:1")) });
        let seen = "E010 ConnectionError: 127.0.0.1:PORT and 127.0.0.1:PORT; TRANSIENT, retried, but not a store, counted by the breaker; \
                    the caller was told, and nothing was stored";
        assert_eq!(run(body), (DrillStatus::Pass, seen.to_owned()));
    }

    #[test]
    fn a_drill_fails_whichever_promise_is_broken() {
        fails(|_| Box::pin(async { told(Error::new(ErrorCode::E065, "gone")) }), "got (E065, \"BackendError\"");
        fails(
            |code| Box::pin(async move { told(Error::new(code, "gone").not_retryable()) }),
            "got (E010, \"ConnectionError\"",
        );
        fails(|code| Box::pin(async move { told(Error::new(code, "gone").unsent()) }), "true, true, false), got");
        fn written(code: ErrorCode, error: fn(Error) -> Error) -> Drilled {
            let written = error(Error::new(code, "gone").with_operation(Operation::Set));
            Ok(Evidence::error(Error::new(code, "gone"), Meanwhile::Told).and_write(written))
        }
        fails(|code| Box::pin(async move { written(code, Error::unsent) }), "a store");
        fails(|code| Box::pin(async move { written(code, |error| error.with_operation(Operation::Get)) }), "a store");
        fn own_value(code: ErrorCode) -> Evidence {
            Evidence::error(Error::new(code, "gone"), Meanwhile::OwnValue)
        }
        fails(|code| Box::pin(async move { Ok(own_value(code)) }), "expected meanwhile the caller was told");
        fails(|code| Box::pin(async move { told(Error::new(code, SECRET)) }), "a secret shows");
        fails(|code| Box::pin(async move { told(Error::new(code, "gone").with_source(SECRET)) }), "a secret shows");
        fails(
            |code| Box::pin(async move { Ok(Evidence::event(code, SECRET.to_owned(), Meanwhile::Told)) }),
            "a secret",
        );
        fails(|_| Box::pin(async { Err(format!("no error with {SECRET}")) }), "no error with <the secret>");
        fails(|_| Box::pin(async { panic!("{SECRET}") }), "the drill panicked: <the secret>");
    }

    #[test]
    fn what_a_cache_shows_is_looked_at_too() {
        let shows: Body = |code| {
            Box::pin(async move {
                let backend = crate::faults::Faults::over(Leaky(cachekit::MemoryBackend::new()));
                let cache = cachekit::Cache::builder().backend(backend).build().map_err(scene::words)?;
                Ok(Evidence::error(Error::new(code, "gone"), Meanwhile::Told).of(&cache))
            })
        };
        fails(shows, "a secret shows");
    }

    /// Shows in `Debug` what it should not.
    struct Leaky(cachekit::MemoryBackend);

    impl fmt::Debug for Leaky {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(SECRET)
        }
    }

    #[async_trait::async_trait]
    impl cachekit::Backend for Leaky {
        fn name(&self) -> &str {
            "leaky"
        }

        async fn get(&self, key: &cachekit::Key) -> cachekit::Result<Option<cachekit::core::Entry>> {
            self.0.get(key).await
        }

        async fn set(
            &self,
            key: &cachekit::Key,
            value: bytes::Bytes,
            options: &cachekit::core::SetOptions,
        ) -> cachekit::Result<()> {
            self.0.set(key, value, options).await
        }

        async fn delete(&self, key: &cachekit::Key) -> cachekit::Result<()> {
            self.0.delete(key).await
        }
    }
}
