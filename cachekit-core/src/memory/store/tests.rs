//! The store against tables of times, and against a naive model of itself.

mod model;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::super::entries::OVERHEAD;
use super::{HandleId, Store};
use crate::{Acquired, Change, Entry, FenceToken, Key, KeyPrefix, Moment, NonZeroDuration, Remaining, Ttl};

const ONE: HandleId = HandleId(1);
const TWO: HandleId = HandleId(2);
const BOUND: usize = 8;

fn at(micros: u64) -> Moment {
    Moment::from_nanos(5_000_000_000 + micros * 1_000)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ttl(duration: Duration) -> Ttl {
    Ttl::For(NonZeroDuration::new(duration).unwrap())
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn prefix(text: &str) -> KeyPrefix {
    KeyPrefix::new(text).unwrap()
}

fn token(number: u128) -> FenceToken {
    FenceToken::from_random(number)
}

fn store() -> Store {
    Store::new(None, Duration::ZERO, BOUND)
}

fn entry(value: &'static str, remaining: Remaining) -> Option<Entry> {
    Some(Entry::new(Bytes::from_static(value.as_bytes()), remaining))
}

fn granted(found: Option<Entry>) -> Acquired {
    Acquired::Granted { found }
}

impl Store {
    fn put(&mut self, text: &str, value: &'static str, life: Ttl, now: Moment) {
        self.set(ONE, &key(text), Bytes::from_static(value.as_bytes()), life, now);
    }
}

#[test]
fn a_life_is_rounded_up_to_milliseconds() {
    for (life, last, end) in [
        (Duration::from_nanos(1), 999, 1_000),
        (Duration::from_millis(1), 999, 1_000),
        (Duration::from_micros(1_001), 1_999, 2_000),
        (Duration::from_secs(2), 1_999_999, 2_000_000),
    ] {
        let mut store = store();
        store.put("a:1", "v", ttl(life), at(0));
        let left = Duration::from_micros(end - last);
        assert_eq!(store.get(&key("a:1"), at(last)), entry("v", Remaining::For(left)), "{life:?}");
        assert_eq!(store.get(&key("a:1"), at(end)), None, "{life:?}");
        assert_eq!(store.counts().entries, 0, "what has ended is removed when asked for");
    }
}

#[test]
fn never_and_five_hundred_years_do_not_end() {
    for life in [Ttl::Never, ttl(Duration::MAX)] {
        let mut store = store();
        store.put("a:1", "v", life, at(0));
        let late = Moment::from_nanos(u64::MAX - 1);
        assert_eq!(store.get(&key("a:1"), late), entry("v", Remaining::Never));
        assert_eq!(store.get(&key("a:1"), Moment::FAR), entry("v", Remaining::Never));
    }
}

#[test]
fn a_clock_that_lags_ends_entries_earlier() {
    let mut store = Store::new(None, ms(3), BOUND);
    store.put("a:1", "v", ttl(ms(10)), at(0));
    assert_eq!(store.get(&key("a:1"), at(6_000)), entry("v", Remaining::For(ms(1))));
    assert_eq!(store.remaining(&key("a:1"), at(6_000)), Some(Remaining::For(ms(1))));
    assert_eq!(store.get(&key("a:1"), at(7_000)), None);
}

#[test]
fn a_renewed_life_counts_from_now() {
    let mut store = store();
    store.put("a:1", "v", ttl(ms(10)), at(0));
    assert!(store.renew(ONE, &key("a:1"), ttl(ms(10)), at(9_000)));
    assert_eq!(store.remaining(&key("a:1"), at(10_000)), Some(Remaining::For(ms(9))));
    assert!(store.renew(ONE, &key("a:1"), Ttl::Never, at(10_000)));
    assert_eq!(store.remaining(&key("a:1"), at(10_000)), Some(Remaining::Never));
    assert!(store.renew(ONE, &key("a:1"), ttl(ms(1)), at(10_000)));
    assert!(!store.renew(ONE, &key("a:1"), ttl(ms(1)), at(11_000)), "it has ended");
    assert!(!store.renew(ONE, &key("a:2"), ttl(ms(1)), at(11_000)), "it never was");
    store.check();
}

#[test]
fn a_fence_excludes_until_it_lapses() {
    let mut store = store();
    let a = key("a:1");
    assert_eq!(store.acquire(&a, &token(1), ms(10), at(0)), granted(None));
    assert_eq!(store.acquire(&a, &token(2), ms(10), at(9_999)), Acquired::Held);
    assert_eq!(store.acquire(&a, &token(1), ms(10), at(9_999)), granted(None), "the same token renews");
    assert_eq!(store.acquire(&a, &token(2), ms(10), at(19_998)), Acquired::Held);
    assert!(store.renew_fence(&a, &token(1), ms(10), at(19_998)));
    assert_eq!(store.acquire(&a, &token(2), ms(10), at(29_997)), Acquired::Held);
    assert!(!store.renew_fence(&a, &token(1), ms(10), at(29_998)), "lapsed");
    assert!(!store.release(&a, &token(1), at(29_998)), "lapsed");
    assert_eq!(store.acquire(&a, &token(2), ms(10), at(29_998)), granted(None));
    assert!(!store.release(&a, &token(1), at(29_999)), "held by another");
    assert!(!store.renew_fence(&a, &token(1), ms(99), at(29_999)), "held by another");
    assert!(store.release(&a, &token(2), at(29_999)));
    assert_eq!(store.acquire(&a, &token(1), ms(10), at(30_000)), granted(None));
    store.check();
}

#[test]
fn only_a_holder_stores_and_only_once() {
    let mut store = store();
    let a = key("a:1");
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    let _ = store.acquire(&a, &token(1), ms(10), at(0));
    assert!(!store.set_fenced(ONE, &a, &token(2), value("other"), Ttl::Never, at(1)));
    assert!(!store.set_fenced(ONE, &a, &token(1), value("late"), Ttl::Never, at(10_000)));
    assert_eq!(store.get(&a, at(10_000)), None);
    let _ = store.acquire(&a, &token(1), ms(10), at(10_000));
    assert!(store.set_fenced(ONE, &a, &token(1), value("first"), Ttl::Never, at(10_001)));
    assert!(!store.set_fenced(ONE, &a, &token(1), value("second"), Ttl::Never, at(10_002)), "the fence has ended");
    assert_eq!(store.get(&a, at(10_003)), entry("first", Remaining::Never));
}

#[test]
fn revoking_writes_end_fences_and_plain_ones_leave_them() {
    let a = key("a:1");
    type Act = fn(&mut Store, &Key);
    let table: [(&str, Act, bool); 7] = [
        ("set", |store, a| store.set(ONE, a, Bytes::new(), Ttl::Never, at(1)), true),
        ("delete", |store, a| store.delete(ONE, a, at(1)), true),
        ("set_and_revoke", |store, a| store.set_and_revoke(ONE, a, Bytes::new(), Ttl::Never, at(1)), false),
        ("delete_and_revoke", |store, a| store.delete_and_revoke(ONE, a, at(1)), false),
        ("clear", |store, _| store.clear(ONE, &prefix("a:")), false),
        ("clear of another", |store, _| store.clear(ONE, &prefix("b:")), true),
        ("advance", |store, _| assert_eq!(store.advance(&prefix("a:")), 1), true),
    ];
    for (name, act, stays) in table {
        let mut store = store();
        let _ = store.acquire(&a, &token(1), ms(10), at(0));
        act(&mut store, &a);
        assert_eq!(store.set_fenced(ONE, &a, &token(1), Bytes::new(), Ttl::Never, at(2)), stays, "{name}");
    }
}

#[test]
fn a_grant_says_what_is_stored() {
    let mut store = store();
    store.put("a:1", "v", ttl(ms(10)), at(0));
    let found = entry("v", Remaining::For(ms(9)));
    assert_eq!(store.acquire(&key("a:1"), &token(1), ms(50), at(1_000)), granted(found));
    assert_eq!(store.acquire(&key("a:1"), &token(1), ms(50), at(10_000)), granted(None), "outlives the entry");
}

#[test]
fn what_is_over_does_not_pile_up() {
    let mut store = store();
    for number in 0..10_000_u64 {
        let now = at(number * 1_000);
        store.put(&format!("a:{number}"), "v", ttl(ms(5)), now);
        let _ = store.acquire(&key(&format!("f:{number}")), &token(1), ms(5), now);
        let counts = store.counts();
        assert!(counts.entries <= 6 && counts.fences <= 6, "{} and {}", counts.entries, counts.fences);
    }
    // A thousand that end together go a few at a time.
    (0..1_000).for_each(|number| store.put(&format!("b:{number}"), "v", ttl(ms(5)), at(10_000_000)));
    (0..400).for_each(|_| store.delete(ONE, &key("none"), at(10_005_000)));
    assert_eq!((store.counts().entries, store.counts().bytes), (0, 0));
    store.check();
}

#[test]
fn room_is_made_from_what_has_ended_then_from_the_oldest() {
    let weight = OVERHEAD + "a:1".len() + 1;
    let mut store = Store::new(Some(3 * weight), Duration::ZERO, BOUND);
    store.put("a:1", "1", Ttl::Never, at(0));
    store.put("a:2", "2", ttl(ms(1)), at(0));
    store.put("a:3", "3", Ttl::Never, at(0));
    store.put("a:1", "1", Ttl::Never, at(0)); // now the youngest
    store.put("a:4", "4", Ttl::Never, at(1_000));
    let present = |store: &mut Store| {
        let keys = ["a:1", "a:2", "a:3", "a:4", "a:5"];
        keys.into_iter().filter(|text| store.get(&key(text), at(1_000)).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(present(&mut store), ["a:1", "a:3", "a:4"]);
    store.put("a:5", "5", Ttl::Never, at(1_000));
    assert_eq!(present(&mut store), ["a:1", "a:4", "a:5"]);
    store.put("a:1", "11", Ttl::Never, at(1_000));
    assert_eq!(present(&mut store), ["a:1", "a:5"], "a longer value needs more room");
    store.check();
}

#[test]
fn room_for_a_large_value_is_made_from_all_that_has_ended() {
    let weight = OVERHEAD + "a:1".len() + 1;
    let mut store = Store::new(Some(7 * weight), Duration::ZERO, BOUND);
    store.put("a:0", "v", Ttl::Never, at(0));
    (1..7).for_each(|number| store.put(&format!("a:{number}"), "v", ttl(ms(1)), at(0)));
    store.set(ONE, &key("a:7"), Bytes::from(vec![0; 5 * weight]), Ttl::Never, at(1_000));
    assert_eq!(store.get(&key("a:0"), at(1_000)), entry("v", Remaining::Never), "the oldest, but alive");
    store.check();
}

#[test]
fn clear_takes_what_is_under_the_prefix_and_nothing_else() {
    let mut store = store();
    for text in ["a:1", "a:b:2", "ab:3", "b:a:4"] {
        store.put(text, "v", ttl(ms(1)), at(0));
    }
    assert_eq!((store.epoch(&prefix("a:")), store.advance(&prefix("a:"))), (0, 1));
    store.clear(ONE, &prefix("a:"));
    let present = ["a:1", "a:b:2", "ab:3", "b:a:4"].map(|text| store.get(&key(text), at(0)).is_some());
    assert_eq!(present, [false, false, true, true]);
    assert_eq!((store.epoch(&prefix("a:")), store.epoch(&prefix("b:"))), (1, 0), "epochs survive");
    store.check();
}

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Changes through handle one; what is told to a watch of `watched`, by the same or another handle.
fn told(watcher: HandleId, watched: &str, act: impl FnOnce(&mut Store)) -> Vec<Change> {
    let mut store = store();
    let id = store.watch(watcher, &prefix(watched));
    act(&mut store);
    let mut told = Vec::new();
    while let Poll::Ready(Some(change)) = store.poll_watch(id, Waker::noop().clone()) {
        told.push(change);
    }
    told
}

#[test]
fn changes_through_other_handles_are_told() {
    let change = |text: &str| vec![Change::Key(key(text))];
    let life = ttl(ms(1));
    assert_eq!(told(TWO, "a:", |store| store.put("a:1", "v", life, at(0))), change("a:1"));
    assert_eq!(told(ONE, "a:", |store| store.put("a:1", "v", life, at(0))), [], "its own");
    assert_eq!(told(TWO, "a:", |store| store.put("b:1", "v", life, at(0))), [], "elsewhere");
    assert_eq!(told(TWO, "a:", |store| store.delete(ONE, &key("a:1"), at(0))), change("a:1"));
    assert_eq!(told(TWO, "a:", |store| store.delete_and_revoke(ONE, &key("a:1"), at(0))), change("a:1"));
    let cleared = |text| vec![Change::Prefix(prefix(text))];
    assert_eq!(told(TWO, "a:", |store| store.clear(ONE, &prefix("a:"))), cleared("a:"));
    assert_eq!(told(TWO, "t:x:a:", |store| store.clear(ONE, &prefix("t:x:"))), cleared("t:x:"), "a wider one");
    assert_eq!(told(TWO, "t:x:", |store| store.clear(ONE, &prefix("t:x:a:"))), cleared("t:x:a:"), "a narrower one");
    assert_eq!(told(TWO, "a:", |store| store.clear(ONE, &prefix("b:"))), []);
    let fenced = |by_token| {
        told(TWO, "a:", |store| {
            let _ = store.acquire(&key("a:1"), &token(1), ms(10), at(0));
            store.set_fenced(ONE, &key("a:1"), &token(by_token), Bytes::new(), Ttl::Never, at(1));
        })
    };
    assert_eq!((fenced(1), fenced(2)), (change("a:1"), vec![]));
    let renewed = |text| {
        let mut store = store();
        store.put("a:1", "v", life, at(0));
        let id = store.watch(TWO, &prefix("a:"));
        store.renew(ONE, &key(text), life, at(0));
        store.poll_watch(id, Waker::noop().clone())
    };
    assert_eq!(renewed("a:1"), Poll::Ready(Some(Change::Key(key("a:1")))));
    assert_eq!(renewed("a:2"), Poll::Pending);
}

#[test]
fn who_waits_is_woken_once_the_step_is_over() {
    let mut store = store();
    let id = store.watch(TWO, &prefix("a:"));
    let bells = [Arc::new(Bell::default()), Arc::new(Bell::default())];
    for bell in &bells {
        assert_eq!(store.poll_watch(id, Waker::from(Arc::clone(bell))), Poll::Pending);
    }
    store.put("a:1", "v", Ttl::Never, at(0));
    let rings = || bells.each_ref().map(|bell| bell.0.load(Ordering::SeqCst));
    assert_eq!(rings(), [0, 0], "not within the step");
    store.take_aftermath().settle();
    assert_eq!(rings(), [0, 1], "only the latest waker");
    let _ = store.poll_watch(id, Waker::noop().clone());
    assert_eq!(store.poll_watch(id, Waker::from(Arc::clone(&bells[0]))), Poll::Pending);
    store.end_watches_of(TWO);
    store.take_aftermath().settle();
    assert_eq!(rings(), [1, 1], "the end is told too");
    assert_eq!(store.poll_watch(id, Waker::noop().clone()), Poll::Ready(None));
    assert_eq!(store.counts().watches, 0);
}

#[test]
fn what_left_is_handed_out_to_be_dropped_later() {
    let mut store = store();
    store.put("a:1", "1", ttl(ms(1)), at(0));
    store.put("a:1", "2", ttl(ms(1)), at(0));
    assert!(!store.set_fenced(ONE, &key("a:1"), &token(1), Bytes::from_static(b"3"), Ttl::Never, at(0)));
    assert_eq!(store.get(&key("a:1"), at(1_000)), None);
    assert_eq!(store.take_aftermath().values, ["1", "3", "2"]);
}
