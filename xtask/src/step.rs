//! A step of a longer run: one command, announced, timed, and repeatable by hand.

use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cargo;
use crate::tally::Tally;

/// One call of cargo.
#[derive(Debug)]
pub(crate) struct Step {
    title: String,
    args: Vec<String>,
    environment: Option<(&'static str, &'static str)>,
    tests: Tests,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tests {
    None,
    Any,
    AtLeastOne,
}

/// Why a step did not pass, in one sentence.
pub(crate) type Failure = String;

impl Step {
    pub(crate) fn new(title: impl Into<String>, args: &[&str]) -> Step {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Step { title: title.into(), args, environment: None, tests: Tests::None }
    }

    /// Adds what must follow all other arguments, such as those after `--`.
    pub(crate) fn with_args(mut self, args: &[&str]) -> Step {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    pub(crate) fn with_environment(mut self, name: &'static str, value: &'static str) -> Step {
        self.environment = Some((name, value));
        self
    }

    /// Counts the tests that ran; none at all is fine.
    pub(crate) fn counting_tests(mut self) -> Step {
        self.tests = Tests::Any;
        self
    }

    /// Counts the tests that ran; none at all is a failure, for a filter or a feature must have gone astray.
    pub(crate) fn needing_tests(mut self) -> Step {
        self.tests = Tests::AtLeastOne;
        self
    }

    fn run(&self, tally: &mut Tally) -> Result<(), Failure> {
        if self.tests == Tests::None {
            let status = self.command().status().map_err(|error| format!("cargo did not start: {error}"))?;
            return if status.success() { Ok(()) } else { Err(format!("cargo ended with {status}")) };
        }
        let (child, printed) = self.run_listening()?;
        let status = { child }.wait().map_err(|error| format!("cargo was lost: {error}"))?;
        let counted = Tally::read(&printed);
        *tally += counted.unwrap_or_default();
        match counted {
            _ if !status.success() => Err(format!("the test runner ended with {status}")),
            Some(Tally { failed: 1.., .. }) => Err("tests failed, though the test runner did not mind".into()),
            None if self.tests == Tests::AtLeastOne => Err("the test runner printed no summary".into()),
            Some(Tally { passed: 0, .. }) if self.tests == Tests::AtLeastOne => Err("no test ran".into()),
            _ => Ok(()),
        }
    }

    /// Starts the command, shows what it prints, and returns a copy of that.
    fn run_listening(&self) -> Result<(Child, String), Failure> {
        let mut command = self.command();
        if io::stderr().is_terminal() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cargo did not start: {error}"))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let err = thread::spawn(move || err.map(|pipe| copy_lines(pipe, io::stderr())).unwrap_or_default());
        let mut printed = out.map(|pipe| copy_lines(pipe, io::stdout())).unwrap_or_default();
        printed.push_str(&err.join().map_err(|_| "the output of cargo could not be read".to_owned())?);
        Ok((child, printed))
    }

    fn command(&self) -> std::process::Command {
        let mut command = cargo::cargo();
        command.args(&self.args).envs(self.environment);
        command
    }
}

/// The command as one would type it into a shell.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, value)) = self.environment {
            write!(f, "{name}='{value}' ")?;
        }
        write!(f, "cargo")?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

/// Steps in order, up to the first that fails.
#[derive(Debug, Default)]
pub(crate) struct Run {
    tally: Tally,
    took: Vec<(String, Duration)>,
}

impl Run {
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), Failure> {
        self.timed(&step.title, &step.to_string(), |tally| step.run(tally))
    }

    /// Runs what needs no process of its own; `repeat` is the command that does the same.
    pub(crate) fn task(
        &mut self,
        title: &str,
        repeat: &str,
        task: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.timed(title, repeat, |_| task())
    }

    pub(crate) fn skip(&mut self, title: &str, why: &str) {
        println!("\n=== {title}: skipped, {why}");
    }

    /// Tells where the time went and ends with the one line that counts: `12 passed, 0 failed`.
    ///
    /// The figures are tests. A step that failed for another reason, such as code that does not compile, counts as one
    /// failure, so that the line never looks better than the run was.
    pub(crate) fn finish(mut self, outcome: Result<(), Failure>) -> bool {
        println!("\n=== time");
        for (title, took) in &self.took {
            println!("{:>8.1} s  {title}", took.as_secs_f64());
        }
        if let Err(failure) = &outcome {
            println!("\n{failure}");
            self.tally.failed = self.tally.failed.max(1);
        }
        println!("\n{}", self.tally);
        outcome.is_ok()
    }

    fn timed(
        &mut self,
        title: &str,
        repeat: &str,
        run: impl FnOnce(&mut Tally) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        println!("\n=== {title}\n    {repeat}");
        let start = now();
        let outcome = run(&mut self.tally);
        self.took.push((title.to_owned(), start.elapsed()));
        outcome.map_err(|why| format!("{title} failed: {why}\n\nTo repeat it:\n\n    {repeat}"))
    }
}

/// Shows each line as it comes and keeps a copy.
fn copy_lines(from: impl Read, mut to: impl Write) -> String {
    let mut from = BufReader::new(from);
    let mut copy = Vec::new();
    loop {
        let start = copy.len();
        match from.read_until(b'\n', &mut copy) {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&copy).into_owned(),
            // A terminal that went away must not stop the run: its exit code still counts.
            Ok(_) => drop(to.write_all(&copy[start..]).and_then(|()| to.flush())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a step takes is shown to people, and decides nothing")]
fn now() -> Instant {
    Instant::now()
}
