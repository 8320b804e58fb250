//! Batches: one call to the policies, and only what met trouble is asked for again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Backend, Entry, Error, ErrorCode, Key, Remaining, Resilience, ResilientBackend, Result, Retry, SetOptions, Write,
};
use cachekit_testkit::fakes::FakePolicy;

use crate::common::{key, options};

/// Answers batches from a list: for each batch, the keys that fail and how.
#[derive(Debug, Default)]
struct Listed {
    failures: Mutex<Vec<Vec<(&'static str, Error)>>>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Listed {
    fn new(failures: Vec<Vec<(&'static str, Error)>>) -> Arc<Self> {
        Arc::new(Self { failures: Mutex::new(failures), ..Self::default() })
    }

    fn answer<R>(&self, keys: Vec<&Key>, well: impl Fn(&Key) -> R) -> Vec<Result<R>> {
        self.asked.lock().unwrap().push(keys.iter().map(|key| key.as_str().to_owned()).collect());
        let mut failures = self.failures.lock().unwrap();
        let failures = if failures.is_empty() { Vec::new() } else { failures.remove(0) };
        let failure = |key: &Key| failures.iter().find(|(fails, _)| *fails == key.as_str());
        keys.into_iter()
            .map(|key| failure(key).map_or_else(|| Ok(well(key)), |(_, error)| Err(error.clone())))
            .collect()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|keys| keys.join(" ")).collect()
    }
}

#[async_trait]
impl Backend for Listed {
    fn name(&self) -> &str {
        "listed"
    }
    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        unreachable!("only batches are asked for")
    }
    async fn set(&self, _: &Key, _: Bytes, _: &SetOptions) -> Result<()> {
        unreachable!("only batches are asked for")
    }
    async fn delete(&self, _: &Key) -> Result<()> {
        unreachable!("only batches are asked for")
    }
    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let well = |key: &Key| Some(Entry::new(key.as_str().to_owned().into(), Remaining::Never));
        self.answer(keys.iter().collect(), well)
    }
    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        self.answer(writes.iter().map(|write| &write.key).collect(), |_| ())
    }
    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        self.answer(keys.iter().collect(), |_| ())
    }
}

fn retrying(listed: &Arc<Listed>) -> (ResilientBackend, FakePolicy) {
    let retry = FakePolicy::new();
    retry.retry(9, Duration::from_secs(1));
    (ResilientBackend::new(listed.clone(), Resilience::none().with(retry.clone())), retry)
}

fn error(code: ErrorCode) -> Error {
    Error::new(code, "as listed")
}

fn codes<R>(answers: &[Result<R>]) -> Vec<Option<ErrorCode>> {
    answers.iter().map(|answer| answer.as_ref().err().map(Error::code)).collect()
}

#[tokio::test(start_paused = true)]
async fn only_what_met_trouble_is_asked_for_again() {
    let listed = Listed::new(vec![
        vec![("b", error(ErrorCode::E010)), ("c", error(ErrorCode::E021)), ("d", error(ErrorCode::E062))],
        vec![("d", error(ErrorCode::E010))],
    ]);
    let (backend, retry) = retrying(&listed);
    let answers = backend.get_many(&["a", "b", "c", "d", "b"].map(key)).await;
    assert_eq!(codes(&answers), [None, None, Some(ErrorCode::E021), None, None]);
    let values: Vec<_> = answers.iter().flatten().flatten().map(|entry| entry.value.clone()).collect();
    assert_eq!(values, ["a", "b", "d", "b"], "in the order asked");
    assert_eq!(listed.asked(), ["a b c d b", "b d b", "d"]);
    assert_eq!((retry.failed(), retry.succeeded()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn trouble_with_one_element_is_no_trouble_with_the_backend() {
    let listed = Listed::new(vec![vec![("b", error(ErrorCode::E022)), ("c", error(ErrorCode::E060))]]);
    let (backend, retry) = retrying(&listed);
    let writes = ["a", "b", "c"].map(|name| Write::new(key(name), "1".into(), options()));
    assert_eq!(codes(&backend.set_many(&writes).await), [None, Some(ErrorCode::E022), Some(ErrorCode::E060)]);
    assert_eq!((retry.failed(), retry.succeeded(), listed.asked().len()), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_stored_is_not_stored_again() {
    let (sent, unsent) = (error(ErrorCode::E010), error(ErrorCode::E010).unsent());
    let listed = Listed::new(vec![vec![("a", unsent.clone()), ("b", sent.clone())], vec![("a", unsent), ("b", sent)]]);
    let (backend, retry) = retrying(&listed);
    let writes = ["a", "b"].map(|name| Write::new(key(name), "1".into(), options()));
    // The policy decides by what may have been sent; this one has all made again, and even so only "a" is.
    assert_eq!(codes(&backend.set_many(&writes).await), [None, Some(ErrorCode::E010)]);
    assert_eq!(listed.asked()[..2], ["a b", "a"]);
    assert_eq!(retry.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_stands_for_a_batch_is_what_may_have_been_sent() {
    let (sent, unsent) = (error(ErrorCode::E010), error(ErrorCode::E010).unsent());
    for (failures, asked) in [
        (vec![("a", unsent.clone()), ("b", sent.clone())], 1),
        (vec![("a", sent), ("b", unsent.clone())], 1),
        (vec![("a", unsent.clone()), ("b", unsent)], 2),
    ] {
        let listed = Listed::new(vec![failures]);
        let retry = Retry::builder().build().unwrap();
        let backend = ResilientBackend::new(listed.clone(), Resilience::none().with(retry));
        let writes = ["a", "b"].map(|name| Write::new(key(name), "1".into(), options()));
        backend.set_many(&writes).await;
        assert_eq!(listed.asked().len(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_few_is_an_error_of_its_element() {
    #[derive(Debug)]
    struct Short(Arc<Listed>);
    #[async_trait]
    impl Backend for Short {
        fn name(&self) -> &str {
            "short"
        }
        async fn get(&self, key: &Key) -> Result<Option<Entry>> {
            self.0.get(key).await
        }
        async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
            self.0.set(key, value, options).await
        }
        async fn delete(&self, key: &Key) -> Result<()> {
            self.0.delete(key).await
        }
        async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
            self.0.delete_many(&keys[1..]).await
        }
    }
    let backend = ResilientBackend::new(Arc::new(Short(Listed::new(vec![]))), Resilience::none());
    assert_eq!(codes(&backend.delete_many(&["a", "b"].map(key)).await), [None, Some(ErrorCode::E066)]);
    assert!(backend.delete_many(&[]).await.is_empty());
}
