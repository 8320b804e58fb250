//! [`ErrorCode`]: the catalogue as a type, from which everything else that is said about a code derives.

use std::fmt;
use std::str::FromStr;

use super::{Error, ErrorClass, ErrorKind, Explanation, reference};

/// Makes the type of the catalogue's rows.
macro_rules! declare_codes {
    ([$(
        $code:ident: $class:ident, $kind:ident, retried: $retried:ident, trips_breaker: $trips:literal, $origin:ident {
            title: $title:literal,
            meaning: $meaning:literal,
            causes: [$($cause:literal),+ $(,)?],
            fixes: [$($fix:literal),+ $(,)?],
            avoid: $avoid:literal,
            meanwhile: $meanwhile:literal $(,)?
        }
    )+]) => {
        /// A code of the error catalogue: stable, documented, and raised by its true cause only.
        ///
        /// `E001` to `E065` without the additions are CacheKit's published codes; [`is_addition`](Self::is_addition)
        /// marks those of this implementation. [`explain`](Self::explain) has meaning, causes and cures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(
                #[doc = concat!($title, "\n\n", $meaning, "\n\nTo fix it:\n")]
                $(#[doc = concat!("- ", $fix)])+
                $code,
            )+
        }

        impl ErrorCode {
            /// Every code, in order.
            pub const ALL: &'static [ErrorCode] = &[$(Self::$code),+];

            /// The code as text: "E012".
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)+ }
            }

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$code => &Row {
                        class: ErrorClass::$class,
                        kind: ErrorKind::$kind,
                        retried: Retried::$retried,
                        trips_breaker: $trips,
                        origin: Origin::$origin,
                        title: $title,
                        explanation: Explanation {
                            code: Self::$code,
                            meaning: $meaning,
                            causes: &[$($cause),+],
                            fixes: &[$($fix),+],
                            avoid: $avoid,
                            meanwhile: $meanwhile,
                        },
                    },)+
                }
            }
        }
    };
}

encryption_codes! {
    [] redis_codes value_codes resilience_codes configuration_codes lock_codes backend_codes declare_codes
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

    /// Whether the same call may succeed when repeated. For E064 the retry policy may decide otherwise.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        !matches!(self.row().retried, Retried::No)
    }

    /// Whether a circuit breaker counts it as a failure of the backend.
    #[must_use]
    pub const fn trips_breaker(self) -> bool {
        self.row().trips_breaker
    }

    /// Whether this code is an addition of ours to the published catalogue.
    #[must_use]
    pub const fn is_addition(self) -> bool {
        matches!(self.row().origin, Origin::Addition)
    }

    /// One sentence that says what the code means.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// What the code means, how it comes about, how to fix it and how to avoid it.
    #[must_use]
    pub const fn explain(self) -> &'static Explanation {
        &self.row().explanation
    }

    /// The whole catalogue as one Markdown page, with a section per code under an anchor such as `#e012`.
    #[doc(hidden)]
    #[must_use]
    pub fn reference() -> String {
        reference::page()
    }

    /// Whether it is retried, in one word: "yes", "no", "configurable".
    pub(super) const fn retried(self) -> &'static str {
        match self.row().retried {
            Retried::No => "no",
            Retried::Yes => "yes",
            Retried::Configurable => "configurable",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = Error;

    /// Reads "E012", in either case.
    ///
    /// # Errors
    /// E044 for anything that is not a code of the catalogue.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let expected = "one of the catalogue, as in \"E012\"";
            Error::invalid(Self::E044, "error code", expected, format_args!("{text:?}"))
        })
    }
}

/// All that the catalogue says about one code.
struct Row {
    class: ErrorClass,
    kind: ErrorKind,
    retried: Retried,
    trips_breaker: bool,
    origin: Origin,
    title: &'static str,
    explanation: Explanation,
}

enum Retried {
    No,
    Yes,
    Configurable,
}

enum Origin {
    Published,
    Addition,
}
