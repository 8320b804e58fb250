//! [`Settings`]: what the service takes from its environment.

use std::net::SocketAddr;
use std::time::Duration;

use cachekit::core::{AttemptTimeout, CircuitBreaker, ConcurrencyLimit, Deadline, Retry};
use cachekit::{Cache, Environment, RedisBackend, Resilience, Result};

/// What the service takes from its environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens: `LISTEN`, or 127.0.0.1:3000.
    pub listen: SocketAddr,
    /// How long an open breaker leaves Redis alone: `BREAKER_OPEN_SECONDS`, or as in [`Resilience::production`].
    pub breaker_open: Option<Duration>,
    /// What CacheKit reads.
    pub environment: Environment,
}

impl Settings {
    /// Those of `environment`.
    ///
    /// # Errors
    /// A sentence, for a value that cannot be.
    pub fn of(environment: Environment) -> Result<Self, String> {
        let text = |name: &str| environment.get(name).and_then(|value| value.to_str());
        let listen = text("LISTEN").unwrap_or("127.0.0.1:3000");
        let listen = listen.parse().map_err(|_| format!("LISTEN: expected an address and a port, got {listen:?}"))?;
        let seconds = |text: &str| {
            let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            seconds.ok_or_else(|| format!("BREAKER_OPEN_SECONDS: expected a number of seconds, got {text:?}"))
        };
        let breaker_open = text("BREAKER_OPEN_SECONDS").map(seconds).transpose()?;
        Ok(Self { listen, breaker_open, environment })
    }

    /// The cache: Redis with the policies of production around it. No I/O: Redis may be down when the service starts.
    ///
    /// # Errors
    /// E040 and E041 if the environment names no Redis, or one that cannot be; E044 for an impossible open time.
    pub fn cache(&self) -> Result<Cache> {
        let redis = RedisBackend::from_env(|name| self.environment.get(name).map(ToOwned::to_owned))?;
        let resilience = match self.breaker_open {
            None => Resilience::production(),
            Some(open) => production_but(open)?,
        };
        Cache::builder().name("shop").backend(redis).resilience(resilience).build()
    }
}

/// [`Resilience::production`] with another open time: the same parts, in the same order.
fn production_but(open: Duration) -> Result<Resilience> {
    let whole = Duration::from_secs(1);
    let retry = Retry::builder()
        .with_first_wait(whole / 50)
        .with_cap(whole / 5)
        .with_total(whole)
        .with_longest_retry_after(whole / 2);
    Ok(Resilience::none()
        .with(Deadline::new(whole)?)
        .with(ConcurrencyLimit::builder(1_024).with_queue(16_384).with_wait(whole / 2).build()?)
        .with(retry.build()?)
        .with(CircuitBreaker::builder().with_open_time(open).build()?)
        .with(AttemptTimeout::new(whole * 2 / 5)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_the_same_open_time_it_is_production() {
        let minute = production_but(Duration::from_secs(60)).expect("valid");
        assert_eq!(minute.to_string(), Resilience::production().to_string());
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let of = |name: &str, value: &str| Settings::of(Environment::from_iter([(name, value)])).map(|_| ());
        assert_eq!(of("LISTEN", "127.0.0.1:80"), Ok(()));
        assert_eq!(of("LISTEN", "here"), Err("LISTEN: expected an address and a port, got \"here\"".into()));
        assert!(of("BREAKER_OPEN_SECONDS", "-1").is_err_and(|told| told.contains("BREAKER_OPEN_SECONDS")));
    }
}
