//! An outage under load: retries stay within their budget, and nothing lingers when it is over.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachekit_core::{
    Admission, Backend, Call, Deadline, ErrorCode, Moment, Next, Outcome, Resilience, ResiliencePolicy, Retry, Verdict,
};
use cachekit_testkit::faults::{Faults, Rule};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::common::{Always, TokioClock, key, memory};

const SECOND: Duration = Duration::from_secs(1);
const CLIENTS: u32 = 200;
const CALLS: u32 = 50;

/// What was seen of one phase of the outage.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    calls: usize,
    attempts: usize,
    failed: usize,
}

/// Retries, and looks at every wait and at when attempts begin.
#[derive(Debug)]
struct Watched {
    retry: Retry,
    waits: Mutex<Vec<Duration>>,
    latest: AtomicU64,
}

impl ResiliencePolicy for Watched {
    fn admit(&self, call: &Call, now: Moment, random: u64) -> Verdict {
        self.latest.fetch_max(now.since(call.began).as_nanos() as u64, Ordering::Relaxed);
        self.retry.admit(call, now, random)
    }

    fn finish(&self, call: &Call, admission: Admission, outcome: Outcome<'_>, now: Moment, random: u64) -> Next {
        let next = self.retry.finish(call, admission, outcome, now, random);
        if let Next::AgainAfter(wait) = next {
            self.waits.lock().unwrap().push(wait);
        }
        next
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.retry.fmt(f)
    }
}

/// 200 clients make 10,000 calls while the backend is down for a minute: what was seen in the first ten seconds, in the
/// rest of the outage, and from a minute and a half after it on.
async fn storm(faults: &Faults, resilience: Resilience, outage: Vec<Rule>) -> [Seen; 3] {
    let backend = cachekit_core::ResilientBackend::with_parts(
        Arc::new(faults.clone()),
        resilience,
        Arc::new(TokioClock::new()),
        &Always(11),
    );
    let began = Instant::now();
    let phases = [0, 10, 60, 150, 155].map(|second| second * SECOND);
    let seen = Mutex::new([Seen::default(); 4]);
    let phase = || phases.iter().rposition(|begin| began.elapsed() >= *begin).unwrap_or(0);
    let clients = (0..CLIENTS).map(|client| {
        let (backend, seen) = (&backend, &seen);
        async move {
            // Spread over the outage, and once more after it.
            for call in 0..CALLS + 20 {
                let at = if call < CALLS { 60 * SECOND * call / CALLS } else { 151 * SECOND };
                let at = at + SECOND * client / CLIENTS;
                sleep(at.saturating_sub(began.elapsed())).await;
                let of = phase();
                let failed = backend.get(&key("a")).await.is_err();
                let mut seen = seen.lock().unwrap();
                if let Some(seen) = seen.get_mut(of) {
                    seen.calls += 1;
                    seen.failed += usize::from(failed);
                }
            }
        }
    });
    let watch = async {
        for rule in outage {
            faults.inject(rule);
        }
        let mut before = 0;
        for (of, end) in phases.iter().skip(1).enumerate() {
            sleep(end.saturating_sub(began.elapsed())).await;
            if of == 1 {
                faults.recover();
            }
            let now = faults.total_calls();
            seen.lock().unwrap()[of].attempts = now - before;
            before = now;
        }
    };
    tokio::join!(join_all(clients), watch);
    let [first, outage, _, after] = *seen.lock().unwrap();
    assert_eq!(first.calls + outage.calls, (CLIENTS * CALLS) as usize);
    [first, outage, after]
}

fn watched() -> Arc<Watched> {
    let retry = Retry::builder().with_attempts(5).with_first_wait(SECOND / 50).with_cap(SECOND / 5).with_total(SECOND);
    Arc::new(Watched { retry: retry.build().unwrap(), waits: Mutex::default(), latest: AtomicU64::new(0) })
}

#[tokio::test(start_paused = true)]
async fn without_a_breaker_the_budget_keeps_retries_down() {
    let outages = [
        vec![Rule::fail(ErrorCode::E010)],
        vec![Rule::fail(ErrorCode::E061)],
        vec![Rule::delay(SECOND / 3), Rule::fail(ErrorCode::E064).afterwards()],
    ];
    for outage in outages {
        let faults = memory();
        let watched = watched();
        let stack = Resilience::none().with(Deadline::new(SECOND).unwrap()).with_shared(watched.clone());
        let [_, during, after] = storm(&faults, stack, outage).await;
        assert_eq!(during.failed, during.calls);
        let amplified = during.attempts as f64 / during.calls as f64;
        assert!(amplified <= 1.2, "{amplified} attempts for each call: {during:?}");
        assert_eq!((after.attempts, after.failed), (after.calls, 0), "as if nothing had been: {after:?}");
        let waits = watched.waits.lock().unwrap();
        assert!(waits.len() >= 50 && waits.iter().all(|wait| *wait <= SECOND / 5), "no wait is over its cap");
        assert!(
            watched.latest.load(Ordering::Relaxed) < SECOND.as_nanos() as u64,
            "no attempt begins after the deadline"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_preset_of_production_the_backend_is_left_alone() {
    let faults = memory();
    let [first, during, after] = storm(&faults, Resilience::production(), vec![Rule::fail(ErrorCode::E010)]).await;
    assert!(first.attempts <= 200, "the breaker opened within the first calls: {first:?}");
    assert!(during.attempts <= 3, "a probe at a time: {during:?}");
    assert_eq!((after.attempts, after.failed), (after.calls, 0), "{after:?}");
}
