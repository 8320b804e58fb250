//! [`ErrorClass`] and [`ErrorKind`]: the two ways in which codes are grouped.

use std::fmt;

/// The class of an error, named as CacheKit's other clients name theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the documentation; the codes have theirs")]
pub enum ErrorClass {
    Backend,
    CircuitBreaker,
    Closed,
    Configuration,
    Connection,
    ConnectionPool,
    Decryption,
    Deserialization,
    Encryption,
    Load,
    Lock,
    Overload,
    Serialization,
    Timeout,
}

impl ErrorClass {
    /// The class as text: "ConfigurationError".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backend => "BackendError",
            Self::CircuitBreaker => "CircuitBreakerError",
            Self::Closed => "ClosedError",
            Self::Configuration => "ConfigurationError",
            Self::Connection => "ConnectionError",
            Self::ConnectionPool => "ConnectionPoolError",
            Self::Decryption => "DecryptionError",
            Self::Deserialization => "DeserializationError",
            Self::Encryption => "EncryptionError",
            Self::Load => "LoadError",
            Self::Lock => "LockError",
            Self::Overload => "OverloadError",
            Self::Serialization => "SerializationError",
            Self::Timeout => "TimeoutError",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kind of an error: what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Someone has to look at the credentials.
    Authentication,
    /// It may pass by itself.
    Transient,
    /// It will be the same next time.
    Permanent,
    /// It took too long; whether it was done is not known.
    Timeout,
    /// Not known.
    Unknown,
}

impl ErrorKind {
    /// The kind as text: "TRANSIENT".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "AUTHENTICATION",
            Self::Transient => "TRANSIENT",
            Self::Permanent => "PERMANENT",
            Self::Timeout => "TIMEOUT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
