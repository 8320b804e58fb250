//! [`ErrorCode`]: the catalogue's one table, from which everything else that is said about a code derives.

use std::fmt;
use std::str::FromStr;

use super::catalogue;

/// Declares the catalogue. A row: code, class, kind, retried or not, counted by the breaker or not, title.
macro_rules! catalogue {
    ($($code:ident $class:ident $kind:ident $retry:literal $trips:literal $origin:ident $title:literal;)+) => {
        /// A code of the error catalogue: stable, documented, and raised by its true cause only.
        ///
        /// `E001` to `E065` without the additions are CacheKit's published codes; [`is_addition`](Self::is_addition) marks
        /// those of this implementation. [`explain`](Self::explain) has meaning, causes and cures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = $title] $code,)+
        }

        impl ErrorCode {
            /// Every code, in order.
            pub const ALL: &'static [ErrorCode] = &[$(Self::$code),+];

            /// The code as text: "E012".
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)+ }
            }

            const fn row(self) -> Row {
                match self {
                    $(Self::$code => Row {
                        class: ErrorClass::$class,
                        kind: ErrorKind::$kind,
                        retryable: $retry,
                        trips_breaker: $trips,
                        origin: Origin::$origin,
                        title: $title,
                    },)+
                }
            }
        }
    };
}

// Columns: code, class, kind, retried, trips the breaker, published or our own, title.
catalogue! {
    E001 Configuration Permanent false false Published "The master key is not set although encryption is asked for.";
    E002 Configuration Permanent false false Published "The master key is not hexadecimal, or is shorter than 32 bytes.";
    E003 Decryption Permanent false false Published "The entry does not authenticate: another key, or it was damaged, moved or tampered with.";
    E004 Configuration Permanent false false Ours "A master key is set, but neither encryption nor plaintext was chosen.";
    E005 Decryption Permanent false false Ours "A plaintext entry was found where only encrypted ones are accepted.";
    E006 Encryption Permanent false false Ours "The key has sealed as many entries as is safe.";
    E007 Configuration Permanent false false Ours "A namespace divided by tenant was used without a tenant.";
    E010 Connection Transient true true Published "Redis is not reachable, or the connection broke.";
    E011 Timeout Timeout true true Published "Redis did not connect or answer in time.";
    E012 ConnectionPool Transient true false Published "No slot came free on any pooled connection in time.";
    E013 Connection Authentication false false Ours "Redis refused the credentials, or what they may do.";
    E014 Connection Transient true true Ours "Redis answered with a server error that may pass.";
    E015 Connection Permanent false false Ours "The TLS connection could not be made.";
    E020 Serialization Permanent false false Published "The value is outside what the serializer can hold.";
    E021 Deserialization Permanent false false Published "The stored bytes are damaged, or another serializer wrote them.";
    E022 Serialization Permanent false false Ours "The value is larger than is allowed.";
    E030 CircuitBreaker Transient false false Published "The circuit breaker is open.";
    E031 Overload Transient false false Ours "The call was shed by the rate limit.";
    E032 Overload Transient false false Ours "The call was shed by the concurrency limit.";
    E033 Timeout Timeout false false Ours "The time for the whole call is spent.";
    E034 Load Timeout false false Ours "The loader did not finish in time.";
    E035 Load Unknown false false Ours "The loader panicked.";
    E036 Closed Permanent false false Ours "The cache is closed.";
    E040 Configuration Permanent false false Published "Redis is asked for, but no URL is set.";
    E041 Configuration Permanent false false Published "An environment variable has a wrong prefix or an impossible value.";
    E042 Configuration Permanent false false Ours "The key is not valid.";
    E043 Configuration Permanent false false Ours "The time to live is not valid.";
    E044 Configuration Permanent false false Ours "A setting is not valid.";
    E045 Configuration Permanent false false Ours "Two backends are selected at once.";
    E046 Configuration Permanent false false Ours "The namespace is already open with another type, format or layout.";
    E047 Configuration Permanent false false Ours "The backend does not offer this.";
    E050 Lock Timeout false false Published "The distributed lock was not acquired in time.";
    E051 Lock Transient false false Ours "The distributed lock was lost before the work was done.";
    E060 Backend Authentication false false Published "The backend refused the credentials.";
    E061 Backend Transient true true Published "The backend asks for fewer calls.";
    E062 Backend Transient true true Published "The backend failed.";
    E063 Backend Permanent false false Published "The backend refused the call for good.";
    E064 Backend Timeout true true Published "The backend did not answer in time.";
    E065 Backend Transient true true Published "The backend is not reachable, or the connection broke.";
    E066 Backend Unknown false false Ours "The backend reported something that fits no other code.";
}

impl ErrorCode {
    /// The class, as in "ConfigurationError".
    #[must_use]
    pub const fn class(self) -> ErrorClass {
        self.row().class
    }

    /// The kind: what a caller can do about it.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        self.row().kind
    }

    /// Whether the same call may succeed when repeated.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        self.row().retryable
    }

    /// Whether a circuit breaker counts it as a failure of the backend.
    #[must_use]
    pub const fn trips_breaker(self) -> bool {
        self.row().trips_breaker
    }

    /// Whether this code is an addition of ours to the published catalogue.
    #[must_use]
    pub const fn is_addition(self) -> bool {
        matches!(self.row().origin, Origin::Ours)
    }

    /// One sentence that says what the code means.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// What the code means, how it comes about, how to fix it and how to avoid it.
    #[must_use]
    pub fn explain(self) -> &'static Explanation {
        catalogue::explain(self)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = super::Error;

    /// Reads "E012", in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            super::Error::new(
                Self::E044,
                format!("error code: expected one of the catalogue, as in \"E012\", got {text:?}"),
            )
        })
    }
}

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
        f.write_str(self.as_str())
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
        f.write_str(self.as_str())
    }
}

/// What the catalogue says about a code: [`ErrorCode::explain`].
///
/// `Display` renders it for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The code that is explained.
    pub code: ErrorCode,
    /// What it means.
    pub meaning: &'static str,
    /// How it comes about, one cause each.
    pub causes: &'static [&'static str],
    /// How to fix it, one step each, with the commands to run.
    pub fixes: &'static [&'static str],
    /// How to keep it from happening again.
    pub avoid: &'static str,
    /// What a cached function does meanwhile.
    pub meanwhile: &'static str,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code;
        let addition = if code.is_addition() { ", an addition of the Rust implementation" } else { "" };
        let yes_no = |yes| if yes { "yes" } else { "no" };
        writeln!(f, "{code} {} ({}{addition})", code.class(), code.kind())?;
        writeln!(f, "{}\n\n{}\n\nHow it comes about:", code.title(), self.meaning)?;
        for cause in self.causes {
            writeln!(f, "  - {cause}")?;
        }
        writeln!(f, "\nHow to fix it:")?;
        for (step, fix) in self.fixes.iter().enumerate() {
            writeln!(f, "  {}. {fix}", step + 1)?;
        }
        writeln!(f, "\nHow to avoid it:\n  {}\n\nMeanwhile:\n  {}\n", self.avoid, self.meanwhile)?;
        write!(
            f,
            "Retried: {}. Counted by the circuit breaker: {}.",
            yes_no(code.is_retryable()),
            yes_no(code.trips_breaker())
        )
    }
}

struct Row {
    class: ErrorClass,
    kind: ErrorKind,
    retryable: bool,
    trips_breaker: bool,
    origin: Origin,
    title: &'static str,
}

enum Origin {
    Published,
    Ours,
}
