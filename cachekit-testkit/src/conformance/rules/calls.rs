//! [`Call`]: one call of each kind that a backend offers, to be made at a store that is ill.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::{Backend, Error, ErrorCode, FenceToken, KeyPrefix, Write};

/// One call of each kind, to be made at a store that is ill. Watches are apart: they tell of illness.
#[derive(Clone, Copy)]
pub(super) enum Call {
    Get,
    Set,
    Delete,
    Exists,
    GetMany,
    SetMany,
    DeleteMany,
    Health,
    Acquire,
    RenewFence,
    Release,
    SetFenced,
    SetAndRevoke,
    DeleteAndRevoke,
    Remaining,
    Renew,
    Clear,
    Epoch,
    Advance,
}

/// What calls are about.
pub(super) struct Target {
    pub(super) write: Write,
    pub(super) prefix: KeyPrefix,
    pub(super) token: FenceToken,
}

impl Call {
    const OF_ALL: [Self; 8] = [
        Self::Get,
        Self::Set,
        Self::Delete,
        Self::Exists,
        Self::GetMany,
        Self::SetMany,
        Self::DeleteMany,
        Self::Health,
    ];
    const FENCED: [Self; 6] =
        [Self::Acquire, Self::RenewFence, Self::Release, Self::SetFenced, Self::SetAndRevoke, Self::DeleteAndRevoke];

    /// Those that `backend` offers.
    pub(super) fn of(backend: &dyn Backend) -> Vec<Self> {
        let offered = backend.abilities();
        let mut calls = Self::OF_ALL.to_vec();
        calls.extend(offered.fenced.is_some().then_some(Self::FENCED).into_iter().flatten());
        calls.extend(offered.expiring.is_some().then_some([Self::Remaining, Self::Renew]).into_iter().flatten());
        calls.extend(offered.clearable.is_some().then_some(Self::Clear));
        calls.extend(offered.counting.is_some().then_some([Self::Epoch, Self::Advance]).into_iter().flatten());
        calls
    }

    /// Makes it.
    pub(super) async fn make(self, backend: Arc<dyn Backend>, target: Target) -> cachekit_core::Result<()> {
        let Target { write, prefix, token } = &target;
        let Write { key, value, options, .. } = write;
        let (keys, lease, offered) = (std::slice::from_ref(key), Duration::from_secs(1), backend.abilities());
        // It was offered a moment ago, and other rules hold that it stays so.
        let absent = |ability: &str| Error::new(ErrorCode::E047, format!("{ability} is no longer offered"));
        let fenced = || offered.fenced.ok_or_else(|| absent("fenced"));
        let expiring = || offered.expiring.ok_or_else(|| absent("expiring"));
        let counting = || offered.counting.ok_or_else(|| absent("counting"));
        match self {
            Self::Get => backend.get(key).await.map(drop),
            Self::Set => backend.set(key, value.clone(), options).await,
            Self::Delete => backend.delete(key).await,
            Self::Exists => backend.exists(key).await.map(drop),
            Self::GetMany => backend.get_many(keys).await.into_iter().try_for_each(|answer| answer.map(drop)),
            Self::SetMany => backend.set_many(std::slice::from_ref(write)).await.into_iter().collect(),
            Self::DeleteMany => backend.delete_many(keys).await.into_iter().collect(),
            Self::Health => backend.health().await.map(drop),
            Self::Acquire => fenced()?.acquire(key, token, lease).await.map(drop),
            Self::RenewFence => fenced()?.renew(key, token, lease).await.map(drop),
            Self::Release => fenced()?.release(key, token).await.map(drop),
            Self::SetFenced => fenced()?.set_fenced(key, token, value.clone(), options).await.map(drop),
            Self::SetAndRevoke => fenced()?.set_and_revoke(key, value.clone(), options).await,
            Self::DeleteAndRevoke => fenced()?.delete_and_revoke(key).await,
            Self::Remaining => expiring()?.remaining(key).await.map(drop),
            Self::Renew => expiring()?.renew(key, options.ttl).await.map(drop),
            Self::Clear => offered.clearable.ok_or_else(|| absent("clearable"))?.clear(prefix).await,
            Self::Epoch => counting()?.epoch(prefix).await.map(drop),
            Self::Advance => counting()?.advance(prefix).await.map(drop),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Exists => "exists",
            Self::GetMany => "get_many",
            Self::SetMany => "set_many",
            Self::DeleteMany => "delete_many",
            Self::Health => "health",
            Self::Acquire => "acquire",
            Self::RenewFence => "renew of a fence",
            Self::Release => "release",
            Self::SetFenced => "set_fenced",
            Self::SetAndRevoke => "set_and_revoke",
            Self::DeleteAndRevoke => "delete_and_revoke",
            Self::Remaining => "remaining",
            Self::Renew => "renew of a life",
            Self::Clear => "clear",
            Self::Epoch => "epoch",
            Self::Advance => "advance",
        })
    }
}
