//! Histories: random operations of many callers in random schedules, each answer checked against what it may be.
//!
//! A value is a number that is made once and tells its tenant and its key. It is fixed at a moment (a loader fixes it
//! when it begins, and then takes its time), and a write that begins later and is acknowledged makes it obsolete. So a
//! look-up that begins after that must not see it: in the process that wrote at once, in another one within the
//! published bound.
//!
//! With values that are refreshed and kept for hard times, a load may serve what is past its life, if it says so: never
//! what was set anew, deleted or cleared, and only where the backend is ill what another process has taken away.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachekit_core::{
    Acquired, Cache, Clock, FenceToken, Fenced, Invalidation, Key, Loaded, ManualClock, MemoryBackend, Moment,
    Namespace, OwnedLoads, Resilience, Ttl, tell_stale,
};
use common::by_hand::{give_up_after, run_shuffled};
use common::scripted::{Scripted, pause};
use common::{Dice, Seeded, Text};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const SECOND: Duration = Duration::from_secs(1);
const L1_TTL: Duration = Duration::from_secs(10);
const STALE_FOR: Duration = Duration::from_secs(20);
const KEYS: u64 = 2;
const TENANTS: [&str; 2] = ["one", "two"];

/// Where a value belongs.
type Spot = (usize, u64);

#[derive(Clone, Debug)]
struct Op {
    process: usize,
    spot: Spot,
    what: What,
    /// After how many polls the caller gives up.
    polls: Option<usize>,
    /// How long what it writes lives, and how long its loader takes.
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Get,
    GetMany,
    Load,
    LoadMany,
    Spawn,
    LoadFailing,
    SpawnFailing,
    SpawnSlow,
    LoadManyFailing,
    Set,
    SetMany,
    Delete,
    DeleteMany,
    Invalidate,
    Touch,
    Clear,
    Pass,
    Audit,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    processes: usize,
    fenced: bool,
    /// Whether calls of the backend fail at times.
    trouble: bool,
    /// Whether L1 has room for anything.
    roomy: bool,
    /// Whether values are refreshed and kept for hard times, and loaders fail.
    hard_times: bool,
}

fn ops(processes: usize, hard_times: bool) -> impl Strategy<Value = Op> {
    let what = prop_oneof![
        8 => Just(What::Get), 3 => Just(What::GetMany), 8 => Just(What::Load), 3 => Just(What::LoadMany),
        2 => Just(What::Spawn), 6 => Just(What::Set), 2 => Just(What::SetMany), 4 => Just(What::Delete),
        1 => Just(What::DeleteMany), 1 => Just(What::Invalidate), 3 => Just(What::Touch), 1 => Just(What::Clear),
        2 => Just(What::Pass), 3 => Just(What::Audit),
    ];
    let hard = prop_oneof![
        6 => Just(What::Spawn), 5 => Just(What::LoadFailing), 3 => Just(What::SpawnFailing),
        2 => Just(What::SpawnSlow), 2 => Just(What::LoadManyFailing),
    ];
    let what = if hard_times { prop_oneof![5 => what, 2 => hard].boxed() } else { what.boxed() };
    let spot = (0..TENANTS.len(), 0..KEYS);
    (0..processes, spot, what, prop::option::weighted(0.1, 1..12_usize), 0..20_u64)
        .prop_map(|(process, spot, what, polls, number)| Op { process, spot, what, polls, number })
}

/// A value, and what is known of it.
#[derive(Debug)]
struct Made {
    spot: Spot,
    /// When it was fixed at the latest. `None` as long as that is open.
    fixed: Option<u64>,
    /// When it ends. `None` as long as that is open.
    ends: Option<Moment>,
}

/// A write that makes what was fixed before it obsolete.
#[derive(Debug)]
struct Wrote {
    process: usize,
    spot: Spot,
    value: Option<u64>,
    began: u64,
    /// When it was acknowledged, also by the clock.
    acknowledged: (u64, Moment),
    /// Whether only its own process owes it yet: the rest is left to a repair.
    pending: bool,
    /// Whether what it ended is kept for hard times.
    expired: bool,
}

#[derive(Debug)]
struct Touched {
    spot: Spot,
    ttl: Duration,
    /// When, by the clock. `None` while it is going on.
    ended: Option<Moment>,
}

/// What was made, and when: also known to loaders that live in a task of their own.
#[derive(Clone)]
struct Ledger {
    clock: ManualClock,
    turns: Arc<AtomicU64>,
    made: Arc<Mutex<HashMap<u64, Made>>>,
}

