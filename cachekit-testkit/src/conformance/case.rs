//! [`Case`]: one rule's view of a fixture, with keys of its own, values, time and patience.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{
    Backend, Clearable, Clock, Counting, Expiring, FenceToken, Fenced, Key, KeyPrefix, Moment, NonZeroDuration,
    SetOptions, Ttl, Watch, Watchable,
};
use tokio::time::Instant;

use super::fixture::{Fixture, Illness, Profile, Time};
use super::outcome::{Outcome, Unmet};

/// What a rule works with. Everything that it makes up lies under names that nobody else has.
pub(crate) struct Case {
    fixture: Box<dyn Fixture>,
    backend: Arc<dyn Backend>,
    other: Arc<dyn Backend>,
    opened: Instant,
    stem: String,
    random: Mutex<u64>,
    touched: Mutex<BTreeSet<Key>>,
}

impl Case {
    pub(super) async fn open(fixture: Box<dyn Fixture>, seed: u64) -> Self {
        let backend = fixture.backend().await;
        let other = fixture.reopen().await;
        // The seed does not make the names: two runs of one seed on one store must not meet.
        let stem = format!("conf-{:012x}", RandomState::new().hash_one(seed) >> 16);
        Self {
            fixture,
            backend,
            other,
            opened: Instant::now(),
            stem,
            random: Mutex::new(seed),
            touched: Mutex::default(),
        }
    }

    /// The handle that a rule works through.
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Another handle to the same entries.
    pub(crate) fn other(&self) -> &Arc<dyn Backend> {
        &self.other
    }

    /// One more handle, for a rule that spoils it.
    pub(crate) async fn reopen(&self) -> Arc<dyn Backend> {
        self.fixture.reopen().await
    }

    /// A key of this rule's own.
    pub(crate) fn key(&self, name: &str) -> Key {
        self.note(&format!("{}:{name}", self.stem))
    }

    /// As many keys of this rule's own.
    pub(crate) fn keys(&self, count: usize) -> Vec<Key> {
        (0..count).map(|n| self.key(&format!("n:{n}"))).collect()
    }

    /// The longest key there can be, ending in `end`.
    pub(crate) fn long_key(&self, end: &str) -> Key {
        let room = Key::MAX_LEN - self.stem.len() - 1 - end.len();
        self.key(&format!("{}{end}", "x".repeat(room)))
    }

    /// The prefix of a namespace of this rule's own.
    pub(crate) fn namespace(&self, name: &str) -> KeyPrefix {
        self.prefix(&format!("{}-{name}:", self.stem))
    }

    /// The prefix of a tenant's namespace of this rule's own.
    pub(crate) fn tenant(&self, tenant: &str, name: &str) -> KeyPrefix {
        self.prefix(&format!("t:{}-{tenant}:{name}:", self.stem))
    }

    /// A key under `prefix`.
    pub(crate) fn under(&self, prefix: &KeyPrefix, name: &str) -> Key {
        self.note(&format!("{}{name}", prefix.as_str()))
    }

    fn prefix(&self, text: &str) -> KeyPrefix {
        KeyPrefix::new(text).expect("the suite's prefixes are well formed")
    }

    fn note(&self, text: &str) -> Key {
        let key = Key::new(text).expect("the suite's keys are well formed");
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        key
    }

    /// Bytes that look like nothing.
    pub(crate) fn bytes(&self, count: usize) -> Bytes {
        let words = (0..count.div_ceil(8)).flat_map(|_| self.random().to_le_bytes());
        let mut bytes: Vec<u8> = words.collect();
        bytes.truncate(count);
        bytes.into()
    }

    /// A short value that differs from every other.
    pub(crate) fn value(&self) -> Bytes {
        self.bytes(24)
    }

    pub(crate) fn token(&self) -> FenceToken {
        FenceToken::from_random(u128::from(self.random()) << 64 | u128::from(self.random()))
    }

