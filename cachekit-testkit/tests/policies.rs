//! The policies of core keep the contract of policies.
//!
//! They are tested here and not in core, whose own tests would otherwise never be built without the engine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use cachekit_core::{
    AttemptTimeout, CircuitBreaker, CircuitBreakerBuilder, ConcurrencyLimit, Deadline, RateLimit, Retry,
};
use cachekit_testkit::conformance::policy::{PolicyFixture, run};

const SECOND: Duration = Duration::from_secs(1);

mod breaker {
    cachekit_testkit::policy_conformance!(super::breaker(super::usual_breaker));
}

mod breaker_that_opens_soon {
    cachekit_testkit::policy_conformance!(super::breaker(super::hasty_breaker));
}

mod breaker_that_counts_slow_calls {
    cachekit_testkit::policy_conformance!(super::breaker(super::slow_breaker));
}

mod retry {
    cachekit_testkit::policy_conformance!(super::retry());
}

mod retry_without_a_budget {
    cachekit_testkit::policy_conformance!(
        super::PolicyFixture::new(|| { super::Retry::builder().without_budget().with_attempts(9).build().unwrap() })
            .with_setting("no budget")
    );
}

mod rate_limit {
    cachekit_testkit::policy_conformance!(super::rate_limit());
}

mod rate_limit_that_refuses {
    cachekit_testkit::policy_conformance!(
        super::PolicyFixture::new(|| { super::RateLimit::builder(2, super::SECOND).build().unwrap() })
            .with_setting("rate(2 calls in 1s")
    );
}

mod concurrency_limit {
    cachekit_testkit::policy_conformance!(super::concurrency_limit());
}

mod concurrency_limit_without_a_queue {
    cachekit_testkit::policy_conformance!(
        super::PolicyFixture::new(|| { super::ConcurrencyLimit::builder(3).with_queue(0).build().unwrap() })
            .with_setting("limit(3 at once, no queue)")
    );
}

mod deadline {
    cachekit_testkit::policy_conformance!(super::deadline());
}

mod attempt_timeout {
    cachekit_testkit::policy_conformance!(super::attempt_timeout());
}

#[tokio::test]
async fn each_shows_what_it_has_to() {
    // How many rules say nothing about it: those on queues, time limits and generations, where it has none.
    for (name, make, skipped) in [
        ("breaker", (|| breaker(usual_breaker)) as fn() -> PolicyFixture, 4),
        ("breaker that opens soon", || breaker(hasty_breaker), 4),
        ("retry", retry, 5),
        ("rate limit", rate_limit, 5),
        ("concurrency limit", concurrency_limit, 2),
        ("deadline", deadline, 4),
        ("attempt timeout", attempt_timeout, 4),
    ] {
        let report = run(name, None, async || make()).await;
        assert_eq!((report.count("fail"), report.count("skip")), (0, skipped), "{report}");
    }
}

fn breaker(settings: impl Fn() -> CircuitBreakerBuilder + Send + Sync + 'static) -> PolicyFixture {
    PolicyFixture::new(move || settings().build().unwrap()).with_setting("breaker(").with_setting("probes")
}

fn usual_breaker() -> CircuitBreakerBuilder {
    CircuitBreaker::builder()
}

fn hasty_breaker() -> CircuitBreakerBuilder {
    CircuitBreaker::builder().with_in_a_row(3).with_open_time(10 * SECOND).with_probes(1)
}

/// The suite's calls take 5 ms: were these slow, it would never close again, as it should not.
fn slow_breaker() -> CircuitBreakerBuilder {
    CircuitBreaker::builder().with_slow_calls(Duration::from_millis(6), 50).with_least_calls(4).with_drought(2, SECOND)
}

fn retry() -> PolicyFixture {
    PolicyFixture::new(|| Retry::builder().build().unwrap()).with_setting("retry(3 attempts").with_setting("budget 500")
}

/// Its longest wait is over within the second that the suite leaves after a storm of abandoned calls: what was booked is
/// not given back.
fn rate_limit() -> PolicyFixture {
    let wait = Duration::from_millis(800);
    PolicyFixture::new(move || RateLimit::builder(5, SECOND).with_burst(3).with_wait(wait).build().unwrap())
        .with_setting("rate(5 calls in 1s, 3 at once, wait up to 800ms)")
}

fn concurrency_limit() -> PolicyFixture {
    PolicyFixture::new(|| ConcurrencyLimit::builder(4).with_queue(16).build().unwrap())
        .with_setting("limit(4 at once, 16 in the queue for 1s)")
}

fn deadline() -> PolicyFixture {
    PolicyFixture::new(|| Deadline::new(2 * SECOND).unwrap()).with_setting("deadline(2s)")
}

fn attempt_timeout() -> PolicyFixture {
    PolicyFixture::new(|| AttemptTimeout::new(SECOND).unwrap()).with_setting("timeout(1s, E064)")
}