impl Ledger {
    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::SeqCst)
    }

    fn make(&self, spot: Spot) -> u64 {
        let value = self.turn() * 100 + spot.0 as u64 * 10 + spot.1;
        self.made.lock().unwrap().insert(value, Made { spot, fixed: None, ends: None });
        value
    }

    fn made(&self, value: u64, change: impl FnOnce(&mut Made)) {
        change(self.made.lock().unwrap().get_mut(&value).unwrap());
    }

    /// A loader: what it brings is what was true when it began.
    async fn load(self, spot: Spot, ttl: Ttl, pauses: u64) -> Loaded<u64> {
        let value = self.make(spot);
        let fixed = self.turn();
        self.made(value, |made| made.fixed = Some(fixed));
        for _ in 0..pauses {
            pause().await;
        }
        let ends = self.clock.now() + ttl.as_duration().unwrap();
        self.made(value, |made| made.ends = Some(ends));
        Loaded::new(value).with_ttl(ttl)
    }
}

struct World {
    rules: Rules,
    clock: ManualClock,
    ledger: Ledger,
    caches: Vec<Cache<Text>>,
    processes: Vec<Vec<Namespace<u64>>>,
    refreshing: Vec<Vec<Namespace<u64, OwnedLoads>>>,
    auditors: Vec<Namespace<u64>>,
    wrote: RefCell<Vec<Wrote>>,
    touched: RefCell<Vec<Touched>>,
    /// When the operations that are going on began, by the clock, and how long the longest took.
    running: RefCell<HashMap<u64, Moment>>,
    longest: Cell<Duration>,
    seen: Cell<u64>,
    stale: Cell<u64>,
}

impl World {
    fn new(rules: Rules, seed: u64) -> (Self, Scripted) {
        let clock = ManualClock::new();
        let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
        let scripted = Scripted::over(&memory);
        let scripted = if rules.fenced { scripted } else { scripted.unfenced() };
        scripted.shuffle(Dice::new(seed));
        if rules.trouble {
            scripted.fail_at_times(Dice::new(seed ^ 1), 8);
        }
        let open = |backend: Scripted, l1_bytes: u64, process: u64| {
            let cache: Cache<Text> = Cache::builder()
                .backend(backend)
                .resilience(Resilience::none())
                .clock(clock.clone())
                .entropy(Seeded::new(seed.wrapping_add(process)))
                .l1_ttl(L1_TTL)
                .l1_bytes(l1_bytes)
                .build()
                .unwrap();
            let (mut plain, mut refreshed) = (cache.namespace::<u64>("n"), cache.namespace::<u64>("n").owned_loads());
            if rules.hard_times && process > 0 {
                plain = plain.stale_for(STALE_FOR);
                refreshed = refreshed.refresh_after(2 * SECOND).stale_for(STALE_FOR).load_timeout(SECOND);
            }
            let (plain, refreshed) = (plain.per_tenant().open().unwrap(), refreshed.per_tenant().open().unwrap());
            let namespaces = TENANTS.map(|tenant| plain.tenant(tenant).unwrap()).to_vec();
            (cache, (namespaces, TENANTS.map(|tenant| refreshed.tenant(tenant).unwrap()).to_vec()))
        };
        let l1_bytes = if rules.roomy { 1 << 20 } else { 1 };
        let (caches, namespaces): (Vec<_>, Vec<_>) =
            (1..=rules.processes as u64).map(|process| open(scripted.clone(), l1_bytes, process)).unzip();
        let (processes, refreshing) = namespaces.into_iter().unzip();
        let (_, (auditors, _)) = open(Scripted::over(&memory), 1, 0);
        let world = Self {
            rules,
            ledger: Ledger { clock: clock.clone(), turns: Arc::new(AtomicU64::new(1)), made: Arc::default() },
            clock,
            caches,
            processes,
            refreshing,
            auditors,
            stale: Cell::default(),
            wrote: RefCell::default(),
            touched: RefCell::default(),
            running: RefCell::default(),
            longest: Cell::default(),
            seen: Cell::default(),
        };
        (world, scripted)
    }

    /// How long one operation took, at most.
    fn slack(&self) -> Duration {
        let now = self.clock.now();
        self.running.borrow().values().map(|began| now.since(*began)).fold(self.longest.get(), Duration::max)
    }

