//! Batches: they pass the policies as one call, and only what met trouble is asked for again.

use std::future::Future;

use super::ResilientBackend;
use crate::sync::Mutex;
use crate::{Error, Operation, Result};

impl ResilientBackend {
    /// Makes one call for all of `items`: `attempt` is called with those that have no final answer yet.
    pub(super) async fn call_many<T, R, A>(
        &self,
        operation: Operation,
        items: &[T],
        attempt: impl Fn(Vec<T>) -> A,
    ) -> Vec<Result<R>>
    where
        T: Clone,
        A: Future<Output = Vec<Result<R>>>,
    {
        if items.is_empty() {
            return Vec::new();
        }
        let answers =
            Mutex::new(Answers { of: items.iter().map(|_| None).collect(), open: (0..items.len()).collect() });
        let outcome = self
            .call(operation, || {
                Box::pin(async {
                    let open = answers.lock().open.clone();
                    let asked = open.iter().map(|&at| items[at].clone()).collect();
                    let answered = attempt(asked).await;
                    answers.lock().take(operation, &open, answered)
                })
            })
            .await;
        let Answers { of, .. } = answers.into_inner();
        let missing = || match &outcome {
            Err(error) => error.clone(),
            Ok(()) => Error::new(crate::ErrorCode::E066, "the backend answered for fewer elements than it was asked")
                .with_backend(self.driver.inner.name().to_owned())
                .with_operation(operation),
        };
        of.into_iter().map(|answer| answer.unwrap_or_else(|| Err(missing()))).collect()
    }
}

/// The answers so far.
struct Answers<R> {
    of: Vec<Option<Result<R>>>,
    /// The places of those that have none, or one that another attempt may better.
    open: Vec<usize>,
}

impl<R> Answers<R> {
    /// Takes what an attempt brought. The error that stands for the whole, if something met trouble that is not with
    /// one element alone.
    fn take(&mut self, operation: Operation, asked: &[usize], answered: Vec<Result<R>>) -> Result<()> {
        let mut trouble: Option<Error> = None;
        self.open.clear();
        for (&at, answer) in asked.iter().zip(answered) {
            if let Err(error) = &answer {
                if error.trips_breaker() || error.is_retryable() {
                    // What may have been sent is told before what was not: the whole may then not be made again.
                    if trouble.as_ref().is_none_or(|other| other.is_unsent() && !error.is_unsent()) {
                        trouble = Some(error.clone());
                    }
                }
                if error.is_retryable() && (operation.is_repeatable() || error.is_unsent()) {
                    self.open.push(at);
                }
            }
            self.of[at] = Some(answer);
        }
        trouble.map_or(Ok(()), Err)
    }
}
