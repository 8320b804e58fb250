//! [`Error`]: what went wrong, under a code of the catalogue.

#[macro_use]
mod catalogue;
mod class;
mod code;
mod explanation;
mod fault;
mod operation;
mod reference;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::class::{ErrorClass, ErrorKind};
pub use self::code::ErrorCode;
pub use self::explanation::Explanation;
pub use self::fault::BackendFault;
pub use self::operation::Operation;
use crate::Key;

/// The result of everything in CacheKit that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a [code](ErrorCode) with its class and kind, the operation, the backend and the chain of causes.
///
/// - Cloning is cheap and shares everything: one failed load is handed to all who waited for it.
/// - `Display` is one line: code, class, what happened with the figures that matter, then backend, operation and key.
///   The causes are left to [`source`](StdError::source), so that a reporter walking the chain prints each of them
///   once.
/// - It stays one line whatever a server says: line ends, control characters and characters that reverse the direction
///   of text are escaped in messages and names, and what exceeds [`MAX_MESSAGE`](Self::MAX_MESSAGE) is cut.
/// - Neither `Display` nor `Debug` shows a key in full, a value, a password, an API key or a master key, as long as
///   messages are built from figures and names and sources are scrubbed before they are attached. Whoever makes an
///   `Error` owes that. `Debug` shows causes by their `Display` only: a driver's `Debug` often tells more.
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
    not_retryable: bool,
    unsent: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// The most bytes that are kept of a message; of a longer one the end is cut, and the message says so.
    pub const MAX_MESSAGE: usize = 1_024;

    /// Makes an error of `code`. `message` says what was attempted and what came instead, with the figures that matter,
    /// on one line and without secrets; the code's own sentence stands in the catalogue and need not be repeated.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            code,
            message: one_line(message.into()),
            operation: None,
            backend: None,
            key: None,
            retry_after: None,
            not_retryable: false,
            unsent: false,
            source: None,
        }))
    }

    /// Makes the error of a value that cannot be: `"{name}: expected {expected}, got {got}"`.
    ///
    /// Of a secret, `got` says what is wrong with it and never what it is: "19 characters", "a character that is not
    /// hexadecimal".
    ///
    /// ```
    /// use cachekit_core::{Error, ErrorCode};
    ///
    /// let error = Error::invalid(ErrorCode::E041, "CACHEKIT_TIMEOUT", "seconds above zero", format_args!("{:?}", "5s"));
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"E041 ConfigurationError: CACHEKIT_TIMEOUT: expected seconds above zero, got "5s""#,
    /// );
    /// ```
    #[must_use]
    pub fn invalid(
        code: ErrorCode,
        name: impl fmt::Display,
        expected: impl fmt::Display,
        got: impl fmt::Display,
    ) -> Self {
        Self::new(code, format!("{name}: expected {expected}, got {got}"))
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
        self.map(|inner| inner.backend = Some(one_line(name.into())))
    }

    /// Says which key was concerned. Only its [shortened form](Key::redacted) is kept.
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
        self.map(|inner| inner.not_retryable = true)
    }

    /// Says that nothing of the request left this process, so that the backend has not done it and will not: then even a
    /// store may be tried again.
    #[must_use]
    pub fn unsent(self) -> Self {
        self.map(|inner| inner.unsent = true)
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
        self.0.code.is_retryable() && !self.0.not_retryable
    }

    /// Whether a circuit breaker counts this as a failure of the backend.
    #[must_use]
    pub fn trips_breaker(&self) -> bool {
        self.0.code.trips_breaker()
    }

    /// Whether it is certain that nothing of the request left this process. Always so for a call that was refused before
    /// it was sent: E012, E030, E031 and E032.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.0.unsent || matches!(self.0.code, ErrorCode::E012 | ErrorCode::E030 | ErrorCode::E031 | ErrorCode::E032)
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

    /// The key that was concerned, in its [shortened form](Key::redacted), if one was.
    #[cfg(feature = "engine")]
    pub(crate) fn shown_key(&self) -> Option<&str> {
        self.0.key.as_ref().map(|key| key.0.as_str())
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
        if let Some(after) = self.0.retry_after {
            debug.field("retry_after", &after);
        }
        if self.0.not_retryable {
            debug.field("not_retryable", &true);
        }
        if self.0.unsent {
            debug.field("unsent", &true);
        }
        if self.0.source.is_some() {
            let causes = std::iter::successors(self.source(), |&cause| cause.source());
            debug.field("causes", &causes.map(ToString::to_string).collect::<Vec<_>>());
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

/// `text` as one line of bounded length that a terminal and a log show as it is.
fn one_line(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= Error::MAX_MESSAGE && !text.contains(breaks_a_line) {
        return text;
    }
    let mut line = String::with_capacity(text.len().min(Error::MAX_MESSAGE));
    for (at, c) in text.char_indices() {
        if at >= Error::MAX_MESSAGE {
            let rest = text.len() - at;
            line.push_str(&format!(".. ({rest} bytes more)"));
            break;
        }
        if breaks_a_line(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    Cow::Owned(line)
}

/// Control characters, the line ends of Unicode, and the marks that change the direction of text.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