    fn obsolete(
        &self,
        value: u64,
        fixed: u64,
        process: Option<usize>,
        at: (u64, Moment),
        stale: bool,
    ) -> Option<String> {
        let slack =
            self.running.borrow().values().map(|began| self.clock.now().since(*began)).max().unwrap_or_default();
        let bound = L1_TTL + slack.max(self.longest.get());
        let spot = self.ledger.made.lock().unwrap()[&value].spot;
        let wrote = self.wrote.borrow();
        let later = wrote.iter().find(|wrote| {
            let known = match process {
                Some(process) if process == wrote.process => true,
                // Whether another process took it away, only the backend knows.
                Some(_) if stale && self.rules.trouble => false,
                Some(_) => !wrote.pending && at.1 >= wrote.acknowledged.1 + bound,
                None => !wrote.pending,
            };
            known
                && !(stale && wrote.expired)
                && wrote.spot == spot
                && wrote.value != Some(value)
                && wrote.began > fixed
                && wrote.acknowledged.0 < at.0
        });
        later.map(|wrote| format!("{value}, fixed at {fixed}, was seen at {at:?} in spite of {wrote:?}"))
    }

    /// Checks what a look-up that began at `at` saw.
    fn saw(&self, process: Option<usize>, spot: Spot, at: (u64, Moment), value: Option<u64>, late: Duration) {
        self.saw_perhaps_stale(process, spot, at, value, late, false);
    }

    fn saw_perhaps_stale(
        &self,
        process: Option<usize>,
        spot: Spot,
        at: (u64, Moment),
        value: Option<u64>,
        late: Duration,
        stale: bool,
    ) {
        let Some(value) = value else { return };
        self.seen.set(self.seen.get() + 1);
        let (fixed, ends) = {
            let made = self.ledger.made.lock().unwrap();
            let made = made.get(&value).unwrap_or_else(|| panic!("{value} was never made"));
            assert_eq!(made.spot, spot, "{value} belongs elsewhere");
            (made.fixed, made.ends)
        };
        if let Some(fixed) = fixed
            && let Some(why) = self.obsolete(value, fixed, process, at, stale)
        {
            panic!("{why}");
        }
        if let Some(ends) = ends {
            let touched = self.touched.borrow();
            let kept = touched
                .iter()
                .filter(|touched| touched.spot == spot)
                .any(|touched| touched.ended.is_none_or(|ended| at.1 < ended + touched.ttl));
            let late = if stale { late + STALE_FOR } else { late };
            assert!(kept || at.1 < ends + late, "{value} ended at {ends:?} and was seen at {at:?}");
        }
    }

    async fn run(&self, op: &Op) {
        let id = self.ledger.turn();
        let at = (id, self.clock.now());
        self.running.borrow_mut().insert(id, at.1);
        match op.polls {
            Some(polls) => _ = give_up_after(polls, self.carry_out(op, at)).await,
            None => self.carry_out(op, at).await,
        }
        self.running.borrow_mut().remove(&id);
        self.longest.set(self.longest.get().max(self.clock.now().since(at.1)));
    }

    fn all_of(spot: Spot) -> Vec<Spot> {
        (0..KEYS).map(|key| (spot.0, key)).collect()
    }

