//! [`Rule`]: one fault, and the calls that meet it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::{ErrorCode, Operation};

use super::gate::Gate;

/// One fault, and the calls that meet it: all that it can happen to, unless said otherwise.
///
/// ```
/// use cachekit_core::{ErrorCode, MemoryBackend, Operation};
/// use cachekit_testkit::faults::{Faults, Rule};
///
/// let faults = Faults::over(MemoryBackend::new());
/// faults.inject(Rule::fail(ErrorCode::E065).on([Operation::Get]).next(3));
/// faults.inject(Rule::lands_but_fails(ErrorCode::E064).keys(|key| key.starts_with("users:")).nth(2));
/// faults.inject(Rule::flipped_byte().with_probability(0.1));
/// ```
///
/// Several rules may meet one call: their faults happen in the order in which the rules were injected, up to one that ends the
/// call.
///
/// # Which call is the n-th
/// Each rule counts for itself, from when it was injected, the calls that fit its operations, keys and time; a batch is one call.
#[derive(Clone)]
pub struct Rule {
    pub(super) fault: Fault,
    pub(super) operations: Option<Vec<Operation>>,
    pub(super) keys: Option<KeyFilter>,
    pub(super) skipped: u64,
    pub(super) times: u64,
    pub(super) lasting: Option<Duration>,
    pub(super) probability: f64,
    pub(super) late: bool,
}

pub(super) type KeyFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What happens to a call.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Fail(ErrorCode),
    Delay(Duration),
    Never,
    Hold(Gate),
    Lose,
    Torn,
    FlippedByte,
    Truncated,
    Stale,
}

impl Rule {
    /// The call fails with `code` and has no effect.
    #[must_use]
    pub fn fail(code: ErrorCode) -> Self {
        Self::new(Fault::Fail(code))
    }

    /// The write is done, and then fails with `code`: who made it cannot know.
    #[must_use]
    pub fn lands_but_fails(code: ErrorCode) -> Self {
        Self::new(Fault::Fail(code)).on(WRITES).afterwards()
    }

    /// The write is acknowledged and never done.
    #[must_use]
    pub fn lost() -> Self {
        Self::new(Fault::Lose)
    }

    /// The call takes `time` of tokio's longer.
    #[must_use]
    pub fn delay(time: Duration) -> Self {
        Self::new(Fault::Delay(time))
    }

    /// The call is never answered, not even when the backend recovers. Unless told [`afterwards`](Self::afterwards) it has no
    /// effect.
    #[must_use]
    pub fn never_answers() -> Self {
        Self::new(Fault::Never)
    }

    /// The call waits at `gate` until it is opened.
    #[must_use]
    pub fn hold(gate: &Gate) -> Self {
        Self::new(Fault::Hold(gate.clone()))
    }

    /// The value begins as the present one and ends as the one that was there before the last write through these faults, or in
    /// zeros if there was none.
    ///
    /// This and the other faults of values happen to what is read: [`Operation::Get`], [`Operation::GetMany`] and
    /// [`Operation::Acquire`]. Told so by [`on`](Self::on), all but [`stale`](Self::stale) happen to what is stored:
    /// [`Operation::Set`] and [`Operation::SetMany`]. An empty value has nothing to damage.
    #[must_use]
    pub fn torn() -> Self {
        Self::new(Fault::Torn)
    }

    /// One byte of the value is another. Which one, and what it becomes, is drawn by the seed.
    #[must_use]
    pub fn flipped_byte() -> Self {
        Self::new(Fault::FlippedByte)
    }

    /// The value ends early. Where is drawn by the seed.
    #[must_use]
    pub fn truncated() -> Self {
        Self::new(Fault::Truncated)
    }

    /// What is read is what was there before the last write through these faults: nothing, if that was the first.
    #[must_use]
    pub fn stale() -> Self {
        Self::new(Fault::Stale)
    }

