//! The load script: many tasks ask the service, and in the middle its Redis is killed and started again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]
#![expect(clippy::disallowed_methods, reason = "real time is what a load script is about")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cachekit::Environment;
use cachekit_example_axum::client::{Client, figure};
use cachekit_example_axum::{Service, Settings, serve};
use cachekit_testkit::fixtures::RedisServer;
use lexopt::{Arg, ValueExt};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;

/// What was asked for.
struct Asked {
    tasks: u64,
    /// How long the breaker stays open: as in the preset, if nothing is said.
    breaker_seconds: Option<u64>,
}

/// What the tasks that ask have seen.
#[derive(Debug, Default)]
struct Seen {
    requests: AtomicU64,
    /// How many ids were asked for that nobody had asked for before.
    new: AtomicU64,
    failures: AtomicU64,
    over: AtomicBool,
    took: Mutex<Vec<Duration>>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let asked = match parse(lexopt::Parser::from_env()) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    let mut redis = RedisServer::start();
    let address = start_service(&redis, asked.breaker_seconds).await?;
    let failures = play(&asked, &mut redis, address).await?;
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ten seconds well, ten without Redis, and then until the breaker has been closed for ten.
async fn play(asked: &Asked, redis: &mut RedisServer, address: SocketAddr) -> Result<u64, Box<dyn Error>> {
    let mut operator = Client::connect(address).await?;
    println!("{}", operator.get("/healthz").await?.body);
    let seen = Arc::new(Seen::default());
    let tasks: Vec<_> =
        (0..asked.tasks).map(|task| tokio::spawn(ask_on_and_on(address, task, Arc::clone(&seen)))).collect();
    println!("second  requests  failures  breaker    hits  p50       p99       Redis");
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await; // the first one is over at once
    let open = asked.breaker_seconds.unwrap_or(60);
    let (mut before, mut closed_for, mut has_opened) = ((0.0, 0.0), 0, false);
    for second in 1..=30 + 2 * open {
        match second {
            11 => redis.kill(),
            21 => redis.restart(),
            _ => {}
        }
        every_second.tick().await;
        let page = operator.get("/metrics").await?.body;
        let lookups = figure(&page, "cachekit_lookups_total", &[]);
        let hits = figure(&page, "cachekit_lookups_total", &["outcome=\"hit\""]);
        let rate = (hits - before.0) / (lookups - before.1).max(1.0);
        before = (hits, lookups);
        let is_in = |state: &str| figure(&page, "cachekit_breaker_state", &[&format!("state=\"{state}\"")]) > 0.0;
        let state = ["closed", "open", "half_open"].into_iter().find(|state| is_in(state)).unwrap_or("?");
        let (p50, p99) = seen.percentiles();
        println!(
            "{second:>6}  {:>8}  {:>8}  {state:<9}  {:>3.0}%  {:<8}  {:<8}  {}",
            seen.requests.load(Ordering::Relaxed),
            seen.failures.load(Ordering::Relaxed),
            100.0 * rate,
            format!("{p50:.1?}"),
            format!("{p99:.1?}"),
            if redis.is_running() { "up" } else { "down" },
        );
        has_opened |= state == "open";
        closed_for = if has_opened && state == "closed" { closed_for + 1 } else { 0 };
        if closed_for == 10 {
            break;
        }
    }
    seen.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    println!("{}", operator.get("/healthz").await?.body);
    let (requests, failures) = (seen.requests.load(Ordering::Relaxed), seen.failures.load(Ordering::Relaxed));
    println!("{requests} requests, {failures} failed");
    if !has_opened || closed_for < 10 {
        return Err("the breaker did not open and close again".into());
    }
    Ok(failures)
}

/// Asks for prices and users in turn, each task in an order of its own.
async fn ask_on_and_on(address: SocketAddr, task: u64, seen: Arc<Seen>) {
    let (mut client, mut dice) = (None, task + 1);
    while !seen.over.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let what = if dice >> 63 == 0 { "price" } else { "user" };
        // However fast the machine: what is new is in no cache, so that Redis is needed at any time.
        let id =
            if (dice >> 60) % 4 == 0 { KEYS + seen.new.fetch_add(1, Ordering::Relaxed) } else { (dice >> 33) % KEYS };
        let path = format!("/{what}/{id}");
        let began = Instant::now();
        let asked = client.take();
        let asked = async {
            let mut client = match asked {
                Some(client) => client,
                None => Client::connect(address).await?,
            };
            client.get(&path).await.map(|answer| (client, answer))
        };
        match asked.await {
            Ok((used, answer)) => {
                client = Some(used);
                seen.failures.fetch_add(u64::from(answer.status != 200), Ordering::Relaxed);
            }
            Err(_) => _ = seen.failures.fetch_add(1, Ordering::Relaxed),
        }
        seen.requests.fetch_add(1, Ordering::Relaxed);
        seen.took.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
}

impl Seen {
    /// How long requests took since the last time: in the median, and all but one of a hundred.
    fn percentiles(&self) -> (Duration, Duration) {
        let mut took = std::mem::take(&mut *self.took.lock().unwrap_or_else(PoisonError::into_inner));
        took.sort_unstable();
        let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
        (at(50), at(99))
    }
}

/// The service, in a task of this program: where it listens.
async fn start_service(redis: &RedisServer, breaker_seconds: Option<u64>) -> Result<SocketAddr, Box<dyn Error>> {
    let mut variables = vec![("CACHEKIT_REDIS_URL", redis.url())];
    variables.extend(breaker_seconds.map(|seconds| ("BREAKER_OPEN_SECONDS", seconds.to_string())));
    let settings = Settings::of(Environment::from_iter(variables))?;
    let service = Service::new(settings.cache()?, PrometheusBuilder::new().install_recorder()?)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(service, listener, std::future::pending()));
    Ok(address)
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Asked>, lexopt::Error> {
    let mut asked = Asked { tasks: 64, breaker_seconds: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("tasks") => asked.tasks = parser.value()?.parse()?,
            Arg::Long("breaker-seconds") => asked.breaker_seconds = Some(parser.value()?.parse()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(asked))
}

/// So many prices, and as many users, are what most requests ask for.
const KEYS: u64 = 2_000;
const PAUSE: Duration = Duration::from_millis(5);

const USAGE: &str = "\
Usage: load [--tasks N] [--breaker-seconds N]

Starts a Redis and the service, asks it from N tasks (64), kills Redis after ten seconds, starts it again ten seconds
later, and goes on until the breaker has been closed for ten seconds.

Options:
  --tasks N              how many tasks ask
  --breaker-seconds N    how long the breaker stays open; that of the preset `production`, 60, if not said

The exit status is 1 if a request failed, or if the breaker did not open and close again.";
