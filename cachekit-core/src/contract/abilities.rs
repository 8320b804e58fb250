//! [`Abilities`]: what a backend can do beyond [`Backend`](crate::Backend), each as a trait of its own.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Entry, Key, KeyPrefix, Remaining, Result, SetOptions, Ttl};

/// What a backend can do beyond [`Backend`](crate::Backend). What is absent is not offered: nothing fails at run time
/// with "unsupported".
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct Abilities<'a> {
    /// Only one process at a time loads an entry, and a late one cannot overwrite.
    pub fenced: Option<&'a dyn Fenced>,
    /// The remaining life can be read and renewed.
    pub expiring: Option<&'a dyn Expiring>,
    /// All entries of a namespace can be removed.
    pub clearable: Option<&'a dyn Clearable>,
    /// Changes made elsewhere are told.
    pub watchable: Option<&'a dyn Watchable>,
    /// Namespaces have an epoch that can be raised.
    pub counting: Option<&'a dyn Counting>,
}

impl<'a> Abilities<'a> {
    /// Nothing beyond the trait.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// And fences.
    #[must_use]
    pub fn with_fenced(self, fenced: &'a dyn Fenced) -> Self {
        Self { fenced: Some(fenced), ..self }
    }

    /// And reading and renewing the remaining life.
    #[must_use]
    pub fn with_expiring(self, expiring: &'a dyn Expiring) -> Self {
        Self { expiring: Some(expiring), ..self }
    }

    /// And clearing namespaces.
    #[must_use]
    pub fn with_clearable(self, clearable: &'a dyn Clearable) -> Self {
        Self { clearable: Some(clearable), ..self }
    }

    /// And telling changes.
    #[must_use]
    pub fn with_watchable(self, watchable: &'a dyn Watchable) -> Self {
        Self { watchable: Some(watchable), ..self }
    }

    /// And epochs.
    #[must_use]
    pub fn with_counting(self, counting: &'a dyn Counting) -> Self {
        Self { counting: Some(counting), ..self }
    }

    /// The names of what is offered, in a fixed order: "fenced", "expiring", "clearable", "watchable", "counting".
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("fenced", self.fenced.is_some()),
            ("expiring", self.expiring.is_some()),
            ("clearable", self.clearable.is_some()),
            ("watchable", self.watchable.is_some()),
            ("counting", self.counting.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, offered)| offered.then_some(name))
        .collect()
    }
}

impl fmt::Debug for Abilities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// One loader at a time per key, in all processes, and no late one overwrites what came after it.
///
/// A fence is a lease on loading one key, held under a [`FenceToken`]. It does not keep anybody from reading or
/// writing: it makes [`set_fenced`](Self::set_fenced) refuse where the lease is over. That is what protects; that only
/// one holder works at a time merely saves work, and cannot be promised (a holder may be paused beyond its lease and
/// not know).
///
/// # Contract
/// 1. While a fence is held, nobody else acquires it. Acquiring again with the same token succeeds and renews.
/// 2. A fence lapses when its lease has passed without being renewed, and is then free.
/// 3. `renew` and `release` by a token that does not hold the fence do nothing and answer `false`.
/// 4. `set_fenced` stores only if the token holds the fence in the very step that stores, and ends the fence; otherwise
///    nothing changes and the answer is `false`.
/// 5. `set_and_revoke` and `delete_and_revoke` write and end whatever fence there is in one step, so that a load that
///    began earlier cannot store. Plain `set` and `delete` leave fences alone.
/// 6. `acquire` reads the entry in the same step: a grant says what is stored at that moment.
///
/// # Errors
/// As for [`Backend`](crate::Backend). A fence held by another is no error.
///
/// # Cancellation
/// Dropping `acquire` may leave a fence that lapses by itself; calling `release` with the same token frees it at once.
#[async_trait]
pub trait Fenced: Send + Sync {
    /// Tries once to take the fence of `key` for `lease`. Clauses 1, 2 and 6.
    async fn acquire(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<Acquired>;

    /// Prolongs the lease: from now, for `lease`. `false` if the fence was lost. Clause 3.
    async fn renew(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<bool>;

    /// Frees the fence. `false` if it was not held by `token`. Clause 3.
    async fn release(&self, key: &Key, token: &FenceToken) -> Result<bool>;

    /// Stores if the fence still holds, and ends it. Clause 4.
    async fn set_fenced(&self, key: &Key, token: &FenceToken, value: Bytes, options: &SetOptions) -> Result<bool>;

    /// Stores, and ends any fence in the same step. Clause 5.
    async fn set_and_revoke(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()>;

    /// Removes, and ends any fence in the same step. Clause 5.
    async fn delete_and_revoke(&self, key: &Key) -> Result<()>;
}

/// The answer to [`Fenced::acquire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The fence is held from now on. `found` is the entry that was stored at that moment.
    Granted {
        /// The live entry under the key, if there is one.
        found: Option<Entry>,
    },
    /// Another token holds it.
    Held,
}

/// Says who holds a fence: 128 random bits, chosen by the holder.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FenceToken(u128);

impl FenceToken {
    /// Makes a token of `random` bits. They must be unpredictable enough that two holders never meet.
    #[must_use]
    pub const fn from_random(random: u128) -> Self {
        Self(random)
    }
}

impl fmt::Display for FenceToken {
    /// 32 lower-case hexadecimal digits, which is how a store keeps it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for FenceToken {
    /// The first eight digits: enough to tell holders apart in a log, too few to act for one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FenceToken({:08x}..)", self.0 >> 96)
    }
}

/// The remaining life of an entry can be read and renewed.
///
/// # Contract
/// 1. `remaining` is `None` for an entry that is not there, and otherwise true within the
///    [resolution](crate::Limits::resolution); never [`Remaining::Unknown`].
/// 2. `renew` replaces the time to live, counted from now, and leaves the value; `false` if there is no entry.
#[async_trait]
pub trait Expiring: Send + Sync {
    /// How long the entry under `key` still lives. Clause 1.
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>>;

