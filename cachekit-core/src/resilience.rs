//! Resilience: policies that decide about calls of a backend, and the driver that does what they say.

mod attempt_timeout;
mod backoff;
mod breaker;
mod concurrency_limit;
mod deadline;
mod driver;
mod padded;
mod presets;
mod rate_limit;
mod retry;
mod retry_budget;
mod settings;
mod stack;

pub use self::attempt_timeout::AttemptTimeout;
pub use self::breaker::{BreakerEvent, BreakerState, CircuitBreaker, CircuitBreakerBuilder};
pub use self::concurrency_limit::{ConcurrencyLimit, ConcurrencyLimitBuilder};
pub use self::deadline::Deadline;
pub use self::driver::{ResilienceCounts, ResilientBackend};
pub use self::rate_limit::{RateLimit, RateLimitBuilder};
pub use self::retry::{Retry, RetryBuilder};
pub use self::retry_budget::{RetryBudget, RetryBudgetBuilder};
pub use self::stack::Resilience;
