//! [`Faults`] as a backend.

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Abilities, Backend, BackendFault, Entry, ErrorCode, Health, Key, Limits, Operation, Result, SetOptions, Write,
};

use super::Faults;
use super::call::Call;
use crate::recorder::Outcome;

impl Faults {
    /// A call about one key.
    pub(super) fn call(&self, operation: Operation, method: &'static str, key: &Key) -> Call<'_> {
        Call::about(&self.script, self.inner.name(), operation, method, [key])
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backend for Faults {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let call = self.call(Operation::Get, "get", key);
        let damage = call.damage(0);
        let real = async { self.inner.get(key).await.map(|found| damage.read(found)) };
        call.make(None, real, |found| if found.is_some() { Outcome::Found } else { Outcome::Missing }).await
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        let call = self.call(Operation::Set, "set", key);
        let damage = call.damage(0);
        let real = async {
            let value = damage.write(value);
            self.inner.set(key, value.clone(), options).await?;
            damage.wrote(Some(value));
            Ok(())
        };
        call.make(Some(()), real, done).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let call = self.call(Operation::Delete, "delete", key);
        let damage = call.damage(0);
        let real = async {
            self.inner.delete(key).await?;
            damage.wrote(None);
            Ok(())
        };
        call.make(Some(()), real, done).await
    }

    async fn exists(&self, key: &Key) -> Result<bool> {
        let call = self.call(Operation::Exists, "exists", key);
        let found = |found: &bool| if *found { Outcome::Found } else { Outcome::Missing };
        call.make(None, self.inner.exists(key), found).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let mut call = Call::about(&self.script, self.inner.name(), Operation::GetMany, "get_many", keys);
        call.before().await;
        let through = call.through();
        let mut answers = match pick(keys, &through).as_slice() {
            [] if !keys.is_empty() => Vec::new(),
            keys => self.inner.get_many(keys).await,
        };
        for (answer, &at) in answers.iter_mut().zip(&through) {
            if let Ok(found) = answer {
                *found = call.damage(at).read(found.take());
            }
        }
        call.after().await;
        call.assemble(&through, answers, &None)
    }

    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        let keys = writes.iter().map(|write| &write.key);
        let mut call = Call::about(&self.script, self.inner.name(), Operation::SetMany, "set_many", keys);
        call.before().await;
        let through = call.through();
        let mut picked = pick(writes, &through);
        for (write, &at) in picked.iter_mut().zip(&through) {
            write.value = call.damage(at).write(write.value.clone());
        }
        let answers = match picked.as_slice() {
            [] if !writes.is_empty() => Vec::new(),
            writes => self.inner.set_many(writes).await,
        };
        for ((answer, write), &at) in answers.iter().zip(&picked).zip(&through) {
            if answer.is_ok() {
                call.damage(at).wrote(Some(write.value.clone()));
            }
        }
        call.after().await;
        call.assemble(&through, answers, &())
    }

    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        let mut call = Call::about(&self.script, self.inner.name(), Operation::DeleteMany, "delete_many", keys);
        call.before().await;
        let through = call.through();
        let answers = match pick(keys, &through).as_slice() {
            [] if !keys.is_empty() => Vec::new(),
            keys => self.inner.delete_many(keys).await,
        };
        for (answer, &at) in answers.iter().zip(&through) {
            if answer.is_ok() {
                call.damage(at).wrote(None);
            }
        }
        call.after().await;
        call.assemble(&through, answers, &())
    }

    async fn health(&self) -> Result<Health> {
        let call = Call::at_large(&self.script, self.inner.name(), Operation::Health, "health", None);
        call.make(None, self.inner.health(), |_| Outcome::Done).await
    }

    fn code_of(&self, fault: BackendFault) -> ErrorCode {
        self.inner.code_of(fault)
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    /// Those of the backend below, each through the script.
    fn abilities(&self) -> Abilities<'_> {
        let below = self.inner.abilities();
        let mut own = Abilities::none();
        if below.fenced.is_some() {
            own = own.with_fenced(self);
        }
        if below.expiring.is_some() {
            own = own.with_expiring(self);
        }
        if below.clearable.is_some() {
            own = own.with_clearable(self);
        }
        if below.watchable.is_some() {
            own = own.with_watchable(self);
        }
        if below.counting.is_some() {
            own = own.with_counting(self);
        }
        own
    }

    /// Closing does not fail; it may be held or delayed.
    async fn close(&self) {
        let call = Call::at_large(&self.script, self.inner.name(), Operation::Close, "close", None);
        let real = async {
            self.inner.close().await;
            Ok(())
        };
        // There is nobody to hand an error to.
        let _ = call.make(None, real, done).await;
    }
}

/// The outcome of what has no answer but that it was done.
pub(super) fn done((): &()) -> Outcome {
    Outcome::Done
}

fn pick<T: Clone>(all: &[T], at: &[usize]) -> Vec<T> {
    at.iter().map(|&at| all[at].clone()).collect()
}
