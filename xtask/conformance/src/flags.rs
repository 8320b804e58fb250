//! The command line of `cargo xtask conformance`.

use cachekit_testkit::conformance::Profile;
use lexopt::{Arg, Error, Parser, ValueExt};

use crate::backends::Backend;

pub(crate) const USAGE: &str = "\
Usage: cargo xtask conformance [OPTIONS]

Options:
  --suite NAME       backend, serializer, key-provider, policy or errors; repeatable; all of them if none is named,
                     or backend alone if a backend is
  --backend NAME     memory or redis; repeatable; all of them if none is named
  --rule PATTERN     only rules whose id holds PATTERN, or is it, with `*` for any text
  --profile NAME     full (default: real time passes) or fast (time moved by hand, nothing large)
  --seed N           makes up the values of another run again
  --list             shows the rules instead of running them
  --format FORMAT    text (default) or json: then nothing but the report is on standard output
  -h, --help         prints this text

It writes target/conformance/report.html and target/conformance/report.json, starts the servers that it needs
and stops them. The exit status is 1 when a MUST is not kept or a drill fails, and 2 when it was not understood.";

pub(crate) enum Command {
    Run(Asked),
    Help,
}

/// What was asked for.
pub(crate) struct Asked {
    pub(crate) suites: Vec<Suite>,
    pub(crate) backends: Vec<Backend>,
    /// A pattern that rules match; empty for all.
    pub(crate) rules: String,
    pub(crate) profile: Profile,
    pub(crate) seed: Option<u64>,
    pub(crate) list: bool,
    pub(crate) json: bool,
}

/// Which contract is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Backend,
    Serializer,
    KeyProvider,
    Policy,
    Errors,
}

impl Suite {
    pub(crate) const ALL: [Self; 5] = [Self::Backend, Self::Serializer, Self::KeyProvider, Self::Policy, Self::Errors];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Serializer => "serializer",
            Self::KeyProvider => "key-provider",
            Self::Policy => "policy",
            Self::Errors => "errors",
        }
    }
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Error> {
    let mut asked = Asked {
        suites: Vec::new(),
        backends: Vec::new(),
        rules: String::new(),
        profile: Profile::Full,
        seed: None,
        list: false,
        json: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("suite") => asked.suites.push(parser.value()?.parse_with(suite)?),
            Arg::Long("backend") => asked.backends.push(parser.value()?.parse_with(backend)?),
            Arg::Long("rule") => asked.rules = parser.value()?.string()?,
            Arg::Long("profile") => asked.profile = parser.value()?.parse_with(profile)?,
            Arg::Long("seed") => asked.seed = Some(parser.value()?.parse()?),
            Arg::Long("list") => asked.list = true,
            Arg::Long("format") => asked.json = parser.value()?.parse_with(format)?,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if asked.suites.is_empty() {
        asked.suites = if asked.backends.is_empty() { Suite::ALL.to_vec() } else { vec![Suite::Backend] };
    }
    if asked.backends.is_empty() {
        asked.backends = Backend::ALL.to_vec();
    }
    // Each once, in the order of the lists.
    asked.suites = Suite::ALL.into_iter().filter(|suite| asked.suites.contains(suite)).collect();
    asked.backends = Backend::ALL.into_iter().filter(|backend| asked.backends.contains(backend)).collect();
    Ok(Command::Run(asked))
}

fn backend(name: &str) -> Result<Backend, String> {
    let known = || Backend::ALL.map(Backend::name).join(", ");
    match Backend::ALL.into_iter().find(|backend| backend.name() == name) {
        Some(backend) => Ok(backend),
        None if NOT_BUILT.contains(&name) => Err(format!("this backend is not built yet: expected one of {}", known())),
        None => Err(format!("there is no such backend: expected one of {}", known())),
    }
}

fn suite(name: &str) -> Result<Suite, String> {
    let known = || Suite::ALL.map(Suite::name).join(", ");
    let found = Suite::ALL.into_iter().find(|suite| suite.name() == name);
    found.ok_or_else(|| format!("there is no such suite: expected one of {}", known()))
}

fn profile(name: &str) -> Result<Profile, &'static str> {
    match name {
        "fast" => Ok(Profile::Fast),
        "full" => Ok(Profile::Full),
        _ => Err("expected `fast` or `full`"),
    }
}

fn format(name: &str) -> Result<bool, &'static str> {
    match name {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err("expected `text` or `json`"),
    }
}

/// Names that will mean something.
const NOT_BUILT: &[&str] = &["redis-tls", "redis-sentinel", "redis-cluster", "io", "io-faults"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked, String> {
        match parse(Parser::from_args(line.split_whitespace())) {
            Ok(Command::Run(asked)) => Ok(asked),
            Ok(Command::Help) => Err("help".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn without_flags_everything_is_run() {
        let asked = parsed("").unwrap();
        assert_eq!((asked.suites.as_slice(), asked.backends.as_slice()), (&Suite::ALL[..], &Backend::ALL[..]));
        assert_eq!(asked.profile, Profile::Full);
        assert!(asked.rules.is_empty() && asked.seed.is_none() && !asked.list && !asked.json);
    }

    #[test]
    fn flags_are_understood() {
        let line = "--backend memory --backend memory --suite errors --suite backend --rule a* --profile fast --seed 7";
        let asked = parsed(line).unwrap();
        assert_eq!(asked.backends, [Backend::Memory]);
        assert_eq!(asked.suites, [Suite::Backend, Suite::Errors]);
        assert_eq!((asked.rules.as_str(), asked.profile, asked.seed), ("a*", Profile::Fast, Some(7)));
        assert!(parsed("--format json").unwrap().json && parsed("--list").unwrap().list);
    }

    #[test]
    fn who_names_a_backend_means_the_suite_for_backends() {
        assert_eq!(parsed("--backend redis").unwrap().suites, [Suite::Backend]);
        assert_eq!(parsed("--suite policy").unwrap().suites, [Suite::Policy]);
    }

    #[test]
    fn what_does_not_exist_is_refused_with_a_sentence() {
        let cases = [
            ("--backend redis-tls", "not built yet"),
            ("--backend mysql", "no such backend: expected one of memory, redis"),
            ("--suite all", "no such suite: expected one of backend, serializer, key-provider, policy, errors"),
            ("--profile slow", "`fast` or `full`"),
            ("--seed x", "invalid"),
            ("--format xml", "`text` or `json`"),
            ("memory", "unexpected"),
        ];
        for (line, expected) in cases {
            let error = parsed(line).err().unwrap();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
