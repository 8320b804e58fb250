//! What a breaker remembers of the calls of late: successes per thread, trouble in one place.

use std::fmt;
// Not those of `crate::sync`: each word has one writer, and the sum decides nothing but how many there were.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thread_local::ThreadLocal;

use super::super::padded::Padded;
use crate::Moment;

/// Time in steps: a power of two of nanoseconds each, so that no success has to divide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// A step lasts two to the power of this many nanoseconds.
    bits: u32,
    /// How many of them the window has: the one that is going on and those before it.
    count: u64,
}

impl Steps {
    /// Cuts `window` into steps that last at most a sixteenth of it: 16 to 31.
    pub(super) fn of(window: Duration) -> Self {
        let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX).max(16);
        let bits = (nanos / 16).ilog2();
        Self { bits, count: (nanos >> bits).min(SLOTS - 1) }
    }

    /// The number of the step that is going on.
    ///
    /// Each generation counts from where the last one cannot have come to, so that what was remembered in one is out of
    /// the window of the next, and nothing has to be cleared that other threads are writing to.
    #[inline]
    pub(super) fn number(self, now: Moment, generation: u64) -> u64 {
        (now.as_nanos() >> self.bits).wrapping_add(generation.wrapping_mul(SLOTS))
    }

    /// The numbers of the window that ends with `number`.
    fn window(self, number: u64) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |back| number.wrapping_sub(back))
    }
}

/// How many calls succeeded in which step. Each thread counts for itself, so that a success is a plain addition.
#[derive(Default)]
pub(super) struct Successes {
    threads: ThreadLocal<Padded<Counts>>,
}

/// The counts of one thread: a step's number in the upper half of a word, the count in the lower.
type Counts = [AtomicU64; SLOTS as usize];

impl Successes {
    #[inline]
    pub(super) fn add(&self, number: u64) {
        let word = &self.threads.get_or_default()[(number % SLOTS) as usize];
        let (tag, counted) = (number << 32, word.load(Ordering::Relaxed));
        let is_full = counted & COUNT == COUNT;
        let more = if counted & !COUNT == tag { counted + u64::from(!is_full) } else { tag | 1 };
        // Only this thread writes here.
        word.store(more, Ordering::Relaxed);
    }

    /// How many there are in the window that ends with `number`.
    pub(super) fn count(&self, steps: Steps, number: u64) -> u64 {
        let of_thread = |counts: &Padded<Counts>| -> u64 {
            let counted = steps.window(number).map(|number| {
                let word = counts[(number % SLOTS) as usize].load(Ordering::Relaxed);
                if word & !COUNT == number << 32 { word & COUNT } else { 0 }
            });
            counted.sum()
        };
        self.threads.iter().map(of_thread).sum()
    }
}

impl fmt::Debug for Successes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Successes").finish_non_exhaustive()
    }
}

/// How many calls went wrong in which step, and since when none succeeded.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    slots: [(u64, Bad); SLOTS as usize],
    /// How many went wrong since the last success, and when the first of them did.
    pub(super) run: Option<(u64, Moment)>,
}

/// Calls that went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) failed: u64,
    /// Took too long, whatever came of them.
    pub(super) slow: u64,
    /// Neither succeeded nor failed: a limit further out cut them short.
    pub(super) cut: u64,
}

impl Bad {
    fn plus(self, other: Self) -> Self {
        Self { failed: self.failed + other.failed, slow: self.slow + other.slow, cut: self.cut + other.cut }
    }
}

impl Trouble {
    pub(super) fn add(&mut self, number: u64, bad: Bad) {
        let slot = &mut self.slots[(number % SLOTS) as usize];
        if slot.0 != number {
            *slot = (number, Bad::default());
        }
        slot.1 = slot.1.plus(bad);
    }

    /// Lengthens the run of calls without a success.
    pub(super) fn lengthen_run(&mut self, now: Moment) {
        let (length, began) = self.run.unwrap_or((0, now));
        self.run = Some((length + 1, began));
    }

    /// What there is in the window that ends with `number`.
    pub(super) fn count(&self, steps: Steps, number: u64) -> Bad {
        let counted = steps.window(number).map(|number| {
            let (of, bad) = self.slots[(number % SLOTS) as usize];
            if of == number { bad } else { Bad::default() }
        });
        counted.fold(Bad::default(), Bad::plus)
    }
}

/// More than the steps of any window.
const SLOTS: u64 = 32;
const COUNT: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    #[test]
    fn a_window_has_16_to_31_steps_and_is_no_longer_than_it_says() {
        for window in [16, 17, 31, 32, 1_000, 100_000_000, 30_000_000_000, 3_600_000_000_000] {
            let steps = Steps::of(Duration::from_nanos(window));
            let length = steps.count << steps.bits;
            assert!((16..32).contains(&steps.count), "{window}: {steps:?}");
            assert!(length <= window && length > window / 16 * 15, "{window}: {steps:?}");
        }
    }

    #[test]
    fn successes_leave_the_window_step_by_step() {
        // Steps of one nanosecond.
        let (steps, successes) = (Steps::of(Duration::from_nanos(16)), Successes::default());
        for now in [100, 100, 101, 110] {
            successes.add(steps.number(at(now), 0));
        }
        for (now, count) in [(110, 4), (115, 4), (116, 2), (117, 1), (125, 1), (126, 0)] {
            assert_eq!(successes.count(steps, steps.number(at(now), 0)), count, "at {now}");
        }
        // A slot is used anew.
        successes.add(steps.number(at(142), 0));
        assert_eq!(successes.count(steps, steps.number(at(142), 0)), 1);
    }

    #[test]
    fn threads_count_together() {
        let (steps, successes) = (Steps::of(Duration::from_secs(1)), Successes::default());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|now| successes.add(steps.number(at(now), 0))));
            }
        });
        assert_eq!(successes.count(steps, steps.number(at(1_000), 0)), 4_000);
    }

    #[test]
    fn a_generation_remembers_nothing_of_the_one_before() {
        let steps = Steps::of(Duration::from_nanos(31));
        let (successes, mut trouble) = (Successes::default(), Trouble::default());
        for now in 70..100 {
            successes.add(steps.number(at(now), 4));
            trouble.add(steps.number(at(now), 4), Bad { failed: 1, slow: 1, cut: 1 });
        }
        let number = steps.number(at(100), 5);
        assert_eq!((successes.count(steps, number), trouble.count(steps, number)), (0, Bad::default()));
        let number = steps.number(at(99), 4);
        assert_eq!((successes.count(steps, number), trouble.count(steps, number).cut), (30, 30));
    }

    #[test]
    fn a_full_count_stays_full() {
        let (steps, successes) = (Steps::of(Duration::from_nanos(16)), Successes::default());
        successes.threads.get_or_default()[7].store(7 << 32 | (COUNT - 1), Ordering::Relaxed);
        for _ in 0..3 {
            successes.add(7);
        }
        assert_eq!(successes.count(steps, 7), COUNT);
        assert_eq!(successes.count(steps, 8 + 16), 0);
    }

    #[test]
    fn a_run_knows_when_it_began() {
        let mut trouble = Trouble::default();
        for (now, run) in [(5, (1, at(5))), (9, (2, at(5))), (9, (3, at(5)))] {
            trouble.lengthen_run(at(now));
            assert_eq!(trouble.run, Some(run));
        }
    }
}
