//! Drives a policy as its contract says, by calls that follow from a seed.

use std::fmt;
use std::time::Duration;

use cachekit_core::{Admission, Call, Error, ErrorCode, Moment, Next, Operation, Outcome, ResiliencePolicy, Verdict};

use crate::faults::dice::{below, draw};

/// A driver with calls under way: every admission is finished once, and every ticket asked with or given up.
pub(super) struct Drive<'a> {
    policy: &'a dyn ResiliencePolicy,
    pub(super) now: Moment,
    under_way: Vec<(Call, Admission)>,
    waiting: Vec<Call>,
    pub(super) verdicts: Vec<Verdict>,
}

/// How a driven call ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Success,
    Failure,
    Abandoned,
}

impl<'a> Drive<'a> {
    pub(super) fn of(policy: &'a dyn ResiliencePolicy) -> Self {
        let now = Moment::from_nanos(1_000_000_000_000);
        Self { policy, now, under_way: Vec::new(), waiting: Vec::new(), verdicts: Vec::new() }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Asks for a call; what is not let go at once waits or is forgotten.
    pub(super) fn ask(&mut self, mut call: Call, random: u64) -> Verdict {
        let verdict = self.policy.admit(&call, self.now, random);
        self.verdicts.push(verdict);
        match verdict {
            Verdict::Go(admission) | Verdict::GoAfter(_, admission) => self.under_way.push((call, admission)),
            Verdict::Queue { ticket, .. } => {
                call.ticket = Some(ticket);
                self.waiting.push(call);
            }
            _ => {}
        }
        verdict
    }

    pub(super) fn ask_anew(&mut self) -> Verdict {
        self.ask(Call::new(Operation::Get, self.now), 0)
    }

    /// Finishes the call under way that is the `at`-th, if there is one.
    pub(super) fn finish(&mut self, at: usize, end: End, random: u64) -> Option<Next> {
        (at < self.under_way.len()).then(|| {
            let (call, admission) = self.under_way.remove(at);
            finish(self.policy, &call, admission, end, self.now, random)
        })
    }

    pub(super) fn finish_all(&mut self, end: End) {
        while self.finish(0, end, 0).is_some() {}
    }

    pub(super) fn waiting(&self) -> &[Call] {
        &self.waiting
    }

    /// Asks again with the ticket that is the `at`-th.
    pub(super) fn ask_again(&mut self, at: usize, random: u64) -> Verdict {
        let call = self.waiting.remove(at);
        self.ask(call, random)
    }

    /// Gives up the ticket that is the `at`-th.
    pub(super) fn give_up(&mut self, at: usize) {
        let call = self.waiting.remove(at);
        let ticket = call.ticket.expect("who waits has a ticket");
        finish(self.policy, &call, Admission::new(0, ticket), End::Abandoned, self.now, 0);
    }

    pub(super) fn give_up_all(&mut self) {
        while !self.waiting.is_empty() {
            self.give_up(0);
        }
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Makes `steps` steps that follow from `seed`; time passes if it may.
    pub(super) fn walk(&mut self, seed: u64, steps: u64, time_passes: bool) {
        for step in 0..steps {
            let chance = |stream| draw(seed, stream, step);
            if self.waiting.len() > 16 {
                self.give_up(0);
            }
            match below(chance(1), 8) {
                0..=2 => {
                    let mut call = Call::new(Operation::Get, self.now);
                    call.attempt = u32::from(chance(2).to_le_bytes()[0] % 4);
                    self.ask(call, chance(3));
                }
                3 | 4 if self.under_way() > 0 => {
                    let end = [End::Success, End::Failure, End::Abandoned][below(chance(4), 3)];
                    self.finish(below(chance(5), self.under_way()), end, chance(6));
                }
                5 if !self.waiting.is_empty() => {
                    self.ask_again(below(chance(7), self.waiting.len()), chance(8));
                }
                6 if !self.waiting.is_empty() => self.give_up(below(chance(9), self.waiting.len())),
                7 if time_passes => self.pass(Duration::from_millis(chance(10) % 2_000)),
                _ => {}
            }
        }
    }

    /// Ends everything, and lets as many calls as go succeed over hours.
    pub(super) fn recover(&mut self) {
        self.give_up_all();
        self.finish_all(End::Abandoned);
        for _ in 0..64 {
            self.pass(Duration::from_secs(3_600));
            self.room();
        }
        // What is spent in time has come back once more.
        self.pass(Duration::from_secs(3_600));
    }

    /// How many calls go out that are asked for at one moment and not finished. They succeed afterwards.
    pub(super) fn room(&mut self) -> Room {
        let mut room = Room::default();
        for _ in 0..MOST_AT_ONCE {
            match self.ask_anew() {
                Verdict::Go(_) => room.at_once += 1,
                Verdict::GoAfter(..) => room.later += 1,
                _ => break,
            }
        }
        self.finish_all(End::Success);
        self.give_up_all();
        room
    }
}

/// How many calls go out together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// At once.
    pub(super) at_once: usize,
    /// After a wait.
    pub(super) later: usize,
}

impl Room {
    /// Whether all find place that found it in `other`, none of them later.
    pub(super) fn is_as_large_as(self, other: Self) -> bool {
        self.at_once >= other.at_once && self.at_once + self.later >= other.at_once + other.later
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls at once and {} after a wait", self.at_once, self.later)
    }
}

pub(super) fn finish(
    policy: &dyn ResiliencePolicy,
    call: &Call,
    admission: Admission,
    end: End,
    now: Moment,
    random: u64,
) -> Next {
    let took = Duration::from_millis(5);
    let error = Error::new(ErrorCode::E010, "made up by the suite");
    let outcome = match end {
        End::Success => Outcome::Success(took),
        End::Failure => Outcome::Failure(&error, took),
        End::Abandoned => Outcome::Abandoned,
    };
    policy.finish(call, admission, outcome, now, random)
}

/// Who lets so many go out together is taken to set no limit.
const MOST_AT_ONCE: usize = 1_000;