    async fn carry_out(&self, op: &Op, at: (u64, Moment)) {
        let Op { process, spot, what, number, .. } = op.clone();
        let namespace = &self.processes[process][spot.0];
        let ttl = Duration::from_secs(1 + number);
        let life = Ttl::try_from(ttl).unwrap();
        let keys: Vec<u64> = (0..KEYS).collect();
        let saw = |key: u64, value: Option<Arc<u64>>| {
            self.saw(Some(process), (spot.0, key), at, value.as_deref().copied(), Duration::ZERO);
        };
        // Who waits for a load gets what it brings, though storing it may have taken longer than it lives.
        let loaded = |key, value: Arc<u64>, stale: bool| {
            self.stale.set(self.stale.get() + u64::from(stale));
            self.saw_perhaps_stale(Some(process), (spot.0, key), at, Some(*value), self.slack(), stale);
        };
        let failing = async |pauses: u64| {
            for _ in 0..pauses {
                pause().await;
            }
            Err::<u64, _>("no answer")
        };
        let refreshing = &self.refreshing[process][spot.0];
        match what {
            What::Get => {
                if let Ok(value) = namespace.get(spot.1).await {
                    saw(spot.1, value);
                }
            }
            What::GetMany => {
                for (key, value) in keys.iter().zip(namespace.get_many(&keys).await) {
                    if let Ok(value) = value {
                        saw(*key, value);
                    }
                }
            }
            What::Load => {
                let loader = || async { Ok::<_, Infallible>(self.ledger.clone().load(spot, life, number % 5).await) };
                // Who waits for a load that fails is told of that.
                if let (Ok(value), stale) = tell_stale(namespace.get_or_load(spot.1, loader)).await {
                    loaded(spot.1, value, stale);
                }
            }
            What::Spawn | What::SpawnSlow => {
                let loading = self.ledger.clone().load(spot, life, number % 5);
                let loader = move || async move {
                    if what == What::SpawnSlow {
                        tokio::time::sleep(5 * SECOND).await;
                    }
                    Ok::<_, &str>(loading.await)
                };
                if let (Ok(value), stale) = tell_stale(refreshing.get_or_spawn(spot.1, loader)).await {
                    loaded(spot.1, value, stale);
                }
            }
            What::LoadFailing => {
                if let (Ok(value), stale) = tell_stale(namespace.get_or_load(spot.1, || failing(number % 5))).await {
                    loaded(spot.1, value, stale);
                }
            }
            What::SpawnFailing => {
                let loader = move || async move {
                    for _ in 0..number % 5 {
                        pause().await;
                    }
                    Err::<u64, _>("no answer")
                };
                if let (Ok(value), stale) = tell_stale(refreshing.get_or_spawn(spot.1, loader)).await {
                    loaded(spot.1, value, stale);
                }
            }
            What::LoadManyFailing => {
                let loader = async |_: Vec<u64>| failing(number % 5).await.map(|value| vec![(spot.1, value)]);
                let (values, stale) = tell_stale(namespace.get_or_load_many(&keys, loader)).await;
                for (key, value) in keys.iter().zip(values.into_iter().flatten()) {
                    if let Some(value) = value {
                        loaded(*key, value, stale);
                    }
                }
            }
            What::LoadMany => {
                let loader = |missing: Vec<u64>| async move {
                    let loads = missing.iter().map(|key| self.ledger.clone().load((spot.0, *key), life, number % 5));
                    let brought = futures_util::future::join_all(loads).await;
                    Ok::<_, Infallible>(missing.into_iter().zip(brought).collect::<Vec<_>>())
                };
                let (values, stale) = tell_stale(namespace.get_or_load_many(&keys, loader)).await;
                for (key, value) in keys.iter().zip(values.unwrap()) {
                    loaded(*key, value.unwrap(), stale);
                }
            }
            What::Set | What::SetMany => {
                let spots = if what == What::Set { vec![spot] } else { Self::all_of(spot) };
                let values: Vec<u64> = spots.iter().map(|spot| self.ledger.make(*spot)).collect();
                let _open = Open { world: self, values: values.clone() };
                for value in &values {
                    self.ledger.made(*value, |made| made.ends = Some(at.1 + ttl));
                }
                let loaded = values.iter().map(|value| Loaded::new(*value).with_ttl(life));
                let answers = if what == What::Set {
                    vec![namespace.set(spot.1, loaded.into_iter().next().unwrap()).await]
                } else {
                    namespace.set_many(keys.iter().copied().zip(loaded).collect()).await
                };
                for ((spot, value), answer) in spots.into_iter().zip(values).zip(answers) {
                    if answer.is_ok() {
                        self.acknowledge(process, spot, Some(value), at.0, false);
                    }
                }
            }
            What::Delete => {
                let expires = number % 2 == 1;
                let deleted = if expires { namespace.expire(spot.1).await } else { namespace.delete(spot.1).await };
                if deleted.is_ok() {
                    self.acknowledge(process, spot, None, at.0, false);
                    if let Some(wrote) = self.wrote.borrow_mut().last_mut() {
                        wrote.expired = expires;
                    }
                }
            }
            What::DeleteMany => {
                for (key, answer) in keys.iter().zip(namespace.delete_many(&keys).await) {
                    if answer.is_ok() {
                        self.acknowledge(process, (spot.0, *key), None, at.0, false);
                    }
                }
            }
            What::Invalidate => match namespace.invalidate(spot.1).await {
                Invalidation::Confirmed => self.acknowledge(process, spot, None, at.0, false),
                Invalidation::Pending => self.acknowledge(process, spot, None, at.0, true),
                other => panic!("{other:?}"),
            },
            What::Touch => {
                let place = self.touched.borrow().len();
                self.touched.borrow_mut().push(Touched { spot, ttl, ended: None });
                let _ended = Ended { world: self, place };
                let _ = namespace.touch(spot.1, life).await;
            }
            What::Clear => {
                if namespace.clear().await.is_ok() {
                    for spot in Self::all_of(spot) {
                        self.acknowledge(process, spot, None, at.0, false);
                    }
                }
            }
            What::Pass => self.clock.advance(Duration::from_millis(number * 400)),
            What::Audit => {
                // Without fences and with writes under way, what the backend has is nobody's promise until they are
                // settled.
                if self.rules.fenced {
                    let value = self.auditors[spot.0].get(spot.1).await.unwrap();
                    self.saw(None, spot, at, value.as_deref().copied(), Duration::ZERO);
                }
            }
        }
    }

