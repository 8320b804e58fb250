//! The breaker beside a naive one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachekit_core::{
    Admission, BreakerEvent, BreakerState, Call, CircuitBreaker, Error, ErrorCode, Moment, Operation, Outcome,
    ResiliencePolicy, Verdict,
};

use crate::SEQUENCES;
use crate::dice::Dice;

#[derive(Clone, Copy, Debug)]
struct Settings {
    rate: u32,
    least: u32,
    window: Duration,
    in_a_row: u32,
    drought: (u32, Duration),
    slow: Option<(Duration, u32)>,
    open: Duration,
    probes: u32,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Success(Duration),
    Failure(ErrorCode, Duration),
    Abandoned,
}

/// All outcomes that counted, one by one, and everything else in plain fields.
struct Naive {
    settings: Settings,
    step: u64,
    state: BreakerState,
    generation: u64,
    until: Moment,
    /// When, and what it was.
    seen: Vec<(Moment, Kind)>,
    probes: u32,
    succeeded: u32,
    opened: u64,
    closed: u64,
    events: Vec<(BreakerState, BreakerState, u64, Option<ErrorCode>)>,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    succeeded: bool,
    failed: bool,
    slow: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    generation: u64,
    probe: bool,
}

impl Naive {
    fn new(settings: Settings) -> Self {
        // The window goes on in steps: the longest power of two that fits into it sixteen times.
        let mut step = 1;
        while u128::from(step) * 32 <= settings.window.as_nanos() {
            step *= 2;
        }
        Self {
            settings,
            step,
            state: BreakerState::Closed,
            generation: 0,
            until: Moment::from_nanos(0),
            seen: Vec::new(),
            probes: 0,
            succeeded: 0,
            opened: 0,
            closed: 0,
            events: Vec::new(),
        }
    }

    fn turn(&mut self, to: BreakerState, code: Option<ErrorCode>) {
        self.generation += 1;
        self.events.push((self.state, to, self.generation, code));
        self.state = to;
        self.seen.clear();
        self.succeeded = 0;
    }

    fn force(&mut self, to: BreakerState) {
        if self.state != to {
            self.turn(to, None);
        }
    }

    fn admit(&mut self, now: Moment) -> Option<Ticket> {
        if self.state == BreakerState::Open && now >= self.until {
            self.turn(BreakerState::HalfOpen, None);
        }
        let probe = match self.state {
            BreakerState::Closed | BreakerState::ForcedClosed => false,
            BreakerState::HalfOpen if self.probes < self.settings.probes => true,
            _ => return None,
        };
        self.probes += u32::from(probe);
        Some(Ticket { generation: self.generation, probe })
    }

    fn finish(&mut self, ticket: Ticket, end: End, now: Moment) {
        self.probes -= u32::from(ticket.probe);
        if ticket.generation != self.generation {
            return;
        }
        let is_slow = |took| self.settings.slow.is_some_and(|(time, _)| took >= time);
        let (kind, code) = match end {
            End::Success(took) => (Kind { succeeded: true, failed: false, slow: is_slow(took) }, None),
            End::Failure(code, took) if code.trips_breaker() => {
                (Kind { succeeded: false, failed: true, slow: is_slow(took) }, Some(code))
            }
            End::Failure(ErrorCode::E033, took) if is_slow(took) => {
                (Kind { succeeded: false, failed: false, slow: true }, Some(ErrorCode::E033))
            }
            _ => return,
        };
        match self.state {
            BreakerState::Closed => {
                self.seen.push((now, kind));
                if (kind.failed || kind.slow) && self.has_enough(now) {
                    self.opened += 1;
                    self.until = now + self.settings.open;
                    self.turn(BreakerState::Open, code);
                }
            }
            BreakerState::HalfOpen if kind.failed || kind.slow => {
                self.until = now + self.settings.open;
                self.turn(BreakerState::Open, code);
            }
            BreakerState::HalfOpen => {
                self.succeeded += 1;
                if self.succeeded == self.settings.probes {
                    self.closed += 1;
                    self.turn(BreakerState::Closed, None);
                }
            }
            _ => {}
        }
    }

