//! [`Operation`]: what was being done when an error arose.

use std::fmt;

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

impl Operation {
    /// Whether doing it twice does no more than doing it once, so that it may be made again when it is not known what
    /// became of the first attempt.
    ///
    /// Not so for what stores: an older value that arrives late would replace a newer one. It may be made again only if
    /// nothing was [sent](crate::Error::is_unsent).
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        match self {
            Self::Acquire
            | Self::Delete
            | Self::DeleteMany
            | Self::Epoch
            | Self::Exists
            | Self::Get
            | Self::GetMany
            | Self::Health
            | Self::Release
            | Self::Renew
            | Self::Ttl => true,
            Self::Clear
            | Self::Close
            | Self::Connect
            | Self::Expire
            | Self::Load
            | Self::Set
            | Self::SetMany
            | Self::Watch => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
