//! [`Animal`]: a backend that is right in everything but one thing, and the [`Cage`] that shows it to the suite.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Abilities, Backend, BackendFault, Clock, Entry, Error, Expiring, FenceToken, Fenced, Health, Key, KeyPrefix,
    Limits, ManualClock, MemoryBackend, Moment, Remaining, Result, SetOptions, Ttl, UnixTime, Write,
};
use cachekit_testkit::conformance::{Fixture, Illness, Profile, Time};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::quirk::Quirk;

/// The store that an animal's handles share.
pub(crate) struct Den {
    pub(crate) quirk: Quirk,
    pub(crate) clock: Arc<dyn Clock>,
    time: Time,
    store: MemoryBackend,
    pub(crate) down: watch::Sender<bool>,
    silent: AtomicBool,
    notes: Mutex<Notes>,
    slots: Semaphore,
    asked: AtomicUsize,
    /// How many watches were opened.
    pub(crate) watches: AtomicUsize,
}

impl Den {
    /// Whether the last change of `key` is one that is not told.
    pub(crate) fn hides(&self, key: &Key) -> bool {
        self.notes.lock().unwrap().untold.contains(key)
    }
}

/// What an animal has to remember to do something wrong.
#[derive(Default)]
pub(crate) struct Notes {
    /// What was set last, and what before; how often it was read since.
    pub(crate) last: HashMap<Key, Bytes>,
    earlier: HashMap<Key, Bytes>,
    read: HashMap<Key, usize>,
    /// What was acknowledged and not written yet.
    promised: HashMap<Key, (Bytes, SetOptions)>,
    /// What passes through the one slot that all share.
    slot: Bytes,
    latest: Option<Key>,
    deleted: HashSet<Key>,
    pub(crate) tokens: HashMap<Key, FenceToken>,
    pub(crate) untold: HashSet<Key>,
    /// Of each prefix its number, and when that was advanced.
    pub(crate) epochs: HashMap<KeyPrefix, (u64, Moment)>,
}

/// The fixture of an animal.
pub(crate) struct Cage(Arc<Den>);

impl Cage {
    /// With a clock moved by hand.
    pub(crate) fn of(quirk: Quirk) -> Self {
        let clock = ManualClock::new();
        Self::with(quirk, clock.clone(), Time::ByHand(clock))
    }

    /// With the time of tokio, which is as good as real to the suite, and passes at once where it is paused.
    pub(crate) fn in_real_time(quirk: Quirk) -> Self {
        Self::with(quirk, TokioClock(Instant::now()), Time::Real)
    }

    fn with(quirk: Quirk, clock: impl Clock + Clone, time: Time) -> Self {
        let store = MemoryBackend::builder().clock(clock.clone()).capacity(32 << 20);
        Self(Arc::new(Den {
            quirk,
            clock: Arc::new(clock),
            time,
            store: store.max_value(LARGEST).build().expect("the capacity holds an entry"),
            down: watch::Sender::new(false),
            silent: AtomicBool::new(false),
            notes: Mutex::default(),
            slots: Semaphore::new(32),
            asked: AtomicUsize::new(0),
            watches: AtomicUsize::new(0),
        }))
    }
}

#[async_trait]
impl Fixture for Cage {
    async fn backend(&self) -> Arc<dyn Backend> {
        let (den, store) = (Arc::clone(&self.0), self.0.store.connect());
        Arc::new(Animal {
            den,
            store,
            cached: Mutex::default(),
            own_keys: Mutex::default(),
            closed: AtomicUsize::new(0),
        })
    }

    fn time(&self) -> Time {
        self.0.time.clone()
    }

    fn profile(&self) -> Profile {
        if matches!(self.0.time, Time::Real) { Profile::Full } else { Profile::Fast }
    }

    fn abilities(&self) -> Option<Vec<&'static str>> {
        Some(vec!["fenced", "expiring", "clearable", "watchable", "counting"])
    }

    fn secrets(&self) -> Vec<String> {
        vec!["hunter2".into()]
    }

    async fn fall_ill(&self, illness: Illness) -> bool {
        match illness {
            Illness::Down => drop(self.0.down.send_replace(true)),
            _ => self.0.silent.store(true, Ordering::SeqCst),
        }
        true
    }

    async fn recover(&self) {
        self.0.down.send_replace(false);
        self.0.silent.store(false, Ordering::SeqCst);
    }

    async fn evict(&self) -> bool {
        if self.0.quirk == Quirk::EpochGoesWithEviction {
            self.0.notes.lock().unwrap().epochs.clear();
        }
        true
    }
}

