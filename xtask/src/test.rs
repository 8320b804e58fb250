//! `cargo xtask test`: the one command that says whether this tree is sound.

use std::process::ExitCode;

use crate::cargo;
use crate::check;
use crate::flags::Vectors;
use crate::fuzz;
use crate::interop;
use crate::programs;
use crate::step::{Failure, Run, Step};
use crate::vectors;
use crate::workspace::{Member, Workspace};

const DENY_WARNINGS: &[&str] = &["--", "-D", "warnings"];

pub(crate) fn run() -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    let mut run = Run::default();
    let outcome = steps(&mut run, &workspace);
    Ok(if run.finish(outcome) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn steps(run: &mut Run, workspace: &Workspace) -> Result<(), Failure> {
    for program in [programs::REDIS, programs::MEMCACHED, programs::PYTHON, programs::COMPILER] {
        run.task(program.name(), "cargo xtask test", || program.ensure())?;
    }
    check::steps(run, workspace)?;
    tests(run, workspace)?;
    python_client(run)?;
    features(run, workspace)?;
    documentation(run, workspace)?;
    dependencies(run)?;
    fuzz::steps(run)
}

fn tests(run: &mut Run, workspace: &Workspace) -> Result<(), Failure> {
    let features = workspace.public_features();
    // Tests run the examples as a user does, so these are built first, as programs rather than as tests.
    run.step(&Step::new("examples", &["build", "--workspace", "--examples", "--features", &features]))?;
    run.step(&runner("tests", &["--workspace", "--lib", "--bins", "--tests", "--features", &features]))?;
    let doc = ["test", "--doc", "--workspace", "--no-fail-fast", "--features", &features];
    run.step(&Step::new("doc tests", &doc).counting_tests())?;
    for (member, Explored { feature, test, profile }) in explored(workspace) {
        let title = format!("{test} of {}", member.name);
        let args = ["-p", &member.name, "--features", feature, "--test", test];
        run.step(&runner(&title, &args).with_args(profile))?;
    }
    Ok(())
}

/// A test that explores interleavings, the feature that puts its tool's locks and atomics in place of std's, and how it
/// is to be built.
#[derive(Clone, Copy)]
struct Explored {
    feature: &'static str,
    test: &'static str,
    profile: &'static [&'static str],
}

/// The members that have such tests: at random by shuttle, every order by loom.
fn explored(workspace: &Workspace) -> impl Iterator<Item = (&Member, Explored)> {
    let those = [
        Explored { feature: "_shuttle", test: "interleavings", profile: &[] },
        Explored { feature: "_loom", test: "exhaustive", profile: &["--release"] },
    ];
    workspace.members.iter().flat_map(move |member| {
        let has = |explored: &Explored| {
            member.features.iter().any(|feature| feature == explored.feature)
                && member.tests.iter().any(|test| test == explored.test)
        };
        those.into_iter().filter(has).map(move |explored| (member, explored))
    })
}

/// Calls nextest where it is installed, else `cargo test`: both must pass, but nextest is quicker and says more.
fn runner(title: &str, args: &[&str]) -> Step {
    let runner: &[&str] =
        if cargo::has("nextest") { &["nextest", "run", "--retries", "0", "--status-level", "slow"] } else { &["test"] };
    Step::new(title, runner).with_args(&["--no-fail-fast"]).with_args(args).needing_tests()
}

/// What is shared with CacheKit's Python client.
fn python_client(run: &mut Run) -> Result<(), Failure> {
    let check = Vectors { check: true, fresh: false };
    run.task("vectors", "cargo xtask vectors --check", || vectors::run(&check).map(drop))?;
    run.task("entries shared with the Python client", "cargo xtask interop", interop::passes)
}

/// Core without its engine, and the door with each of its features alone, with none and with all.
fn features(run: &mut Run, workspace: &Workspace) -> Result<(), Failure> {
    let alone = |package, features| {
        let args = ["clippy", "-p", package, "--no-default-features", "--features", features];
        let args = if features.is_empty() { &args[..4] } else { &args[..] };
        let title = if features.is_empty() { "none" } else { features };
        Step::new(format!("features of {package}: {title}"), args).with_args(DENY_WARNINGS)
    };
    run.step(&alone("cachekit-core", ""))?;
    run.step(&alone("cachekit", ""))?;
    let door = workspace.member("cachekit").ok_or("the workspace has no member `cachekit`")?;
    for feature in door.public_features() {
        run.step(&alone("cachekit", feature))?;
    }
    let all: Vec<&str> = door.public_features().collect();
    if all.len() > 1 {
        run.step(&alone("cachekit", &all.join(",")))?;
    }
    Ok(())
}

fn documentation(run: &mut Run, workspace: &Workspace) -> Result<(), Failure> {
    let args = ["doc", "--workspace", "--no-deps", "--features", &workspace.public_features()];
    run.step(&Step::new("documentation", &args).with_environment("RUSTDOCFLAGS", "-D warnings"))
}

fn dependencies(run: &mut Run) -> Result<(), Failure> {
    let title = "licences and sources of dependencies";
    if cargo::has("deny") {
        run.step(&Step::new(title, &["deny", "check", "bans", "licenses", "sources"]))
    } else {
        run.skip(title, "for `cargo deny` is missing: `cargo install --locked cargo-deny` brings it");
        Ok(())
    }
}
