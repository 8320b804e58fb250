//! The abilities of [`Faults`]: those of the backend below, through the script.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Acquired, Backend, Clearable, Counting, Error, ErrorCode, Expiring, FenceToken, Fenced, Key, KeyPrefix, Operation,
    Remaining, Result, SetOptions, Ttl, Watch, Watchable,
};

use super::Faults;
use super::backend::done;
use super::call::Call;
use super::watch::FaultyWatch;
use crate::recorder::Outcome;

impl Faults {
    fn at_large(&self, operation: Operation, method: &'static str, prefix: &KeyPrefix) -> Call<'_> {
        Call::at_large(&self.script, self.inner.name(), operation, method, Some(prefix))
    }

    fn fenced(&self) -> Result<&dyn Fenced> {
        self.inner.abilities().fenced.ok_or_else(|| self.absent("fenced"))
    }

    fn expiring(&self) -> Result<&dyn Expiring> {
        self.inner.abilities().expiring.ok_or_else(|| self.absent("expiring"))
    }

    fn clearable(&self) -> Result<&dyn Clearable> {
        self.inner.abilities().clearable.ok_or_else(|| self.absent("clearable"))
    }

    fn watchable(&self) -> Result<&dyn Watchable> {
        self.inner.abilities().watchable.ok_or_else(|| self.absent("watchable"))
    }

    fn counting(&self) -> Result<&dyn Counting> {
        self.inner.abilities().counting.ok_or_else(|| self.absent("counting"))
    }

    /// Only who calls the trait by its name gets here: the ability is not offered.
    fn absent(&self, ability: &str) -> Error {
        let message = format!("the backend below is not {ability}");
        Error::new(ErrorCode::E047, message).with_backend(self.inner.name().to_owned())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Fenced for Faults {
    async fn acquire(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<Acquired> {
        let call = self.call(Operation::Acquire, "acquire", key);
        let damage = call.damage(0);
        let real = async {
            Ok(match self.fenced()?.acquire(key, token, lease).await? {
                Acquired::Granted { found } => Acquired::Granted { found: damage.read(found) },
                Acquired::Held => Acquired::Held,
            })
        };
        call.make(None, real, |acquired| match acquired {
            Acquired::Granted { found: Some(_) } => Outcome::Found,
            Acquired::Granted { found: None } => Outcome::Missing,
            Acquired::Held => Outcome::Declined,
        })
        .await
    }

    async fn renew(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<bool> {
        let call = self.call(Operation::Renew, "renew", key);
        call.make(Some(true), async { self.fenced()?.renew(key, token, lease).await }, yes_or_no).await
    }

    async fn release(&self, key: &Key, token: &FenceToken) -> Result<bool> {
        let call = self.call(Operation::Release, "release", key);
        call.make(Some(true), async { self.fenced()?.release(key, token).await }, yes_or_no).await
    }

    async fn set_fenced(&self, key: &Key, token: &FenceToken, value: Bytes, options: &SetOptions) -> Result<bool> {
        let call = self.call(Operation::Set, "set_fenced", key);
        let damage = call.damage(0);
        let real = async {
            let value = damage.write(value);
            let stored = self.fenced()?.set_fenced(key, token, value.clone(), options).await?;
            if stored {
                damage.wrote(Some(value));
            }
            Ok(stored)
        };
        call.make(Some(true), real, yes_or_no).await
    }

    async fn set_and_revoke(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        let call = self.call(Operation::Set, "set_and_revoke", key);
        let damage = call.damage(0);
        let real = async {
            let value = damage.write(value);
            self.fenced()?.set_and_revoke(key, value.clone(), options).await?;
            damage.wrote(Some(value));
            Ok(())
        };
        call.make(Some(()), real, done).await
    }

    async fn delete_and_revoke(&self, key: &Key) -> Result<()> {
        let call = self.call(Operation::Delete, "delete_and_revoke", key);
        let damage = call.damage(0);
        let real = async {
            self.fenced()?.delete_and_revoke(key).await?;
            damage.wrote(None);
            Ok(())
        };
        call.make(Some(()), real, done).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Expiring for Faults {
    async fn remaining(&self, key: &Key) -> Result<Option<Remaining>> {
        let call = self.call(Operation::Ttl, "remaining", key);
        let found = |found: &Option<_>| if found.is_some() { Outcome::Found } else { Outcome::Missing };
        call.make(None, async { self.expiring()?.remaining(key).await }, found).await
    }

    async fn renew(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let call = self.call(Operation::Expire, "renew", key);
        let found = |found: &bool| if *found { Outcome::Found } else { Outcome::Missing };
        call.make(Some(true), async { self.expiring()?.renew(key, ttl).await }, found).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Clearable for Faults {
    async fn clear(&self, prefix: &KeyPrefix) -> Result<()> {
        let call = self.at_large(Operation::Clear, "clear", prefix);
        let real = async {
            self.clearable()?.clear(prefix).await?;
            self.script.memory().cleared(prefix);
            Ok(())
        };
        call.make(Some(()), real, done).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Watchable for Faults {
    /// While the backend is [down](Faults::down), a watch tells nothing but that sight was lost; then that it was regained.
    async fn watch(&self, prefix: &KeyPrefix) -> Result<Box<dyn Watch>> {
        let call = self.at_large(Operation::Watch, "watch", prefix);
        let real = async {
            // From before the watch begins, so that no trouble is missed.
            let down = self.script.watch_down();
            let inner = self.watchable()?.watch(prefix).await?;
            Ok(Box::new(FaultyWatch::new(inner, down)) as Box<dyn Watch>)
        };
        call.make(None, real, |_| Outcome::Done).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Counting for Faults {
    async fn epoch(&self, prefix: &KeyPrefix) -> Result<u64> {
        let call = self.at_large(Operation::Epoch, "epoch", prefix);
        call.make(None, async { self.counting()?.epoch(prefix).await }, |_| Outcome::Done).await
    }

    async fn advance(&self, prefix: &KeyPrefix) -> Result<u64> {
        let call = self.at_large(Operation::Epoch, "advance", prefix);
        call.make(None, async { self.counting()?.advance(prefix).await }, |_| Outcome::Done).await
    }
}

fn yes_or_no(yes: &bool) -> Outcome {
    if *yes { Outcome::Done } else { Outcome::Declined }
}
