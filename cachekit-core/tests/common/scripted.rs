//! [`Scripted`]: a backend in memory whose calls take time, fail, park or yield on cue, and are counted.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Abilities, Acquired, Backend, BackendFault, Clearable, Counting, Entry, Error, FenceToken, Fenced, Health, Key,
    KeyPrefix, Limits, MemoryBackend, Result, SetOptions, Write,
};
use tokio::sync::Semaphore;

use super::Dice;

/// What a call asks of the backend. A `set` that revokes fences is a `Set`, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Get,
    Set,
    Delete,
    GetMany,
    SetMany,
    DeleteMany,
    Acquire,
    Renew,
    Release,
    SetFenced,
    Clear,
    Epoch,
    Advance,
}

/// When something happens to a call: before the real one, or after it, when it has taken effect and the answer is on
/// its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// A backend in memory that follows a script. Clones share it.
#[derive(Clone, Debug)]
pub struct Scripted {
    inner: MemoryBackend,
    script: Arc<Script>,
    fenced: bool,
    watched: bool,
    counting: bool,
}

#[derive(Debug, Default)]
struct Script {
    calls: Mutex<Vec<Call>>,
    rules: Mutex<Vec<Rule>>,
}

#[derive(Debug)]
struct Rule {
    call: Option<Call>,
    when: When,
    times: usize,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Wait(Duration),
    Fail(Error),
    Park(Gate),
    Yield(Arc<Mutex<Dice>>),
    FailAtTimes(Arc<Mutex<Dice>>, usize),
}

/// Holds the calls that come to it until it is opened.
#[derive(Clone, Debug)]
pub struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    /// Waits until a call has come.
    pub async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    /// Lets one call go on, now or when it comes.
    pub fn open(&self) {
        self.open.add_permits(1);
    }
}

impl Scripted {
    /// Everything that `inner` can do but watch.
    pub fn over(inner: &MemoryBackend) -> Self {
        Self { inner: inner.clone(), script: Arc::default(), fenced: true, watched: false, counting: false }
    }

    pub fn new() -> Self {
        Self::over(&MemoryBackend::new())
    }

    /// The same without fences.
    pub fn unfenced(self) -> Self {
        Self { fenced: false, ..self }
    }

    /// The same, telling what changes.
    pub fn watched(self) -> Self {
        Self { watched: true, ..self }
    }

    /// The same with epochs.
    pub fn counting(self) -> Self {
        Self { counting: true, ..self }
    }

    pub fn memory(&self) -> &MemoryBackend {
        &self.inner
    }

    /// Each such call takes so long, before it takes effect.
    pub fn wait(&self, call: Call, time: Duration) {
        self.rule(Some(call), When::Before, usize::MAX, Action::Wait(time));
    }

    /// Every call takes so long on its way there, and so long on its way back.
    pub fn linger(&self, time: Duration) {
        self.rule(None, When::Before, usize::MAX, Action::Wait(time));
        self.rule(None, When::After, usize::MAX, Action::Wait(time));
    }

    /// The next `times` such calls fail.
    pub fn fail(&self, call: Call, when: When, times: usize) {
        self.rule(Some(call), when, times, Action::Fail(unreachable()));
    }

    /// From now on such calls fail with `error`.
    pub fn fail_with(&self, call: Call, error: Error) {
        self.rule(Some(call), When::Before, usize::MAX, Action::Fail(error));
    }

    /// From now on every call fails.
    pub fn fall_ill(&self) {
        self.rule(None, When::Before, usize::MAX, Action::Fail(unreachable()));
    }

    /// From now on nothing happens to any call any more.
    pub fn recover(&self) {
        self.script.rules.lock().unwrap().clear();
    }