    fn has_enough(&self, now: Moment) -> bool {
        let run: Vec<Moment> =
            self.seen.iter().rev().take_while(|(_, kind)| !kind.succeeded).map(|(when, _)| *when).collect();
        let (few, time) = self.settings.drought;
        if run.len() >= self.settings.in_a_row as usize {
            return true;
        }
        if run.len() >= few as usize && run.last().is_some_and(|began| now.since(*began) >= time) {
            return true;
        }
        let steps = u64::try_from(self.settings.window.as_nanos()).unwrap() / self.step;
        let age = |when: Moment| now.as_nanos() / self.step - when.as_nanos() / self.step;
        let lately: Vec<Kind> =
            self.seen.iter().filter(|(when, _)| age(*when) < steps).map(|(_, kind)| *kind).collect();
        let percent = |of: &dyn Fn(&Kind) -> bool| lately.iter().filter(|kind| of(kind)).count() * 100;
        lately.len() >= self.settings.least as usize
            && (percent(&|kind| kind.failed) >= self.settings.rate as usize * lately.len()
                || self
                    .settings
                    .slow
                    .is_some_and(|(_, share)| percent(&|kind| kind.slow) >= share as usize * lately.len()))
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let seconds = Duration::from_secs;
    Settings {
        rate: dice.pick(&[1, 34, 50, 75, 100]),
        least: 1 + u32::try_from(dice.below(8)).unwrap(),
        window: dice.pick(&[Duration::from_millis(100), Duration::from_millis(1_500), seconds(30), seconds(3_600)]),
        in_a_row: dice.pick(&[1, 3, 5, 100]),
        drought: dice.pick(&[(1, seconds(5)), (2, seconds(1)), (3, seconds(10)), (2, seconds(0)), (100, seconds(0))]),
        slow: dice.pick(&[None, Some((seconds(1), 50)), Some((Duration::from_millis(1), 100))]),
        open: dice.pick(&[Duration::from_nanos(1), seconds(1), seconds(60)]),
        probes: 1 + u32::try_from(dice.below(3)).unwrap(),
    }
}

fn end(dice: &mut Dice, mood: u64) -> End {
    let took = dice.pick(&[Duration::ZERO, Duration::from_millis(1), Duration::from_secs(2)]);
    match dice.below(10) {
        0 => End::Abandoned,
        1 => End::Failure(dice.pick(&[ErrorCode::E012, ErrorCode::E033, ErrorCode::E020, ErrorCode::E066]), took),
        other if other < 2 + mood => End::Success(took),
        _ => End::Failure(dice.pick(&[ErrorCode::E010, ErrorCode::E011, ErrorCode::E064]), took),
    }
}

fn play(seed: u64) -> [bool; 3] {
    let mut dice = Dice::new(seed);
    let settings = settings(&mut dice);
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let mut builder = CircuitBreaker::builder()
        .with_failure_rate(settings.rate)
        .with_least_calls(settings.least)
        .with_window(settings.window)
        .with_in_a_row(settings.in_a_row)
        .with_drought(settings.drought.0, settings.drought.1)
        .with_open_time(settings.open)
        .with_probes(settings.probes)
        .with_hook(move |event: &BreakerEvent| {
            told.lock().unwrap().push((event.from, event.to, event.generation, event.code));
        });
    if let Some((time, percent)) = settings.slow {
        builder = builder.with_slow_calls(time, percent);
    }
    let (breaker, mut naive) = (builder.build().unwrap(), Naive::new(settings));
    let mut now = Moment::from_nanos(dice.below(1 << 40));
    let mut under_way: Vec<(Admission, Ticket)> = Vec::new();
    // How many of eight succeed: some sequences go well, some do not.
    let mood = dice.below(9);
    for step in 0..40 {
        let call = Call::new(Operation::Get, now);
        match dice.below(16) {
            0..=6 => {
                let verdict = breaker.admit(&call, now, dice.next());
                match (verdict, naive.admit(now)) {
                    (Verdict::Go(admission), Some(ticket)) => {
                        assert_eq!(admission.generation, ticket.generation, "seed {seed}, step {step}: {settings:?}");
                        under_way.push((admission, ticket));
                    }
                    (Verdict::Refuse(ErrorCode::E030), None) => {}
                    other => panic!("seed {seed}, step {step}: {other:?}, {settings:?}"),
                }
            }
            7..=12 if !under_way.is_empty() => {
                let (admission, ticket) = dice.take(&mut under_way);
                let end = end(&mut dice, mood);
                let error;
                let outcome = match end {
                    End::Success(took) => Outcome::Success(took),
                    End::Failure(code, took) => {
                        error = Error::new(code, "made up");
                        Outcome::Failure(&error, took)
                    }
                    End::Abandoned => Outcome::Abandoned,
                };
                breaker.finish(&call, admission, outcome, now, dice.next());
                naive.finish(ticket, end, now);
            }
            13 => now = now + dice.up_to(settings.window / 8),
            14 => now = now + dice.up_to(settings.open.max(settings.window) * 2),
            15 if dice.one_in(8) => match dice.below(3) {
                0 => {
                    breaker.force_open();
                    naive.force(BreakerState::ForcedOpen);
                }
                1 => {
                    breaker.force_closed();
                    naive.force(BreakerState::ForcedClosed);
                }
                _ => {
                    breaker.automatic();
                    if matches!(naive.state, BreakerState::ForcedOpen | BreakerState::ForcedClosed) {
                        naive.force(BreakerState::Closed);
                    }
                }
            },
            _ => {}
        }
        assert_eq!(breaker.state(), naive.state, "seed {seed}, step {step}: {settings:?}");
    }
    assert_eq!((breaker.opened(), breaker.closed()), (naive.opened, naive.closed), "seed {seed}");
    assert_eq!(*events.lock().unwrap(), naive.events, "seed {seed}: {settings:?}");
    let reopened = naive.events.iter().any(|event| (event.0, event.1) == (BreakerState::HalfOpen, BreakerState::Open));
    [naive.opened > 0, reopened, naive.closed > 0]
}

#[test]
fn it_decides_as_a_naive_one_does() {
    let mut met = [0; 3];
    for seed in 0..SEQUENCES {
        for (count, met) in met.iter_mut().zip(play(seed)) {
            *count += u64::from(met);
        }
    }
    // Not all sequences may be dull.
    let [opened, reopened, closed] = met;
    assert!(opened > SEQUENCES / 4 && reopened > SEQUENCES / 50 && closed > SEQUENCES / 50, "{met:?}");
}
