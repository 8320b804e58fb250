//! The command line: every verb and flag of `cargo xtask`, in one place. `conformance`, `interop` and `soak` know
//! their own flags.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Error, Parser, ValueExt};

pub(crate) const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test                              everything that CI asks: format, lints, tests, documentation, licences
  check                             the quick part of it: format, tidy, lints
  tidy                              the rules of this repository that no compiler knows
  conformance [OPTIONS]             holds what there is to its contracts; `--help` tells the options
  new-backend NAME [--into FOLDER] [--cachekit PATH]
                                    writes a plug-in crate to begin with, beside this repository or into FOLDER;
                                    it finds the crates of this repository at PATH
  interop [OPTIONS]                 shares entries with CacheKit's Python client; `--help` tells the options
  vectors [--check] [--fresh]       has the Python client make `vectors/*.json`, or says whether they would change;
                                    what is sealed stays as it is, unless it is to be sealed anew
  fuzz [TARGET] [--seconds N]       runs one fuzz target, or all, which share the N seconds; a minute each if not said
  soak [OPTIONS]                    long trials with real servers; `--help` tells which
  bench [NAME] [--format FORMAT]    measures us beside our peers; FORMAT is `table` (default) or `json`

Options:
  -h, --help                        prints this text";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test,
    Check,
    Tidy,
    Bench(Bench),
    Fuzz(Fuzz),
    /// With its arguments as they are.
    Conformance(Vec<OsString>),
    /// With its arguments as they are.
    Interop(Vec<OsString>),
    Vectors(Vectors),
    /// With its arguments as they are.
    Soak(Vec<OsString>),
    NewBackend(NewBackend),
    Help,
}

/// What `cargo xtask bench` was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bench {
    /// One bench, or all of them.
    pub(crate) name: Option<String>,
    pub(crate) json: bool,
}

/// What `cargo xtask fuzz` was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fuzz {
    /// One target, or all of them.
    pub(crate) target: Option<String>,
    /// For all of them together.
    pub(crate) seconds: Option<u64>,
}

/// What `cargo xtask vectors` was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Vectors {
    /// Write nothing.
    pub(crate) check: bool,
    /// Seal anew what was sealed before.
    pub(crate) fresh: bool,
}

/// What `cargo xtask new-backend` was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NewBackend {
    pub(crate) name: String,
    /// Where to; beside this repository if it is not said.
    pub(crate) folder: Option<PathBuf>,
    /// Where the crate finds those of this repository; here if it is not said.
    pub(crate) cachekit: Option<PathBuf>,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Error> {
    let verb = match parser.next()? {
        Some(Arg::Value(verb)) => verb.string()?,
        Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help),
        Some(other) => return Err(other.unexpected()),
        None => return Err("a command is missing".into()),
    };
    let command = match verb.as_str() {
        "test" => Command::Test,
        "check" => Command::Check,
        "tidy" => Command::Tidy,
        "bench" => return bench(parser),
        "fuzz" => return fuzz(parser),
        "new-backend" => return new_backend(parser),
        "conformance" => return Ok(Command::Conformance(parser.raw_args()?.collect())),
        "interop" => return Ok(Command::Interop(parser.raw_args()?.collect())),
        "vectors" => return vectors(parser),
        "soak" => return Ok(Command::Soak(parser.raw_args()?.collect())),
        "help" => Command::Help,
        unknown => return Err(format!("unknown command `{unknown}`").into()),
    };
    match parser.next()? {
        None => Ok(command),
        Some(Arg::Short('h') | Arg::Long("help")) => Ok(Command::Help),
        Some(other) => Err(other.unexpected()),
    }
}

fn bench(mut parser: Parser) -> Result<Command, Error> {
    let mut asked = Bench::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("format") => asked.json = parser.value()?.parse_with(format)?,
            Arg::Value(name) if asked.name.is_none() => asked.name = Some(name.string()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Bench(asked))
}

fn fuzz(mut parser: Parser) -> Result<Command, Error> {
    let mut asked = Fuzz::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("seconds") => asked.seconds = Some(parser.value()?.parse()?),
            Arg::Value(target) if asked.target.is_none() => asked.target = Some(target.string()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Fuzz(asked))
}

fn vectors(mut parser: Parser) -> Result<Command, Error> {
    let mut asked = Vectors::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("check") => asked.check = true,
            Arg::Long("fresh") => asked.fresh = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if asked.check && asked.fresh {
        return Err("`--check` and `--fresh`: what is sealed anew always differs".into());
    }
    Ok(Command::Vectors(asked))
}

fn new_backend(mut parser: Parser) -> Result<Command, Error> {
    let mut asked = NewBackend::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("into") => asked.folder = Some(parser.value()?.into()),
            Arg::Long("cachekit") => asked.cachekit = Some(parser.value()?.into()),
            Arg::Value(name) if asked.name.is_empty() => asked.name = name.string()?,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if asked.name.is_empty() {
        return Err("the name of the backend is missing".into());
    }
    Ok(Command::NewBackend(asked))
}

fn format(name: &str) -> Result<bool, &'static str> {
    match name {
        "table" => Ok(false),
        "json" => Ok(true),
        _ => Err("expected `table` or `json`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(Parser::from_args(line.split_whitespace())).map_err(|error| error.to_string())
    }

    #[test]
    fn verbs_and_flags() {
        assert_eq!(parsed("test"), Ok(Command::Test));
        assert_eq!(parsed("check"), Ok(Command::Check));
        assert_eq!(parsed("tidy"), Ok(Command::Tidy));
        assert_eq!(parsed("--help"), Ok(Command::Help));
        assert_eq!(parsed("test --help"), Ok(Command::Help));
        assert_eq!(parsed("bench"), Ok(Command::Bench(Bench::default())));
        assert_eq!(parsed("conformance"), Ok(Command::Conformance(vec![])));
        assert_eq!(parsed("soak outage"), Ok(Command::Soak(vec!["outage".into()])));
        assert_eq!(parsed("vectors --check"), Ok(Command::Vectors(Vectors { check: true, fresh: false })));
        assert_eq!(
            parsed("interop --format json"),
            Ok(Command::Interop(["--format", "json"].map(OsString::from).to_vec()))
        );
        let asked = ["--seed", "7"].map(OsString::from).to_vec();
        assert_eq!(parsed("conformance --seed 7"), Ok(Command::Conformance(asked)));
        let json = Fuzz { target: Some("json".into()), seconds: Some(90) };
        assert_eq!(parsed("fuzz"), Ok(Command::Fuzz(Fuzz::default())));
        assert_eq!(parsed("fuzz json --seconds 90"), Ok(Command::Fuzz(json)));
        let redb = NewBackend { name: "redb".into(), folder: Some("x".into()), cachekit: Some("../c".into()) };
        assert_eq!(parsed("new-backend redb --into x --cachekit ../c"), Ok(Command::NewBackend(redb)));
        let l1 = Bench { name: Some("l1".into()), json: true };
        assert_eq!(parsed("bench l1 --format json"), Ok(Command::Bench(l1)));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for line in [
            "",
            "tets",
            "--quick",
            "test --quick",
            "test twice",
            "bench a b",
            "fuzz a b",
            "fuzz --seconds soon",
            "new-backend",
            "new-backend a b",
            "bench --format xml",
            "vectors interop-keys",
            "vectors --check --fresh",
        ] {
            assert!(parsed(line).is_err(), "`{line}` was accepted");
        }
    }
}
