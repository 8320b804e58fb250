//! The concurrency limit beside a naive one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{
    Admission, Call, ConcurrencyLimit, ErrorCode, Moment, Operation, Outcome, ResiliencePolicy, Verdict,
};

use crate::SEQUENCES;
use crate::dice::Dice;

/// Who is in, and a list of who waits.
struct Naive {
    at_once: usize,
    places: usize,
    wait: Duration,
    under_way: usize,
    tickets: u64,
    waiting: Vec<(u64, Moment)>,
}

impl Naive {
    fn admit(&mut self, ticket: Option<u64>, now: Moment) -> Answer {
        // Who stands first and is over its time does not seem to come back, unless it is the one that asks.
        while self.waiting.first().is_some_and(|(first, until)| *until <= now && Some(*first) != ticket) {
            self.waiting.remove(0);
        }
        let free = self.under_way < self.at_once;
        match ticket {
            None if free && self.waiting.is_empty() => {
                self.under_way += 1;
                Answer::Go
            }
            None if self.waiting.len() >= self.places => Answer::Refused,
            None => {
                self.tickets += 1;
                self.waiting.push((self.tickets, now + self.wait));
                Answer::Queue(self.tickets, self.wait)
            }
            Some(ticket) => match self.waiting.iter().position(|(waits, _)| *waits == ticket) {
                None => Answer::Refused,
                Some(0) if free => {
                    self.waiting.remove(0);
                    self.under_way += 1;
                    Answer::Go
                }
                Some(at) if self.waiting[at].1 <= now => {
                    self.waiting.remove(at);
                    Answer::Refused
                }
                Some(at) => Answer::Queue(ticket, self.waiting[at].1.since(now)),
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Go,
    Refused,
    Queue(u64, Duration),
}

fn play(seed: u64) -> [bool; 3] {
    let mut dice = Dice::new(seed);
    // Many places lie in shares. All but a few of them are taken before it begins.
    let (spare, places) = (1 + dice.below(3), dice.below(4));
    let at_once = if dice.below(16) == 0 { 32 + dice.below(64) } else { spare };
    // In quarters, so that waits also end at the very moment when somebody asks.
    let quarter = Duration::from_millis(1 + dice.below(25));
    let wait = quarter * 4;
    let limit = ConcurrencyLimit::builder(u32::try_from(at_once).unwrap())
        .with_queue(u32::try_from(places).unwrap())
        .with_wait(wait)
        .build()
        .unwrap();
    let (at_once, places) = (usize::try_from(at_once).unwrap(), usize::try_from(places).unwrap());
    let mut naive = Naive { at_once, places, wait, under_way: 0, tickets: 0, waiting: Vec::new() };
    let mut now = Moment::from_nanos(dice.below(1 << 40));
    let (mut under_way, mut tickets): (Vec<Admission>, Vec<u64>) = (Vec::new(), Vec::new());
    for _ in usize::try_from(spare).unwrap()..at_once {
        let answer = limit.admit(&Call::new(Operation::Get, now), now, dice.next());
        let Verdict::Go(admission) = answer else { panic!("seed {seed}: {answer:?}") };
        under_way.push(admission);
        naive.under_way += 1;
    }
    let mut met = [false; 3];
    for step in 0..48 {
        let mut call = Call::new(Operation::Get, now);
        match dice.below(16) {
            choice @ 0..=9 => {
                // Tickets are asked with again and again, also those that are no longer in the queue.
                if choice > 4 && !tickets.is_empty() {
                    call.ticket = Some(dice.pick(&tickets));
                }
                let answer = match limit.admit(&call, now, dice.next()) {
                    Verdict::Go(admission) => {
                        under_way.push(admission);
                        Answer::Go
                    }
                    Verdict::Queue { ticket, at_most } => {
                        tickets.push(ticket);
                        Answer::Queue(ticket, at_most)
                    }
                    Verdict::Refuse(ErrorCode::E032) => Answer::Refused,
                    other => panic!("seed {seed}, step {step}: {other:?}"),
                };
                assert_eq!(answer, naive.admit(call.ticket, now), "seed {seed}, step {step}, {call:?}");
                met[0] |= answer == Answer::Go && call.ticket.is_some();
                met[1] |= answer == Answer::Refused && call.ticket.is_none();
                met[2] |= answer == Answer::Refused && call.ticket.is_some();
            }
            10..=12 if !under_way.is_empty() => {
                let admission = dice.take(&mut under_way);
                limit.finish(&call, admission, Outcome::Success(Duration::ZERO), now, dice.next());
                naive.under_way -= 1;
            }
            13 if !tickets.is_empty() => {
                let ticket = dice.pick(&tickets);
                call.ticket = Some(ticket);
                limit.finish(&call, Admission::new(0, ticket), Outcome::Abandoned, now, dice.next());
                naive.waiting.retain(|(waits, _)| *waits != ticket);
            }
            14 | 15 => now = now + dice.pick(&[quarter, quarter * 2]),
            _ => {}
        }
        let (seen, expected) = ((limit.under_way(), limit.waiting()), (naive.under_way, naive.waiting.len()));
        assert_eq!(seen, expected, "seed {seed}, step {step}");
    }
    met
}

#[test]
fn it_decides_as_a_naive_one_does() {
    let mut met = [0; 3];
    for seed in 0..SEQUENCES {
        for (count, met) in met.iter_mut().zip(play(seed)) {
            *count += u64::from(met);
        }
    }
    assert!(met.iter().all(|count| *count > SEQUENCES / 10), "{met:?}");
}

#[test]
fn threads_share_many_places_and_lose_none() {
    let limit = ConcurrencyLimit::builder(PLACES).with_queue(0).build().unwrap();
    let (call, now) = (Call::new(Operation::Get, Moment::from_nanos(0)), Moment::from_nanos(0));
    let admit = |held: &mut Vec<Admission>| match limit.admit(&call, now, 0) {
        Verdict::Go(admission) => held.push(admission),
        verdict => assert_eq!(verdict, Verdict::Refuse(ErrorCode::E032)),
    };
    let finish = |admission| limit.finish(&call, admission, Outcome::Abandoned, now, 0);
    let crowd = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (crowd, admit, finish) = (&crowd, &admit, &finish);
            scope.spawn(move || {
                let (mut dice, mut held) = (Dice::new(seed), Vec::new());
                for _ in 0..20_000 {
                    let before = held.len();
                    if dice.below(2) == 0 {
                        admit(&mut held);
                        let crowd = crowd.fetch_add(held.len() - before, Ordering::SeqCst) + held.len() - before;
                        assert!(crowd <= PLACES as usize, "{crowd} at once");
                    } else if before > 0 {
                        crowd.fetch_sub(1, Ordering::SeqCst);
                        finish(dice.take(&mut held));
                    }
                }
                crowd.fetch_sub(held.len(), Ordering::SeqCst);
                held.into_iter().for_each(|admission| {
                    finish(admission);
                });
            });
        }
    });
    // All of them, by one thread.
    let mut held = Vec::new();
    (0..2 * PLACES).for_each(|_| admit(&mut held));
    assert_eq!((held.len(), limit.under_way()), (PLACES as usize, PLACES as usize));
}

/// Several shares of them, and fewer than the threads would like.
const PLACES: u32 = 100;
