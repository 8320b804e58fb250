//! `cargo xtask soak`: long trials with real servers, real time and large numbers, which no test could wait for.
//!
//! A program of its own, so that the rest of the workshop builds without what is under trial.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]

mod nonces;
mod outage;
mod verdict;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::{Arg, ValueExt};

/// Every trial, by the name that the command line takes.
const TRIALS: &[(&str, Trial)] = &[("outage", outage::run), ("nonces", nonces::run)];

type Trial = fn(&Asked) -> verdict::Verdicts;

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    trial: Option<String>,
    /// Only cases whose name holds this.
    case: String,
}

fn main() -> ExitCode {
    let asked = match parse(lexopt::Parser::from_env()) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut passed = true;
    for (name, trial) in TRIALS.iter().filter(|(name, _)| asked.trial.as_deref().is_none_or(|asked| asked == *name)) {
        let verdicts = trial(&asked);
        println!("\n{name}\n{verdicts}");
        passed &= verdicts.passed();
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Asked>, lexopt::Error> {
    let mut asked = Asked::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("case") => asked.case = parser.value()?.string()?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(name) if asked.trial.is_none() => {
                let name = name.string()?;
                if !TRIALS.iter().any(|(known, _)| *known == name) {
                    return Err(format!("there is no trial `{name}`").into());
                }
                asked.trial = Some(name);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(asked))
}

/// Time as it passes outside.
#[expect(clippy::disallowed_methods, reason = "real time is what a soak is about")]
fn now() -> Instant {
    Instant::now()
}

/// How long it took from `began` until now.
fn since(began: Instant) -> Duration {
    now().duration_since(began)
}

const USAGE: &str = "\
Usage: cargo xtask soak [TRIAL] [--case TEXT]

Trials:
  outage    a real Redis under load from 64 tasks and from one: killed, stalled, restarted empty, cut off, and
            answering garbage; about two minutes a case, for the breaker stays open for one
  nonces    ten million entries sealed by a hundred instances over sixteen threads, with each cipher: no nonce comes
            twice; some seconds

Options:
  --case TEXT    only cases whose name holds TEXT
  -h, --help     prints this text

The exit status is 1 when something that was promised did not hold.";