    /// SplitMix64.
    pub(crate) fn random(&self) -> u64 {
        let mut state = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = *state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// To live for longer than any rule takes, and not for ever if it is left behind.
    pub(crate) fn kept(&self) -> SetOptions {
        SetOptions::new(Ttl::secs(3_600))
    }

    /// To live for [`life`](Self::life).
    pub(crate) fn short(&self) -> SetOptions {
        self.options(self.life())
    }

    pub(crate) fn options(&self, life: Duration) -> SetOptions {
        SetOptions::new(self.ttl(life))
    }

    pub(crate) fn ttl(&self, life: Duration) -> Ttl {
        NonZeroDuration::new(life).map_or(Ttl::Never, Ttl::For)
    }

    /// A life that is short enough to wait for its end, in whole units of the resolution.
    pub(crate) fn life(&self) -> Duration {
        match self.fixture.time() {
            Time::ByHand(_) => Duration::from_secs(60).max(self.resolution() * 4),
            Time::Real => {
                let units = SHORT_LIFE.as_nanos().div_ceil(self.resolution().as_nanos().max(1)).max(2);
                self.resolution() * u32::try_from(units).unwrap_or(u32::MAX)
            }
        }
    }

    pub(crate) fn resolution(&self) -> Duration {
        self.backend.limits().resolution.max(Duration::from_nanos(1))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.fixture.profile() == Profile::Full
    }

    /// Whether time stands still unless a rule lets it pass.
    pub(crate) fn time_stands_still(&self) -> bool {
        matches!(self.fixture.time(), Time::ByHand(_))
    }

    pub(crate) fn now(&self) -> Moment {
        match self.fixture.time() {
            Time::ByHand(clock) => clock.now(),
            // Tokio's, as the waiting is: where its clock is paused, both are.
            Time::Real => Moment::from_nanos(u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    /// Lets time pass, if it may be waited for.
    pub(crate) async fn pass(&self, time: Duration) -> Outcome {
        match self.fixture.time() {
            Time::ByHand(clock) => clock.advance(time),
            Time::Real if self.is_full() => tokio::time::sleep(time).await,
            Time::Real => {
                return Err(Unmet::skipped("real time has to pass, which the fast profile does not wait for"));
            }
        }
        Ok(())
    }

    /// Lets the end of what was given `life` pass, with the tolerance that the backend's resolution asks for.
    pub(crate) async fn outlive(&self, life: Duration) -> Outcome {
        self.pass(life.saturating_add(self.resolution() * 2)).await
    }

    pub(crate) fn patience(&self) -> Duration {
        self.fixture.patience()
    }

    /// Waits for what is certain to happen.
    pub(crate) async fn in_time<T>(&self, what: &str, future: impl Future<Output = T>) -> Outcome<T> {
        let hung = |_| Unmet::deviates(what, format_args!("nothing within {:?}", self.patience()));
        tokio::time::timeout(self.patience(), future).await.map_err(hung)
    }

    /// A watch of `prefix` through the first handle.
    pub(crate) async fn watch(&self, prefix: &KeyPrefix) -> Outcome<Box<dyn Watch>> {
        Ok(self.watchable()?.watch(prefix).await?)
    }

    /// Makes the store ill for as long as the answer is not dealt with by [`recover`](Self::recover).
    pub(crate) async fn fall_ill(&self, illness: Illness) -> Outcome {
        if self.fixture.fall_ill(illness).await {
            return Ok(());
        }
        Err(Unmet::skipped(match illness {
            Illness::Down => "the fixture cannot make the store unreachable",
            Illness::Silent => "the fixture cannot make the store silent",
        }))
    }

    pub(crate) async fn recover(&self) {
        self.fixture.recover().await;
    }

    pub(crate) async fn evict(&self) -> Outcome {
        match self.fixture.evict().await {
            true => Ok(()),
            false => Err(Unmet::skipped("the fixture cannot make the store evict")),
        }
    }

    pub(crate) fn secrets(&self) -> Vec<String> {
        self.fixture.secrets()
    }

    pub(crate) fn declared(&self) -> Option<Vec<&'static str>> {
        self.fixture.abilities()
    }

    pub(crate) fn fenced(&self) -> Outcome<&dyn Fenced> {
        self.backend.abilities().fenced.ok_or_else(|| lacks("fenced"))
    }

    pub(crate) fn expiring(&self) -> Outcome<&dyn Expiring> {
        self.backend.abilities().expiring.ok_or_else(|| lacks("expiring"))
    }

    pub(crate) fn clearable(&self) -> Outcome<&dyn Clearable> {
        self.backend.abilities().clearable.ok_or_else(|| lacks("clearable"))
    }

    pub(crate) fn watchable(&self) -> Outcome<&dyn Watchable> {
        self.backend.abilities().watchable.ok_or_else(|| lacks("watchable"))
    }

    pub(crate) fn counting(&self) -> Outcome<&dyn Counting> {
        self.backend.abilities().counting.ok_or_else(|| lacks("counting"))
    }

    /// Removes what the rule may have left behind, if the store lets it.
    pub(super) async fn clean(&self) {
        self.recover().await;
        let keys: Vec<Key> =
            std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect();
        let removed = async {
            if let Some(fenced) = self.other.abilities().fenced {
                for key in &keys {
                    // What cannot be removed now ends by itself.
                    let _ = fenced.delete_and_revoke(key).await;
                }
            }
            self.other.delete_many(&keys).await
        };
        let _ = tokio::time::timeout(self.patience(), removed).await;
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("backend", &self.backend).field("stem", &self.stem).finish_non_exhaustive()
    }
}

fn lacks(ability: &str) -> Unmet {
    Unmet::skipped(format!("the backend does not offer the ability \"{ability}\""))
}

/// Polls `future` at most so often, then drops it. `None` if it was not done by then.
pub(crate) async fn polled<F: Future>(future: F, at_most: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = at_most;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Long enough for a slow machine to look at an entry before its end, short enough to wait for it.
const SHORT_LIFE: Duration = Duration::from_millis(300);