/// Reads the time of tokio.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap())
    }

    fn wall(&self) -> UnixTime {
        UnixTime::from_millis(self.now().as_nanos() / 1_000_000)
    }
}

/// A handle.
pub(crate) struct Animal {
    pub(crate) den: Arc<Den>,
    pub(crate) store: MemoryBackend,
    cached: Mutex<HashMap<Key, Bytes>>,
    /// What this handle has set.
    pub(crate) own_keys: Mutex<HashSet<Key>>,
    closed: AtomicUsize,
}

impl Animal {
    pub(crate) fn is(&self, quirk: Quirk) -> bool {
        self.den.quirk == quirk
    }

    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.den.notes.lock().unwrap())
    }

    /// What every call goes through: the illnesses of the store.
    pub(crate) async fn reach(&self, key: Option<&Key>) -> Result<()> {
        if self.den.silent.load(Ordering::SeqCst) {
            if self.is(Quirk::HangsWhenSilent) {
                return std::future::pending().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(self.error(BackendFault::Timeout, "no answer within 1 s".into()));
        }
        if *self.den.down.borrow() && !self.is(Quirk::HidesItsIllness) {
            let message = match key {
                Some(key) if self.is(Quirk::ShowsKeys) => format!("cannot reach {}", key.as_str()),
                _ => "cannot reach the store".to_owned(),
            };
            return Err(self.error(BackendFault::Unreachable, message));
        }
        if self.is(Quirk::LeaksOnDrop) {
            // Given back by hand, and so not at all where the future is dropped in between.
            self.den.slots.acquire().await.unwrap().forget();
            tokio::task::yield_now().await;
            self.den.slots.add_permits(1);
        }
        Ok(())
    }

    fn error(&self, fault: BackendFault, message: String) -> Error {
        self.own(Error::backend("", fault, message))
    }

    fn own(&self, error: Error) -> Error {
        error.with_backend(if self.is(Quirk::NamesNobody) { "somebody".to_owned() } else { self.name().to_owned() })
    }

    /// Under which key this animal keeps `key`.
    fn place(&self, key: &Key) -> Key {
        if self.is(Quirk::FoldsCase) { Key::new(&key.as_str().to_lowercase()).unwrap() } else { key.clone() }
    }

    fn life(&self, ttl: Ttl) -> Result<Ttl> {
        match (self.den.quirk, ttl) {
            (Quirk::LosesTheLife, _) => Ok(Ttl::Never),
            (Quirk::NeverIsAYear, Ttl::Never) => Ok(Ttl::secs(365 * 86_400)),
            (Quirk::RefusesLongLives, Ttl::For(life)) if life.get() > LONGEST / 2 => {
                Err(self.error(BackendFault::Permanent, "a life of more than fifty years".into()))
            }
            (Quirk::CutsLivesShort, Ttl::For(life)) => Ok(Ttl::try_from(life.get().mul_f64(0.9)).unwrap_or(ttl)),
            (Quirk::RefusesShortLives, Ttl::For(life)) if life.get() < Duration::from_millis(1) => {
                Err(self.error(BackendFault::Permanent, "a life of less than a millisecond".into()))
            }
            _ => Ok(ttl),
        }
    }

    pub(crate) fn check_life(&self, ttl: Ttl, value: &Bytes) -> Result<()> {
        if ttl.as_duration().is_none_or(|life| life <= LONGEST) || self.is(Quirk::TakesTooLong) {
            return Ok(());
        }
        let shown = if self.is(Quirk::ShowsValues) { String::from_utf8_lossy(value) } else { "it".into() };
        Err(self.error(BackendFault::Permanent, format!("a life beyond the limit: {shown} was not stored")))
    }

    /// Keeps what it promised.
    async fn settle(&self) {
        for (key, (value, options)) in self.note(|notes| std::mem::take(&mut notes.promised)) {
            self.store.set(&key, value, &options).await.unwrap();
        }
    }

    /// Writes one half, and the other after others had their turn.
    async fn set_in_halves(&self, key: &Key, value: &Bytes, options: &SetOptions) -> Result<()> {
        let half = value.len() / 2;
        for (from, to) in [(0, half), (half, value.len())] {
            let mut there = self.store.get(key).await?.map(|entry| entry.value.to_vec()).unwrap_or_default();
            there.resize(value.len(), 0);
            there[from..to].copy_from_slice(&value[from..to]);
            self.store.set(key, there.into(), options).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

#[async_trait]
impl Backend for Animal {
    fn name(&self) -> &str {
        if self.is(Quirk::ShoutsItsName) { "THE ANIMAL!" } else { "animal" }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.reach(Some(key)).await?;
        let mut key = self.place(key);
        if self.is(Quirk::SwapsTwoKeys) {
            let swapped = [("a.b", "a-b"), ("a-b", "a.b")].iter().find(|(this, _)| key.as_str().ends_with(this));
            key = swapped.map_or(key.clone(), |(this, that)| Key::new(&key.as_str().replace(this, that)).unwrap());
        }
        let found = self.store.get(&key).await.map_err(|error| self.own(error))?;
        let last = self.note(|notes| notes.last.get(&key).cloned());
        match self.den.quirk {
            Quirk::ErrsOnMissing if last.is_none() => Err(self.error(BackendFault::Permanent, "not there".into())),
            Quirk::AnswersBeforeTheWrite => {
                self.settle().await;
                Ok(found)
            }
            Quirk::GoesBack => Ok(found.map(|entry| {
                let earlier = self.note(|notes| {
                    let read = notes.read.entry(key.clone()).or_default();
                    *read += 1;
                    notes.earlier.get(&key).filter(|_| *read == 2).cloned()
                });
                Entry::new(earlier.unwrap_or(entry.value), entry.remaining)
            })),
            Quirk::ServesTheEnded => Ok(found.or(last.map(|value| Entry::new(value, Remaining::Unknown)))),
            Quirk::EndsEarly => Ok(found.filter(|entry| match entry.remaining {
                Remaining::For(left) => left > Duration::from_millis(50),
                _ => true,
            })),
            Quirk::DropsTheEmptyValue => Ok(found.filter(|entry| !entry.value.is_empty())),
            Quirk::CachesPerHandle => Ok(found.map(|entry| {
                let mut cached = self.cached.lock().unwrap();
                Entry::new(cached.entry(key).or_insert(entry.value).clone(), entry.remaining)
            })),
            Quirk::LiesAboutTheRemainingLife => {
                Ok(found.map(|entry| Entry::new(entry.value, Remaining::For(Duration::from_secs(1)))))
            }
            Quirk::TearsReads => {
                tokio::task::yield_now().await;
                let again = self.store.get(&key).await?;
                Ok(found.zip(again).map(|(first, second)| {
                    let half = first.value.len().min(second.value.len()) / 2;
                    let torn = [&first.value[..half], &second.value[half..]].concat();
                    Entry::new(torn.into(), second.remaining)
                }))
            }
            _ => Ok(found),
        }
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.reach(Some(key)).await?;
        let key = self.place(key);
        self.check_life(options.ttl, &value)?;
        let mut options = SetOptions::new(self.life(options.ttl)?);
        let mut value = value;
        self.own_keys.lock().unwrap().insert(key.clone());
        self.note(|notes| {
            notes.read.remove(&key);
            notes.untold.remove(&key);
            notes.latest = Some(key.clone());
            let earlier = (value.len() <= LARGEST).then(|| notes.last.insert(key.clone(), value.clone())).flatten();
            notes.earlier.extend(earlier.map(|earlier| (key.clone(), earlier)));
        });
        match self.den.quirk {
            Quirk::TruncatesAt64KiB if value.len() <= LARGEST => value.truncate(64 << 10),
            Quirk::TakesTextOnly if [1, 256, 4_099].contains(&value.len()) => {
                value = String::from_utf8_lossy(&value).into_owned().into();
            }
            Quirk::LosesTheSeventh if key.as_str().ends_with(":7") => return Ok(()),
            Quirk::DeletesForGood if self.note(|notes| notes.deleted.contains(&key)) => return Ok(()),
            Quirk::TakesNullForNothing if value == "null" => return self.store.delete(&key).await,
            Quirk::TakesTooLarge if value.len() > LARGEST => return Ok(()),
            Quirk::RevokesOnPlainWrites => return self.store.set_and_revoke(&key, value, &options).await,
            Quirk::KeepsTheFirstLife => {
                if let Some(Remaining::For(left)) = self.store.remaining(&key).await? {
                    options = SetOptions::new(Ttl::try_from(left)?);
                }
            }
            Quirk::AnswersBeforeTheWrite if value.len() <= LARGEST && self.store.exists(&key).await? => {
                self.note(|notes| notes.promised.insert(key, (value, options)));
                return Ok(());
            }
            Quirk::CachesPerHandle if value.len() <= LARGEST => {
                drop(self.cached.lock().unwrap().insert(key.clone(), value.clone()))
            }
            Quirk::WritesInHalves if (8_192..=LARGEST).contains(&value.len()) => {
                return self.set_in_halves(&key, &value, &options).await;
            }
            Quirk::MixesUpUnderLoad => {
                self.note(|notes| notes.slot = value);
                tokio::task::yield_now().await;
                value = self.note(|notes| notes.slot.clone());
            }
            Quirk::TellsTooEarly if value.len() <= LARGEST => {
                self.store.delete(&key).await?;
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            _ => {}
        }
        self.store.set(&key, value, &options).await.map_err(|error| self.own(error))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.reach(Some(key)).await?;
        let key = self.place(key);
        let there = self.store.exists(&key).await?;
        self.note(|notes| {
            if self.is(Quirk::ServesTheEnded) {
                notes.last.remove(&key);
            }
            notes.promised.remove(&key);
            notes.deleted.insert(key.clone());
            notes.epochs.retain(|prefix, _| !self.is(Quirk::EpochGoesWithEntries) || !prefix.covers(&key));
            notes.untold.extend(self.is(Quirk::TellsNoDeletes).then(|| key.clone()));
        });
        match self.den.quirk {
            Quirk::ErrsOnDeletingMissing if !there => Err(self.error(BackendFault::Permanent, "not there".into())),
            Quirk::RevokesOnPlainWrites => self.store.delete_and_revoke(&key).await,
            Quirk::DeletesNeighbours => {
                self.store.delete(&Key::new(&format!("{}:1", key.as_str()))?).await?;
                self.store.delete(&key).await
            }
            _ => self.store.delete(&key).await,
        }
    }

    async fn exists(&self, key: &Key) -> Result<bool> {
        self.reach(Some(key)).await?;
        match self.den.quirk {
            Quirk::ErrsOnMissing => self.store.exists(key).await,
            Quirk::ExistsAlways => Ok(true),
            _ => Ok(self.get(key).await?.is_some()),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        assert!(!(self.is(Quirk::PanicsOnEmptyBatches) && keys.is_empty()), "as bugs do");
        let mut asked = keys.to_vec();
        let sorts = self.is(Quirk::AnswersOutOfOrder) && keys.len() < 100;
        if sorts {
            asked.sort();
        }
        if self.is(Quirk::MergesDuplicates) {
            let mut seen = HashSet::new();
            asked.retain(|key| seen.insert(key.clone()));
        }
        let mut answers = Vec::new();
        for key in &asked {
            answers.push(self.get(key).await);
        }
        if self.is(Quirk::BatchesLieAboutLives) {
            for entry in answers.iter_mut().flatten().flatten() {
                entry.remaining = Remaining::For(Duration::from_secs(1));
            }
        }
        if self.is(Quirk::EndsTogether) && answers.iter().any(|answer| matches!(answer, Ok(None))) && keys.len() == 20 {
            return vec![Ok(None); keys.len()];
        }
        answers
    }

    async fn set_many(&self, writes: &[Write]) -> Vec<Result<()>> {
        let mut answers = Vec::new();
        for write in writes {
            answers.push(self.set(&write.key, write.value.clone(), &write.options).await);
        }
        match answers.iter().find_map(|answer| answer.as_ref().err().cloned()) {
            Some(error) if self.is(Quirk::SpoilsTheBatch) => vec![Err(error); writes.len()],
            _ => answers,
        }
    }

    async fn health(&self) -> Result<Health> {
        self.reach(None).await?;
        if self.is(Quirk::HealthTakesTheLastEntry)
            && let Some(key) = self.note(|notes| notes.latest.take())
        {
            self.store.delete(&key).await?;
        }
        Ok(Health::default())
    }

    fn limits(&self) -> Limits {
        let limits = self.store.limits().with_max_ttl(LONGEST);
        let changes = self.is(Quirk::ChangesItsLimits) && self.den.asked.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        if changes { limits.with_resolution(Duration::from_millis(2)) } else { limits }
    }

    fn abilities(&self) -> Abilities<'_> {
        let most = Abilities::none().with_fenced(self).with_expiring(self).with_clearable(self).with_watchable(self);
        let written = self.note(|notes| notes.latest.is_some());
        match self.den.quirk {
            Quirk::ForgetsAnAbility => most,
            Quirk::ForgetsAnAbilityLater if written => most,
            _ => most.with_counting(self),
        }
    }

    async fn close(&self) {
        if self.closed.fetch_add(1, Ordering::SeqCst) > 0 && self.is(Quirk::HangsOnTheSecondClose) {
            return std::future::pending().await;
        }
        if self.is(Quirk::CloseTakesEntries) {
            let own: Vec<Key> = self.own_keys.lock().unwrap().drain().collect();
            self.store.delete_many(&own).await;
        }
        if !self.is(Quirk::WatchOutlivesClose) {
            self.store.close().await;
        }
    }
}

impl fmt::Debug for Animal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is(Quirk::ShowsItsPassword) { "Animal(hunter2)" } else { "Animal" })
    }
}

const LARGEST: usize = 4 << 20;
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
