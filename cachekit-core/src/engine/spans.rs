//! Spans: what a trace shows of a cache. Where nobody listens they cost a look at a flag, and a hit in L1 has none.

use std::future::Future;

use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use super::cache::Engine;
use crate::{Error, Key, Operation, Result};

/// A call of the backend: for one key, or for none that could be told.
pub(crate) fn call(engine: &Engine, operation: Operation, key: Option<&Key>) -> Span {
    debug_span!(
        "cachekit.call",
        operation = operation.as_str(),
        backend = backend(engine),
        key = key.map(Key::redacted),
        keys = Empty,
        code = Empty,
    )
}

/// A call of the backend for so many keys.
pub(crate) fn call_many(engine: &Engine, operation: Operation, keys: usize) -> Span {
    debug_span!(
        "cachekit.call",
        operation = operation.as_str(),
        backend = backend(engine),
        key = Empty,
        keys,
        code = Empty,
    )
}

/// A loader that runs for one key, which is made only if somebody listens.
pub(crate) fn load(namespace: &str, key: impl FnOnce() -> Option<String>) -> Span {
    debug_span!("cachekit.load", namespace, key = key(), keys = Empty)
}

/// A loader that runs for so many keys.
pub(crate) fn load_many(namespace: &str, keys: usize) -> Span {
    debug_span!("cachekit.load", namespace, key = Empty, keys)
}

/// Makes a call within its span, which learns the code of what it fails with.
pub(crate) async fn within<R>(span: Span, call: impl Future<Output = Result<R>>) -> Result<R> {
    let answer = call.instrument(span.clone()).await;
    if let Err(error) = &answer {
        failed(&span, error);
    }
    answer
}

/// Tells the span of a call what it failed with.
pub(crate) fn failed(span: &Span, error: &Error) {
    span.record("code", error.code().as_str());
}

fn backend(engine: &Engine) -> Option<&str> {
    engine.backend.as_ref().map(|backend| backend.name())
}

/// Tells of an error, with the fields that all such events have, and some of its own.
macro_rules! tell {
    ($level:ident, $error:expr, $(($($field:tt)+),)? $message:literal) => {{
        let error: &crate::Error = $error;
        tracing::$level!(
            code = %error.code(),
            operation = error.operation().map(crate::Operation::as_str),
            backend = error.backend_name(),
            key = error.shown_key(),
            $($($field)+,)?
            %error,
            $message
        );
    }};
}

pub(crate) use tell;