    fn acknowledge(&self, process: usize, spot: Spot, value: Option<u64>, began: u64, pending: bool) {
        let acknowledged = (self.ledger.turn(), self.clock.now());
        self.wrote.borrow_mut().push(Wrote { process, spot, value, began, acknowledged, pending, expired: false });
    }
}

/// Values that are being set. However that ends, they are fixed then.
struct Open<'a> {
    world: &'a World,
    values: Vec<u64>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let fixed = self.world.ledger.turn();
        for value in &self.values {
            self.world.ledger.made(*value, |made| made.fixed = Some(fixed));
        }
    }
}

/// A life that is being prolonged.
struct Ended<'a> {
    world: &'a World,
    place: usize,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.world.touched.borrow_mut()[self.place].ended = Some(self.world.clock.now());
    }
}

/// Runs the programs, one per task, and checks everything. Says how many values were seen.
fn run(rules: Rules, programs: &[Vec<Op>], seed: u64) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (world, scripted) = World::new(rules, seed);
        let world = &world;
        let tasks = programs.iter().map(|program| {
            let task = async move {
                for op in program {
                    world.run(op).await;
                    pause().await;
                }
            };
            Box::pin(task) as Pin<Box<dyn Future<Output = ()> + '_>>
        });
        run_shuffled(&mut Dice::new(seed ^ 2), tasks.collect()).await;

        // What is left to be done in the background is done.
        scripted.recover();
        tokio::time::sleep(60 * SECOND).await;
        world.wrote.borrow_mut().iter_mut().for_each(|wrote| wrote.pending = false);
        for cache in &world.caches {
            let status = cache.status();
            assert_eq!((status.keys_in_motion, status.pending_repairs), (0, 0));
        }
        for tenant in 0..TENANTS.len() {
            for key in 0..KEYS {
                let at = (world.ledger.turn(), world.clock.now());
                let value = world.auditors[tenant].get(key).await.unwrap();
                world.saw(None, (tenant, key), at, value.as_deref().copied(), Duration::ZERO);
            }
        }
        if rules.trouble {
            // The release of a fence may have failed: then it lapses.
            world.clock.advance(31 * SECOND);
        }
        for name in TENANTS {
            for key in 0..KEYS {
                let stored = Key::new(&format!("t:{name}:n:{key}")).unwrap();
                let taken = scripted.memory().acquire(&stored, &FenceToken::from_random(1), SECOND).await.unwrap();
                assert!(matches!(taken, Acquired::Granted { .. }), "a fence was left behind");
            }
        }
        (world.seen.get(), world.stale.get())
    })
}

fn check(processes: usize, fenced: bool, hard_times: bool, cases: u32) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let programs = prop::collection::vec(prop::collection::vec(ops(processes, hard_times), 1..12), 1..6);
    let (seen, stale) = (Cell::new(0), Cell::new(0));
    let result =
        runner.run(&(programs, any::<u64>(), any::<bool>(), any::<bool>()), |(programs, seed, trouble, roomy)| {
            let rules = Rules { processes, fenced, trouble, roomy, hard_times };
            let (more, more_stale) = run(rules, &programs, seed);
            seen.set(seen.get() + more);
            stale.set(stale.get() + more_stale);
            Ok(())
        });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(seen.get() > u64::from(cases), "a test in which nothing is ever found shows nothing: {}", seen.get());
    assert!(!hard_times || stale.get() > u64::from(cases) / 20, "nor one without hard times: {}", stale.get());
}

#[test]
fn one_process_without_fences() {
    check(1, false, false, 3_000);
}

#[test]
fn one_process_with_fences() {
    check(1, true, false, 3_000);
}

#[test]
fn two_processes_with_fences() {
    check(2, true, false, 3_000);
}

#[test]
fn one_process_without_fences_in_hard_times() {
    check(1, false, true, 2_000);
}

#[test]
fn one_process_with_fences_in_hard_times() {
    check(1, true, true, 2_000);
}

#[test]
fn two_processes_with_fences_in_hard_times() {
    check(2, true, true, 2_000);
}
