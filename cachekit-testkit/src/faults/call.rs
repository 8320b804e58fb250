//! [`Call`]: one call on its way through the script.

use bytes::Bytes;
use cachekit_core::{Entry, Error, ErrorCode, Key, KeyPrefix, Operation, Result};

use super::rule::Fault;
use super::script::{Hit, Script};
use crate::recorder::{Outcome, Recording, shortened, shortened_prefix};

/// One call on its way through the script: of one element, or of a batch.
pub(super) struct Call<'a> {
    script: &'a Script,
    operation: Operation,
    backend: &'a str,
    /// None of a call about a prefix or the whole store, which is one element all the same.
    keys: Vec<Key>,
    hits: Vec<Hit>,
    /// The error of each element, as far as it has one.
    refused: Vec<Option<Error>>,
    recording: Recording,
}

impl<'a> Call<'a> {
    /// A call about `keys`, one by one.
    pub(super) fn about<'k>(
        script: &'a Script,
        backend: &'a str,
        operation: Operation,
        method: &'static str,
        keys: impl IntoIterator<Item = &'k Key>,
    ) -> Self {
        let keys: Vec<Key> = keys.into_iter().cloned().collect();
        let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
        let hits = script.hits(operation, &names);
        let recording = script.recorder.begin(operation, method, shortened(&keys));
        Self { script, operation, backend, refused: vec![None; keys.len()], keys, hits, recording }
    }

    /// A call about a prefix, or about the whole store.
    pub(super) fn at_large(
        script: &'a Script,
        backend: &'a str,
        operation: Operation,
        method: &'static str,
        prefix: Option<&KeyPrefix>,
    ) -> Self {
        let hits = script.hits(operation, &[prefix.map_or("", KeyPrefix::as_str)]);
        let shown = prefix.map(shortened_prefix).into_iter().collect();
        let recording = script.recorder.begin(operation, method, shown);
        Self { script, operation, backend, refused: vec![None], keys: Vec::new(), hits, recording }
    }

    /// What happens before the call takes effect.
    pub(super) async fn before(&mut self) {
        if let Some(code) = self.script.is_down().filter(|_| self.operation != Operation::Close) {
            self.recording.note(format!("down {code}"));
            let all = vec![true; self.refused.len()];
            self.refuse(&all, code, "the script has the backend down");
            return;
        }
        self.happen(false).await;
    }

    /// What happens when the call has taken effect.
    pub(super) async fn after(&mut self) {
        self.happen(true).await;
    }

    async fn happen(&mut self, late: bool) {
        for at in 0..self.hits.len() {
            if self.refused.iter().all(Option::is_some) {
                return;
            }
            let hit = &self.hits[at];
            if hit.late != late {
                continue;
            }
            let (fault, elements, rule) = (hit.fault.clone(), hit.elements.clone(), hit.rule);
            self.recording.note(fault.to_string());
            match fault {
                Fault::Fail(code) => {
                    let why = format!("rule {rule} of the script, seed {}", self.script.seed());
                    self.refuse(&elements, code, &why);
                }
                Fault::Delay(time) => tokio::time::sleep(time).await,
                Fault::Never => std::future::pending().await,
                Fault::Hold(gate) => gate.pass().await,
                // These change what is done, and not whether.
                Fault::Lose | Fault::Torn | Fault::FlippedByte | Fault::Truncated | Fault::Stale => {}
            }
        }
    }

    fn refuse(&mut self, elements: &[bool], code: ErrorCode, why: &str) {
        for (at, refused) in self.refused.iter_mut().enumerate() {
            if elements[at] && refused.is_none() {
                let error = Error::new(code, format!("a fault by {why}"));
                let error = error.with_backend(self.backend.to_owned()).with_operation(self.operation);
                *refused = Some(match self.keys.get(at) {
                    Some(key) => error.with_key(key),
                    None => error,
                });
            }
        }
    }

    /// Whether an element is acknowledged without being done.
    pub(super) fn loses(&self, at: usize) -> bool {
        self.hits.iter().any(|hit| matches!(hit.fault, Fault::Lose) && hit.elements[at])
    }

    /// The elements that reach the backend.
    pub(super) fn through(&self) -> Vec<usize> {
        (0..self.refused.len()).filter(|&at| self.refused[at].is_none() && !self.loses(at)).collect()
    }

    /// What happens to the value of an element.
    pub(super) fn damage(&self, at: usize) -> Damage<'a> {
        let faults = self.hits.iter().filter(|hit| hit.elements[at]).map(|hit| (hit.fault.clone(), hit.drawn));
        Damage { script: self.script, key: self.keys[at].clone(), faults: faults.collect() }
    }

    /// Makes a call of one element: `lost` is the answer to one that is acknowledged without being done.
    pub(super) async fn make<R>(
        mut self,
        lost: Option<R>,
        real: impl Future<Output = Result<R>>,
        outcome: impl FnOnce(&R) -> Outcome,
    ) -> Result<R> {
        self.before().await;
        if let Some(error) = self.refused[0].take() {
            return self.failed(error);
        }
        let answer = match lost.filter(|_| self.loses(0)) {
            Some(lost) => lost,
            None => match real.await {
                Ok(answer) => answer,
                Err(error) => return self.failed(error),
            },
        };
        self.after().await;
        if let Some(error) = self.refused[0].take() {
            return self.failed(error);
        }
        self.recording.end(outcome(&answer));
        Ok(answer)
    }

    /// The answers to a batch, given those of the elements that reached the backend; `lost` is the answer to the others that were not
    /// refused.
    pub(super) fn assemble<R: Clone>(self, through: &[usize], answers: Vec<Result<R>>, lost: &R) -> Vec<Result<R>> {
        let whole = through.len() == self.refused.len() && self.refused.iter().all(Option::is_none);
        let all = if whole {
            // As they came, even if they are too few: whoever tests the backend wants to see that.
            answers
        } else {
            let mut all: Vec<Result<R>> = vec![Ok(lost.clone()); self.refused.len()];
            for (&at, answer) in through.iter().zip(answers) {
                all[at] = answer;
            }
            for (slot, refused) in all.iter_mut().zip(self.refused) {
                if let Some(error) = refused {
                    *slot = Err(error);
                }
            }
            all
        };
        let failed = all.iter().find_map(|answer| answer.as_ref().err().map(Error::code));
        self.recording.end(failed.map_or(Outcome::Done, Outcome::Failed));
        all
    }

    fn failed<R>(self, error: Error) -> Result<R> {
        self.recording.end(Outcome::Failed(error.code()));
        Err(error)
    }
}

/// What happens to one value.
pub(super) struct Damage<'a> {
    script: &'a Script,
    key: Key,
    faults: Vec<(Fault, u64)>,
}

impl Damage<'_> {
    /// What is read instead of `found`.
    pub(super) fn read(&self, found: Option<Entry>) -> Option<Entry> {
        let memory = self.script.memory();
        self.faults.iter().fold(found, |found, (fault, drawn)| memory.read(fault, *drawn, &self.key, found))
    }

    /// What is stored instead of `value`.
    pub(super) fn write(&self, value: Bytes) -> Bytes {
        let memory = self.script.memory();
        self.faults.iter().fold(value, |value, (fault, drawn)| memory.write(fault, *drawn, &self.key, &value))
    }

    /// The entry was written, or removed.
    pub(super) fn wrote(&self, value: Option<Bytes>) {
        self.script.memory().wrote(&self.key, value);
    }
}
