//! [`Recorder`]: every call that was made, in order, and what came of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachekit_core::{ErrorCode, Key, KeyPrefix, Operation};

/// Every call that was made, in order, and what came of it. Clones share the record.
///
/// Keys are kept [shortened](Key::redacted), so that a record may be printed. `Display` writes one line per call.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    begun: u64,
    ended: u64,
    records: Vec<Record>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The place in the order in which calls began, from 1.
    pub number: u64,
    /// Which operation.
    pub operation: Operation,
    /// The name of the method: [`Operation::Set`] may be `set`, `set_fenced` or `set_and_revoke`.
    pub method: &'static str,
    /// The keys, shortened; the prefix with a `*` for calls that concern one; none for calls about the whole store.
    pub keys: Vec<String>,
    /// The faults that met the call, in words.
    pub faults: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The place in the order in which calls ended, from 1; nothing for those that have not.
    pub ended: Option<u64>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has not been answered.
    Pending,
    /// Whoever made it gave it up before it was answered.
    Dropped,
    /// It was done. A batch is done if none of its elements failed.
    Done,
    /// There was an entry.
    Found,
    /// There was none.
    Missing,
    /// It was answered with a no that is not an error: a fence held by another, or lost.
    Declined,
    /// It failed. Of a batch, the code of the first element that did.
    Failed(ErrorCode),
}

impl Recorder {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All calls, in the order in which they began.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.state().records.clone()
    }

    /// How many calls of `operation` were made.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.state().records.iter().filter(|record| record.operation == operation).count()
    }

    /// How many calls were made.
    #[must_use]
    pub fn total(&self) -> usize {
        self.state().records.len()
    }

    /// How many calls came to `outcome`.
    #[must_use]
    pub fn ended_as(&self, outcome: Outcome) -> usize {
        self.state().records.iter().filter(|record| record.outcome == outcome).count()
    }

    /// Forgets what was recorded. Numbers go on.
    pub fn forget(&self) {
        self.state().records.clear();
    }

    /// Records that a call begins. It counts as [dropped](Outcome::Dropped) unless [`Recording::end`] is called.
    #[must_use = "dropping it says that the call was given up"]
    pub fn begin(&self, operation: Operation, method: &'static str, keys: Vec<String>) -> Recording {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        let outcome = Outcome::Pending;
        state.records.push(Record { number, operation, method, keys, faults: Vec::new(), outcome, ended: None });
        Recording { recorder: self.clone(), number, ended: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The record with this number, unless it was forgotten.
    fn find(&mut self, number: u64) -> Option<&mut Record> {
        let at = self.records.binary_search_by_key(&number, |record| record.number).ok()?;
        self.records.get_mut(at)
    }
}

/// A call that is being recorded: [`Recorder::begin`].
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    number: u64,
    ended: bool,
}

impl Recording {
    /// The number of the call.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Notes that a fault met the call.
    pub fn note(&self, fault: String) {
        if let Some(record) = self.recorder.state().find(self.number) {
            record.faults.push(fault);
        }
    }

    /// Notes what came of the call.
    pub fn end(mut self, outcome: Outcome) {
        self.close(outcome);
    }

    fn close(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut state = self.recorder.state();
        state.ended += 1;
        let ended = state.ended;
        if let Some(record) = state.find(self.number) {
            record.outcome = outcome;
            record.ended = Some(ended);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.close(Outcome::Dropped);
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().records.iter().try_for_each(|record| writeln!(f, "{record}"))
    }
}

impl fmt::Display for Record {
    /// As in `3 set users:#8d1d0a4bc1f2e370 -> failed with E014 (fail E014)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)?;
        for key in &self.keys {
            write!(f, " {key}")?;
        }
        write!(f, " -> {}", self.outcome)?;
        if self.faults.is_empty() { Ok(()) } else { write!(f, " ({})", self.faults.join(", ")) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("not answered"),
            Self::Dropped => f.write_str("given up"),
            Self::Done => f.write_str("done"),
            Self::Found => f.write_str("found"),
            Self::Missing => f.write_str("missing"),
            Self::Declined => f.write_str("declined"),
            Self::Failed(code) => write!(f, "failed with {code}"),
        }
    }
}

/// The keys as they are recorded.
pub(crate) fn shortened<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<String> {
    keys.into_iter().map(Key::redacted).collect()
}

/// A prefix as it is recorded: `users:*`, and of one that names a tenant `t:*:users:*`.
pub(crate) fn shortened_prefix(prefix: &KeyPrefix) -> String {
    match prefix.as_str().strip_prefix("t:").and_then(|rest| rest.split_once(':')) {
        Some((_tenant, namespace)) => format!("t:*:{namespace}*"),
        None => format!("{}*", prefix.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_kept_in_order_with_what_came_of_them() {
        let recorder = Recorder::new();
        let key = Key::new("users:alice").unwrap();
        let first = recorder.begin(Operation::Get, "get", shortened([&key]));
        let second = recorder.begin(Operation::Set, "set_fenced", shortened([&key]));
        second.note("fail E014".to_owned());
        second.end(Outcome::Failed(ErrorCode::E014));
        drop(first);
        let open = recorder.begin(Operation::Get, "get", Vec::new());

        let short = key.redacted();
        let lines = format!(
            "1 get {short} -> given up\n2 set_fenced {short} -> failed with E014 (fail E014)\n3 get -> not answered\n"
        );
        assert_eq!(recorder.to_string(), lines);
        assert!(!lines.contains("alice"));
        assert_eq!(recorder.records().iter().map(|record| record.ended).collect::<Vec<_>>(), [Some(2), Some(1), None]);
        assert_eq!((recorder.calls(Operation::Get), recorder.total()), (2, 3));
        assert_eq!(recorder.ended_as(Outcome::Dropped), 1);

        // A call that ends after the record was cleared leaves nothing there, and numbers go on.
        recorder.forget();
        open.end(Outcome::Found);
        assert_eq!(recorder.total(), 0);
        assert_eq!(recorder.begin(Operation::Get, "get", Vec::new()).number(), 4);
    }

    #[test]
    fn a_prefix_does_not_name_the_tenant() {
        let short = |text: &str| shortened_prefix(&KeyPrefix::new(text).unwrap());
        assert_eq!(short("users:"), "users:*");
        assert_eq!(short("t:acme:users:"), "t:*:users:*");
    }
}
