//! `#[cache(background)]` and what it makes possible; and what is served in hard times with and without it.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachekit::{Cache, Error, ErrorCode, ManualClock, cache, tell_stale};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// What a body does: counts, and then succeeds, fails, panics or hangs.
#[derive(Clone, Debug, Default)]
struct Source(Arc<(AtomicU64, AtomicU64)>);

impl Source {
    const FAILS: u64 = 1;
    const PANICS: u64 = 2;
    const IS_SLOW: u64 = 3;

    fn turn(&self, what: u64) {
        self.0.1.store(what, Ordering::SeqCst);
    }

    async fn next(&self) -> Result<u64, String> {
        let run = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        match self.0.1.load(Ordering::SeqCst) {
            Self::FAILS => return Err("no answer".to_owned()),
            Self::PANICS => panic!("in the body"),
            Self::IS_SLOW => sleep(10 * SECOND).await,
            _ => {}
        }
        Ok(run)
    }

    fn runs(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }
}

/// An error that the cache's can become.
#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Own(String),
    Cache(ErrorCode),
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self::Own(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Cache(error.code())
    }
}

#[cache(ttl = "5m", skip(source), background, refresh_after = "1m", stale_for = "1h", load_timeout = "2s")]
async fn kept(source: Source, id: u64) -> Result<u64, Failure> {
    Ok(source.next().await? * 10 + id)
}

#[cache(ttl = "5m", skip(source), background, refresh_after = "1m")]
async fn plain(source: Source, id: u64) -> u64 {
    source.next().await.unwrap() * 10 + id
}

#[cache(ttl = "5m", skip(source), background)]
async fn optional(source: Source, id: u64) -> Option<Arc<String>> {
    let run = source.next().await.unwrap();
    (id > 0).then(|| Arc::new(format!("{id} {run}")))
}

#[cache(ttl = "5m", skip(source), stale_for = "1h")]
async fn borrowed(source: &Source, id: u64) -> Result<u64, String> {
    Ok(source.next().await? * 10 + id)
}

struct Service(Source);

impl Service {
    #[cache(name = "Service::find", background)]
    async fn find(self: Arc<Self>, id: u64) -> u64 {
        self.0.next().await.unwrap() * 10 + id
    }
}

fn world() -> (Cache, ManualClock, Source) {
    let clock = ManualClock::new();
    (Cache::builder().clock(clock.clone()).build().unwrap(), clock, Source::default())
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_due_is_served_and_refreshed_in_the_background() {
    let (cache, clock, source) = world();
    cachekit::scope(cache.clone(), async {
        assert_eq!(plain(source.clone(), 7).await, 17);
        clock.advance(MINUTE);
        for _ in 0..100 {
            assert_eq!(plain(source.clone(), 7).await, 17);
        }
        sleep(SECOND).await;
        assert_eq!(plain(source.clone(), 7).await, 27);
        source.turn(Source::PANICS);
        clock.advance(MINUTE);
        assert_eq!(plain(source.clone(), 7).await, 27);
        sleep(SECOND).await;
        assert_eq!((plain(source.clone(), 7).await, source.runs()), (27, 3));
    })
    .await;
    assert_eq!(cache.stats().refreshes, 2);
}

#[tokio::test(start_paused = true)]
async fn hard_times_are_bridged_and_told_to_who_asks() {
    let (cache, clock, source) = world();
    cachekit::scope(cache, async {
        source.turn(Source::FAILS);
        assert_eq!(kept(source.clone(), 7).await, Err(Failure::Own("no answer".to_owned())));
        source.turn(Source::IS_SLOW);
        assert_eq!(kept(source.clone(), 7).await, Err(Failure::Cache(ErrorCode::E034)));
        source.turn(0);
        assert_eq!(kept(source.clone(), 7).await, Ok(37));
        clock.advance(6 * MINUTE);
        for what in [Source::FAILS, Source::PANICS, Source::IS_SLOW] {
            source.turn(what);
            let began = Instant::now();
            assert_eq!(tell_stale(kept(source.clone(), 7)).await, (Ok(37), true));
            assert_eq!(began.elapsed(), if what == Source::IS_SLOW { 2 * SECOND } else { Duration::ZERO });
        }
        assert_eq!(tell_stale(kept(source.clone(), 7)).await, (Ok(37), true), "at once, while it is being loaded");
        sleep(10 * SECOND).await;
        assert_eq!(tell_stale(kept(source.clone(), 7)).await, (Ok(67), false), "it went on");

        source.turn(0);
        assert_eq!(borrowed(&source, 7).await, Ok(77));
        clock.advance(6 * MINUTE);
        source.turn(Source::FAILS);
        assert_eq!(tell_stale(borrowed(&source, 7)).await, (Ok(77), true));
        clock.advance(60 * MINUTE);
        assert_eq!(borrowed(&source, 7).await, Err("no answer".to_owned()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_in_a_task_is_cached_in_every_shape_and_its_panic_reaches_its_caller() {
    let (cache, _, source) = world();
    cachekit::scope(cache.clone(), async {
        assert_eq!(optional(source.clone(), 0).await, None);
        assert_eq!(optional(source.clone(), 0).await, None);
        assert_eq!(optional(source.clone(), 1).await.unwrap().as_str(), "1 2");
        assert_eq!(optional(source.clone(), 1).await.unwrap().as_str(), "1 2");
        let service = Arc::new(Service(source.clone()));
        assert_eq!(Arc::clone(&service).find(4).await, 34);
        assert_eq!(service.find(4).await, 34);

        source.turn(Source::PANICS);
        let panicked = tokio::spawn(cachekit::scope(cache.clone(), plain(source.clone(), 9))).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(kept(source.clone(), 9).await, Err(Failure::Cache(ErrorCode::E035)));
        source.turn(0);

        // Without a cache it runs as if there were none.
        cache.disable();
        assert_eq!((plain(source.clone(), 1).await, plain(source.clone(), 1).await), (61, 71));
    })
    .await;
}