    /// Only for these operations. [`READS`] and [`WRITES`] are the usual ones.
    ///
    /// A fault that cannot happen to an operation does not: a delete cannot be torn, and [`Operation::Close`] cannot fail.
    #[must_use]
    pub fn on(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations = Some(operations.into_iter().collect());
        self
    }

    /// Only for keys, or prefixes, that match: the whole stored key, as in `users:42`. Of a batch, failures, losses and damages
    /// meet the elements that match, and waits the whole.
    #[must_use]
    pub fn keys(mut self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.keys = Some(Arc::new(matches));
        self
    }

    /// Only the `n`-th call, from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        self.after(n.saturating_sub(1)).next(1)
    }

    /// Only the next `n` calls (with [`after`](Self::after): those that follow).
    #[must_use]
    pub fn next(mut self, n: u64) -> Self {
        self.times = n;
        self
    }

    /// Not the first `n` calls.
    #[must_use]
    pub fn after(mut self, n: u64) -> Self {
        self.skipped = n;
        self
    }

    /// Only for `time` of the [clock](super::Faults::with_clock), from when the rule is injected.
    #[must_use]
    pub fn during(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// Each of the calls only with this probability, 0.0 to 1.0, drawn by the [seed](super::Faults::with_seed).
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// The fault happens when the call has taken effect and the answer is on its way. For failures and waits.
    #[must_use]
    pub fn afterwards(mut self) -> Self {
        self.late = true;
        self
    }

    fn new(fault: Fault) -> Self {
        Self {
            fault,
            operations: None,
            keys: None,
            skipped: 0,
            times: u64::MAX,
            lasting: None,
            probability: 1.0,
            late: false,
        }
    }

    /// Whether the fault can happen to `operation`, and is meant to.
    pub(super) fn is_for(&self, operation: Operation) -> bool {
        let named = self.operations.as_ref().map(|operations| operations.contains(&operation));
        let possible = match self.fault {
            Fault::Fail(_) => operation != Operation::Close,
            Fault::Delay(_) | Fault::Never | Fault::Hold(_) => true,
            Fault::Lose => {
                WRITES.contains(&operation)
                    || (matches!(operation, Operation::Renew | Operation::Release) && named.is_some())
            }
            Fault::Stale => DAMAGED_IN_READING.contains(&operation),
            Fault::Torn | Fault::FlippedByte | Fault::Truncated => {
                DAMAGED_IN_READING.contains(&operation)
                    || (matches!(operation, Operation::Set | Operation::SetMany) && named.is_some())
            }
        };
        possible && named.unwrap_or(true)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("fault", &self.fault)
            .field("operations", &self.operations)
            .field("keys", &self.keys.as_ref().map(|_| "those that match"))
            .field("skipped", &self.skipped)
            .field("times", &self.times)
            .field("lasting", &self.lasting)
            .field("probability", &self.probability)
            .field("afterwards", &self.late)
            .finish()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(code) => write!(f, "fail {code}"),
            Self::Delay(time) => write!(f, "delay {time:?}"),
            Self::Never => f.write_str("never answered"),
            Self::Hold(_) => f.write_str("held"),
            Self::Lose => f.write_str("lost"),
            Self::Torn => f.write_str("torn"),
            Self::FlippedByte => f.write_str("flipped byte"),
            Self::Truncated => f.write_str("truncated"),
            Self::Stale => f.write_str("stale"),
        }
    }
}

/// The operations that change what is stored.
pub const WRITES: [Operation; 6] =
    [Operation::Set, Operation::SetMany, Operation::Delete, Operation::DeleteMany, Operation::Clear, Operation::Expire];

/// The operations that only look.
pub const READS: [Operation; 4] = [Operation::Get, Operation::GetMany, Operation::Exists, Operation::Ttl];

/// Those that bring values.
const DAMAGED_IN_READING: [Operation; 3] = [Operation::Get, Operation::GetMany, Operation::Acquire];