    /// The next such call waits for the gate.
    pub fn park(&self, call: Call, when: When) -> Gate {
        let gate = Gate { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) };
        self.rule(Some(call), when, 1, Action::Park(gate.clone()));
        gate
    }

    /// Every call yields as often as the dice say, before and after.
    pub fn shuffle(&self, dice: Dice) {
        let dice = Arc::new(Mutex::new(dice));
        self.rule(None, When::Before, usize::MAX, Action::Yield(Arc::clone(&dice)));
        self.rule(None, When::After, usize::MAX, Action::Yield(dice));
    }

    /// One call in so many fails, before or after it took effect.
    pub fn fail_at_times(&self, dice: Dice, one_in: usize) {
        let dice = Arc::new(Mutex::new(dice));
        self.rule(None, When::Before, usize::MAX, Action::FailAtTimes(Arc::clone(&dice), 2 * one_in));
        self.rule(None, When::After, usize::MAX, Action::FailAtTimes(dice, 2 * one_in));
    }

    /// How often this was called.
    pub fn count(&self, call: Call) -> usize {
        self.script.calls.lock().unwrap().iter().filter(|made| **made == call).count()
    }

    /// How often anything was called.
    pub fn calls(&self) -> usize {
        self.script.calls.lock().unwrap().len()
    }

    fn rule(&self, call: Option<Call>, when: When, times: usize, action: Action) {
        self.script.rules.lock().unwrap().push(Rule { call, when, times, action });
    }

    async fn step(&self, call: Call, when: When) -> Result<()> {
        if when == When::Before {
            self.script.calls.lock().unwrap().push(call);
        }
        let actions: Vec<Action> = {
            let mut rules = self.script.rules.lock().unwrap();
            let applies =
                |rule: &&mut Rule| rule.times > 0 && rule.when == when && rule.call.is_none_or(|ruled| ruled == call);
            rules
                .iter_mut()
                .filter(applies)
                .map(|rule| {
                    rule.times -= 1;
                    rule.action.clone()
                })
                .collect()
        };
        for action in actions {
            match action {
                Action::Wait(time) => tokio::time::sleep(time).await,
                Action::Fail(error) => return Err(error),
                Action::FailAtTimes(dice, one_in) => {
                    if dice.lock().unwrap().below(one_in) == 0 {
                        return Err(Error::backend("scripted", BackendFault::Unreachable, "by chance"));
                    }
                }
                Action::Park(gate) => {
                    gate.reached.add_permits(1);
                    gate.open.acquire().await.unwrap().forget();
                }
                Action::Yield(dice) => {
                    let times = dice.lock().unwrap().below(4);
                    for _ in 0..times {
                        pause().await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn follow<R>(&self, call: Call, real: impl Future<Output = Result<R>>) -> Result<R> {
        self.step(call, When::Before).await?;
        let answer = real.await?;
        self.step(call, When::After).await?;
        Ok(answer)
    }

    async fn follow_many<R>(
        &self,
        call: Call,
        count: usize,
        real: impl Future<Output = Vec<Result<R>>>,
    ) -> Vec<Result<R>> {
        let failed = |error: Error| (0..count).map(|_| Err(error.clone())).collect();
        if let Err(error) = self.step(call, When::Before).await {
            return failed(error);
        }
        let answers = real.await;
        match self.step(call, When::After).await {
            Ok(()) => answers,
            Err(error) => failed(error),
        }
    }
}

fn unreachable() -> Error {
    Error::backend("scripted", BackendFault::Unreachable, "as the script says")
}

/// Lets others run once. Unlike tokio's, it wakes at once.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl Backend for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.follow(Call::Get, self.inner.get(key)).await
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.follow(Call::Set, self.inner.set(key, value, options)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.follow(Call::Delete, self.inner.delete(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.follow_many(Call::GetMany, keys.len(), self.inner.get_many(keys)).await
    }

    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        self.follow_many(Call::SetMany, writes.len(), self.inner.set_many(writes)).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        self.follow_many(Call::DeleteMany, keys.len(), self.inner.delete_many(keys)).await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn abilities(&self) -> Abilities<'_> {
        let abilities = Abilities::none().with_clearable(self);
        let abilities = if self.fenced { abilities.with_fenced(self) } else { abilities };
        let abilities = if self.counting { abilities.with_counting(self) } else { abilities };
        if self.watched { abilities.with_watchable(&self.inner) } else { abilities }
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl Fenced for Scripted {
    async fn acquire(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<Acquired> {
        self.follow(Call::Acquire, self.inner.acquire(key, token, lease)).await
    }

    async fn renew(&self, key: &Key, token: &FenceToken, lease: Duration) -> Result<bool> {
        self.follow(Call::Renew, Fenced::renew(&self.inner, key, token, lease)).await
    }

    async fn release(&self, key: &Key, token: &FenceToken) -> Result<bool> {
        self.follow(Call::Release, self.inner.release(key, token)).await
    }

    async fn set_fenced(&self, key: &Key, token: &FenceToken, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.follow(Call::SetFenced, self.inner.set_fenced(key, token, value, options)).await
    }

    async fn set_and_revoke(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.follow(Call::Set, self.inner.set_and_revoke(key, value, options)).await
    }

    async fn delete_and_revoke(&self, key: &Key) -> Result<()> {
        self.follow(Call::Delete, self.inner.delete_and_revoke(key)).await
    }
}

#[async_trait]
impl Clearable for Scripted {
    async fn clear(&self, prefix: &KeyPrefix) -> Result<()> {
        self.follow(Call::Clear, self.inner.clear(prefix)).await
    }
}

#[async_trait]
impl Counting for Scripted {
    async fn epoch(&self, prefix: &KeyPrefix) -> Result<u64> {
        self.follow(Call::Epoch, self.inner.epoch(prefix)).await
    }

    async fn advance(&self, prefix: &KeyPrefix) -> Result<u64> {
        self.follow(Call::Advance, self.inner.advance(prefix)).await
    }
}
