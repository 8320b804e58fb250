//! `cargo xtask interop`: shares entries with CacheKit's Python client over a real Redis, and tells what both sides make
//! of them.
//!
//! A program of its own, so that the rest of the workshop builds without what is shared.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]

mod cases;
mod outcome;
mod python;
mod sides;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, ValueExt};

use outcome::Failure;
use sides::Sides;
use table::Table;

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    /// The interpreter that finds the client.
    python: PathBuf,
    /// Only cases whose group or name holds this.
    case: String,
    json: bool,
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
    match run(&asked) {
        Ok(table) => {
            match asked.json {
                true => println!("{:#}", table.to_json()),
                false => println!("{table}"),
            }
            if table.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(Failure(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(asked: &Asked) -> Result<Table, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let sides = Sides::start(&asked.python).await?;
        let mut table = Table::of(&asked.case);
        cases::run(&sides, &mut table).await;
        match table.is_empty() {
            true => Err(Failure(format!("no case holds `{}`", asked.case))),
            false => Ok(table),
        }
    })
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Asked>, lexopt::Error> {
    let mut asked = Asked::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("python") => asked.python = parser.value()?.into(),
            Arg::Long("case") => asked.case = parser.value()?.string()?,
            Arg::Long("format") => asked.json = parser.value()?.parse_with(format)?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    match asked.python.as_os_str().is_empty() {
        true => Err("`--python` is missing; `cargo xtask interop` says it".into()),
        false => Ok(Some(asked)),
    }
}

fn format(name: &str) -> Result<bool, &'static str> {
    match name {
        "table" => Ok(false),
        "json" => Ok(true),
        _ => Err("expected `table` or `json`"),
    }
}

const USAGE: &str = "\
Usage: cargo xtask interop [--case TEXT] [--format FORMAT]

Python writes and Rust reads, Rust writes and Python reads, through a Redis of their own.

Options:
  --case TEXT        only cases whose group or name holds TEXT
  --format FORMAT    `table` (default) or `json`
  -h, --help         prints this text

The exit status is 1 when one side did not make of an entry what it should.";