    /// Gives the entry under `key` a new time to live. Clause 2.
    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool>;
}

/// All entries under a prefix can be removed.
///
/// # Contract
/// 1. After an acknowledged `clear`, no entry whose `set` was acknowledged before the call began is returned.
/// 2. Nothing outside the prefix is touched.
/// 3. Fences under the prefix are revoked, as by `delete_and_revoke`.
/// 4. Dropping the future may leave some entries removed and some not.
#[async_trait]
pub trait Clearable: Send + Sync {
    /// Removes every entry that `prefix` covers.
    async fn clear(&self, prefix: &KeyPrefix) -> Result<()>;
}

/// Changes made through other handles are told.
///
/// # Contract
/// 1. Every change of an entry that `prefix` covers, made through another handle after `watch` returned (a set, a
///    delete, a clear, an end by time or eviction need not be told), is told once or more, some time after it became
///    visible.
/// 2. Before anything may have been missed, or as soon as that is noticed, [`Change::SightLost`] is told: all
///    that was believed about the prefix is then in doubt. [`Change::SightRegained`] follows when clause 1 holds again.
/// 3. Changes of one key are told in the order in which they became visible, up to merging of equal ones.
#[async_trait]
pub trait Watchable: Send + Sync {
    /// Begins to watch what `prefix` covers.
    ///
    /// # Errors
    /// As for [`Backend`](crate::Backend), when watching cannot begin.
    async fn watch(&self, prefix: &KeyPrefix) -> Result<Box<dyn Watch>>;
}

/// A running watch: [`Watchable::watch`]. Dropping it ends it.
#[async_trait]
pub trait Watch: Send {
    /// The next change, in order; `None` when the backend is closed, after which nothing more comes.
    ///
    /// Dropping the future loses nothing.
    async fn next(&mut self) -> Option<Change>;
}

/// What a [`Watch`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This entry was changed or removed.
    Key(Key),
    /// Everything under this prefix was removed.
    Prefix(KeyPrefix),
    /// Something may have been missed: nothing that is believed is certain.
    SightLost,
    /// Changes are told again from here on.
    SightRegained,
}

/// Prefixes have a number that only grows: it empties a namespace at once where entries cannot be enumerated.
///
/// # Contract
/// 1. `epoch` is zero before the first `advance`.
/// 2. `advance` raises the number by at least one, atomically, and returns the new one; every later `epoch`, in any
///    process, returns that or more.
/// 3. The number outlives eviction of entries.
#[async_trait]
pub trait Counting: Send + Sync {
    /// The present number. Clause 1.
    async fn epoch(&self, prefix: &KeyPrefix) -> Result<u64>;

    /// Raises the number. Clause 2.
    async fn advance(&self, prefix: &KeyPrefix) -> Result<u64>;
}
