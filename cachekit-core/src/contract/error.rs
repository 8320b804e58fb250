//! [`Error`]: what went wrong, under a code of the catalogue.

mod catalogue;
mod code;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::code::{ErrorClass, ErrorCode, ErrorKind, Explanation};
use crate::Key;

/// The result of everything in CacheKit that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a [code](ErrorCode) with its class and kind, the operation, the backend and the chain of causes.
///
/// - Cloning is cheap and shares everything: one failed load is handed to all who waited for it.
/// - `Display` is one line: code, class, what happened with the figures that matter, then backend and operation. The
///   causes are left to [`source`](StdError::source), so that a reporter walking the chain prints each of them once.
/// - Neither `Display` nor `Debug` shows a key in full, a value, a password, an API key or a master key, as long as
///   messages are built from figures and names and sources are scrubbed before they are attached. Whoever makes an
///   `Error` owes that.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: Cow<'static, str>,
    operation: Option<Operation>,
    backend: Option<Cow<'static, str>>,
    key: Option<ShortKey>,
    retry_after: Option<Duration>,
    retryable: Option<bool>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of `code`. `message` says what was attempted and what came instead, with the figures that matter,
    /// on one line and without secrets; the code's own sentence stands in the catalogue and need not be repeated.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            code,
            message: message.into(),
            operation: None,
            backend: None,
            key: None,
            retry_after: None,
            retryable: None,
            source: None,
        }))
    }

    /// Makes the error of a backend: a plug-in says what kind of trouble it met and never picks a number.
    ///
    /// ```
    /// use cachekit_core::{BackendFault, Error, ErrorCode};
    ///
    /// let error = Error::backend("redb", BackendFault::Unreachable, "the database file is gone");
    /// assert_eq!(error.code(), ErrorCode::E065);
    /// assert_eq!(error.backend_name(), Some("redb"));
    /// ```
    #[must_use]
    pub fn backend(
        name: impl Into<Cow<'static, str>>,
        fault: BackendFault,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(fault.code(), message).with_backend(name)
    }

    /// Names the operation that failed.
    #[must_use]
    pub fn with_operation(self, operation: Operation) -> Self {
        self.map(|inner| inner.operation = Some(operation))
    }

    /// Names the backend that failed: "redis", "redb".
    #[must_use]
    pub fn with_backend(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.map(|inner| inner.backend = Some(name.into()))
    }

    /// Says which key was concerned. Only the namespace and a short digest of the rest are kept.
    #[must_use]
    pub fn with_key(self, key: &Key) -> Self {
        let short = ShortKey(key.redacted());
        self.map(|inner| inner.key = Some(short))
    }

    /// Says how long the server asked to be left alone.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.map(|inner| inner.retry_after = Some(after))
    }

    /// Says of this one error, other than of its code in general, that trying again is useless: a spent quota, a status
    /// that will not change.
    #[must_use]
    pub fn not_retryable(self) -> Self {
        self.map(|inner| inner.retryable = Some(false))
    }

    /// Attaches the cause. It must not show secrets: scrub URLs and keys from a driver's error first.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source: Arc<dyn StdError + Send + Sync> = Arc::from(source.into());
        self.map(|inner| inner.source = Some(source))
    }

    /// The code, under which the catalogue has cause and cure.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The class of the code, as in "ConfigurationError".
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.code.class()
    }

    /// The kind of the code: what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.code.kind()
    }

    /// Whether the same call may succeed when repeated. Whether it may *be* repeated is up to the operation.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable.unwrap_or_else(|| self.0.code.is_retryable())
    }

    /// Whether a circuit breaker counts this as a failure of the backend.
    #[must_use]
    pub fn trips_breaker(&self) -> bool {
        self.0.code.trips_breaker()
    }

    /// How long the server asked to be left alone, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The operation that failed, where one did.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The backend that failed, where one did.
    #[must_use]
    pub fn backend_name(&self) -> Option<&str> {
        self.0.backend.as_deref()
    }

    /// What happened, without code and class.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    fn map(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// The kind of trouble a backend met, from which the code follows (E060 to E066).
///
/// Redis has codes of its own (E010 to E015); every other backend speaks through these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendFault {
    /// The credentials were refused: E060.
    Authentication,
    /// The server asks for fewer calls: E061. Say for how long with [`Error::with_retry_after`].
    Throttled,
    /// The server failed, and may recover: E062.
    Server,
    /// The call can never succeed as it is: E063.
    Permanent,
    /// No answer within the time allowed: E064.
    Timeout,
    /// Not reached, or cut off in mid-call: E065.
    Unreachable,
    /// Anything else: E066. Neither retried nor counted by a breaker.
    Unknown,
}

impl BackendFault {
    /// The code that stands for this kind of trouble.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Authentication => ErrorCode::E060,
            Self::Throttled => ErrorCode::E061,
            Self::Server => ErrorCode::E062,
            Self::Permanent => ErrorCode::E063,
            Self::Timeout => ErrorCode::E064,
            Self::Unreachable => ErrorCode::E065,
            Self::Unknown => ErrorCode::E066,
        }
    }
}

/// What was being done when an error arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Operation {
    Acquire,
    Clear,
    Close,
    Connect,
    Delete,
    DeleteMany,
    Epoch,
    Exists,
    Expire,
    Get,
    GetMany,
    Health,
    Load,
    Release,
    Renew,
    Set,
    SetMany,
    Ttl,
    Watch,
}

impl Operation {
    /// The name in lower case, as in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Clear => "clear",
            Self::Close => "close",
            Self::Connect => "connect",
            Self::Delete => "delete",
            Self::DeleteMany => "delete_many",
            Self::Epoch => "epoch",
            Self::Exists => "exists",
            Self::Expire => "expire",
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Health => "health",
            Self::Load => "load",
            Self::Release => "release",
            Self::Renew => "renew",
            Self::Set => "set",
            Self::SetMany => "set_many",
            Self::Ttl => "ttl",
            Self::Watch => "watch",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{} {}: {}", inner.code, inner.code.class(), inner.message)?;
        let mut separator = " (";
        if let Some(backend) = &inner.backend {
            write!(f, "{separator}backend {backend}")?;
            separator = ", ";
        }
        if let Some(operation) = inner.operation {
            write!(f, "{separator}operation {operation}")?;
            separator = ", ";
        }
        if let Some(key) = &inner.key {
            write!(f, "{separator}key {}", key.0)?;
            separator = ", ";
        }
        if let Some(after) = inner.retry_after {
            write!(f, "{separator}retry after {after:?}")?;
            separator = ", ";
        }
        if separator == ", " { f.write_str(")") } else { Ok(()) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("code", &self.0.code).field("message", &self.0.message);
        if let Some(backend) = &self.0.backend {
            debug.field("backend", backend);
        }
        if let Some(operation) = &self.0.operation {
            debug.field("operation", operation);
        }
        if let Some(key) = &self.0.key {
            debug.field("key", &key.0);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// A key as it may be shown: [`Key::redacted`].
#[derive(Clone)]
struct ShortKey(String);
