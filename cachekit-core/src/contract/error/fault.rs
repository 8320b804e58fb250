//! [`BackendFault`]: the trouble that a backend met, in words from which the code follows.

use super::ErrorCode;

/// The kind of trouble a backend met, from which the code follows (E060 to E066).
///
/// Redis has codes of its own (E010 to E015); every other backend speaks through these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendFault {
    /// The credentials were refused: E060.
    Authentication,
    /// The server asks for fewer calls: E061. Say for how long with
    /// [`Error::with_retry_after`](crate::Error::with_retry_after).
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
