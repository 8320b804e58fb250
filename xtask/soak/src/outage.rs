//! The trial `outage`: a real Redis goes away in five ways while callers load through the cache.

mod garbage;
mod load;
mod troubles;

use std::time::Duration;

use cachekit::core::Resilience;
use cachekit::{Cache, ErrorCode, RedisBackend};
use cachekit_testkit::faults::Faults;
use cachekit_testkit::fixtures::RedisServer;
use cachekit_testkit::proxy::FaultProxy;

use self::load::{Load, Seen};
use self::troubles::{TROUBLES, Trouble};
use crate::verdict::Verdicts;
use crate::{Asked, now, since};

/// How long the whole call may take, in the preset of production.
const DEADLINE: Duration = Duration::from_secs(1);
/// By how much a call may outlast it, on a machine that does other things too.
const GRACE: Duration = Duration::from_millis(20);
/// What a bypassed call may cost beyond its computing.
const BYPASS: Duration = Duration::from_millis(5);

pub(crate) fn run(asked: &Asked) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    for trouble in TROUBLES {
        for callers in [64, 1] {
            let case = format!("{}, {callers} callers", trouble.name);
            if case.contains(&asked.case) {
                eprintln!("{case}");
                runtime.block_on(play(&case, trouble, callers, &mut verdicts));
            }
        }
    }
    verdicts
}

/// One outage: well for a while, ill until the breaker has been open for a while, well again until it has closed.
async fn play(case: &str, trouble: &Trouble, callers: usize, verdicts: &mut Verdicts) {
    let mut server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let redis = RedisBackend::builder().url(&format!("redis://127.0.0.1:{}", proxy.port())).build().expect("valid");
    // In between, to count what gets as far as the server's client.
    let counted = Faults::over(redis);
    let cache: Cache =
        Cache::builder().backend(counted.clone()).resilience(Resilience::production()).build().expect("valid settings");
    eprintln!("  {}", cache.status().resilience.unwrap_or_default());
    let load = Load::start(&cache, callers);

    tokio::time::sleep(Duration::from_secs(5)).await;
    let well = load.take();
    let ill_since = now();
    let mut troubled = (trouble.begin)(&mut server, &proxy);

    let opened = until(Duration::from_secs(45), || cache.status().conditions.contains(&"open")).await;
    let opened_after = since(ill_since);
    let stalled = load.take();
    // Calls that were under way when it opened are of the time before.
    tokio::time::sleep(DEADLINE + GRACE).await;
    let (ending, sent_before) = (load.take(), counted.total_calls());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let sent = counted.total_calls() - sent_before;
    let bypassed = load.take();

    troubled.end(&mut server, &proxy);
    let closed = until(Duration::from_secs(120), || cache.status().conditions.contains(&"closed")).await;
    let closed_after = since(ill_since);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let probed = load.take();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let recovered = load.take();
    let pending = cache.status().pending_repairs;
    load.stop().await;
    cache.close(Duration::from_secs(5)).await;

    let all = [&well, &stalled, &ending, &bypassed, &probed, &recovered];
    let errors: u64 = all.iter().map(|seen| seen.errors).sum();
    let wrong: u64 = all.iter().map(|seen| seen.wrong).sum();
    let calls: u64 = all.iter().map(|seen| seen.calls).sum();
    verdicts.add(case, "no caller gets an error", format!("{errors} of {calls} calls"), errors == 0);
    verdicts.add(case, "no caller gets a wrong value", format!("{wrong} of {calls} calls"), wrong == 0);
    let slowest = all.iter().map(|seen| seen.slowest()).max().unwrap_or_default();
    let limit = DEADLINE + GRACE;
    verdicts.add(
        case,
        format!("no call costs more than computing and {limit:?}"),
        format!("{slowest:?}"),
        slowest <= limit,
    );
    verdicts.add(
        case,
        "the breaker opens within 30 s",
        format!("{opened_after:.1?}"),
        opened && opened_after.as_secs() < 30,
    );
    verdicts.add(case, "while it is open, nothing is sent, fences included", format!("{sent} calls"), sent == 0);
    verdicts.add(
        case,
        format!("while it is open, a call costs its computing and {BYPASS:?}"),
        bypassed.shown(),
        bypassed.percentile(99.9) <= BYPASS,
    );
    verdicts.add(case, "it closes again", format!("{:.1?} after the beginning", closed_after), closed);
    let (before, after) = (well.hit_rate(), recovered.hit_rate());
    verdicts.add(case, "the hit rate returns", format!("{before:.3} before, {after:.3} after"), after >= before - 0.02);
    verdicts.add(case, "nothing is left to repair", pending, pending == 0);
    let code = cache.status().last_error.map(|error| error.code());
    verdicts.add(case, "the last error is told", format!("{code:?}"), code.is_some_and(|code| code != ErrorCode::E066));
}

/// Looks every few milliseconds until `holds`, at most for so long.
async fn until(at_most: Duration, holds: impl Fn() -> bool) -> bool {
    let began = now();
    while !holds() {
        if since(began) > at_most {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

impl Seen {
    fn shown(&self) -> String {
        let [median, most, slowest] = [50.0, 99.9, 100.0].map(|part| self.percentile(part));
        format!("{median:.1?} in the median, {most:.1?} at 99.9 %, {slowest:.1?} at most, of {} calls", self.calls)
    }
}
