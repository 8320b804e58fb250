//! Takes candidates in turn, round after round, so that a machine that slows down slows all of them.

use std::fmt;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

/// A round shorter than this measures the scheduler.
const ROUND: Duration = Duration::from_millis(60);

/// What is measured.
pub struct Candidate<'a> {
    name: &'static str,
    role: Role,
    work: Box<dyn Fn(usize, u64) -> Duration + Sync + 'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What nobody can beat: the bare thing below all candidates.
    Floor,
    /// The nearest peer, with which everyone is compared.
    Peer,
    Other,
    Ours,
}

impl<'a> Candidate<'a> {
    /// `work` takes the number of its thread and how many operations to do, and returns how long they took: what it
    /// sets up around them is its own affair.
    pub fn new(name: &'static str, role: Role, work: impl Fn(usize, u64) -> Duration + Sync + 'a) -> Self {
        Candidate { name, role, work: Box::new(work) }
    }

    /// Returns nanoseconds for one operation, as each of the threads sees it.
    fn round(&self, threads: usize, operations: u64) -> f64 {
        let start = Barrier::new(threads);
        let run = |number| {
            start.wait();
            (self.work)(number, operations)
        };
        let slowest = thread::scope(|scope| {
            let run = &run;
            let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || run(number))).collect();
            let own = run(0);
            others.into_iter().map(|other| other.join().expect("a measured thread panicked")).fold(own, Duration::max)
        });
        slowest.as_nanos() as f64 / operations as f64
    }

    /// Returns how many operations fill a round, found by doing more and more of them. Warms up on the way.
    fn operations(&self, threads: usize) -> u64 {
        let mut operations = 1_000;
        loop {
            let took = Duration::from_nanos((self.round(threads, operations) * operations as f64) as u64);
            if took >= ROUND {
                return operations;
            }
            let missing = ROUND.as_secs_f64() / took.as_secs_f64().max(1e-9) * 1.1;
            operations = (operations as f64 * missing.min(100.0)).ceil() as u64;
        }
    }
}

/// One line of the result: times are nanoseconds for one operation.
#[derive(Debug, serde::Serialize)]
pub struct Row {
    pub bench: &'static str,
    pub case: String,
    pub candidate: &'static str,
    pub ours: bool,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub unit: &'static str,
    pub to_floor: Option<f64>,
    /// What it costs beyond the floor.
    pub over_floor: Option<f64>,
    pub to_peer: Option<f64>,
}

/// Measures `candidates` in turn: A B C, A B C, ….
pub fn compare(bench: &'static str, case: impl fmt::Display, threads: usize, candidates: &[Candidate<'_>]) -> Vec<Row> {
    eprintln!("{bench}: {case}");
    let operations: Vec<u64> = candidates.iter().map(|candidate| candidate.operations(threads)).collect();
    let mut samples = vec![Vec::with_capacity(ROUNDS); candidates.len()];
    for _ in 0..ROUNDS {
        for ((candidate, operations), samples) in candidates.iter().zip(&operations).zip(&mut samples) {
            samples.push(candidate.round(threads, *operations));
        }
    }
    let of = |role| candidates.iter().position(|candidate| candidate.role == role).map(|at| &samples[at]);
    let (floor, peer) = (of(Role::Floor), of(Role::Peer));
    let row = |(candidate, samples): (&Candidate<'_>, &Vec<f64>)| Row {
        bench,
        case: case.to_string(),
        candidate: candidate.name,
        ours: candidate.role == Role::Ours,
        median: median(samples.iter().copied()),
        min: samples.iter().copied().fold(f64::INFINITY, f64::min),
        max: samples.iter().copied().fold(0.0, f64::max),
        unit: "ns",
        to_floor: floor.map(|floor| ratio(samples, floor)),
        over_floor: floor.map(|floor| median(samples.iter().zip(floor).map(|(sample, floor)| sample - floor))),
        to_peer: peer.map(|peer| ratio(samples, peer)),
    };
    candidates.iter().zip(&samples).map(row).collect()
}

/// Returns how many times longer one took than the other. Only rounds that lie next to each other are compared: what
/// slowed the machine for one of them slowed it for both.
fn ratio(samples: &[f64], others: &[f64]) -> f64 {
    median(samples.iter().zip(others).map(|(sample, other)| sample / other))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Times `operation`, called with the numbers from 0.
pub fn time(operations: u64, mut operation: impl FnMut(u64)) -> Duration {
    let start = now();
    for number in 0..operations {
        operation(number);
    }
    start.elapsed()
}

/// Times an async `operation`, one after the other in a runtime of this thread's own.
pub fn time_async(operations: u64, mut operation: impl AsyncFnMut(u64)) -> Duration {
    runtime().block_on(async {
        let start = now();
        for number in 0..operations {
            operation(number).await;
        }
        start.elapsed()
    })
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime without I/O starts")
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured here")]
fn now() -> Instant {
    Instant::now()
}
