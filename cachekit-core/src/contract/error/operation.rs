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

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
