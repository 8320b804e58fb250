//! `cargo xtask check`: what can be told without running a test.

use std::process::ExitCode;

use crate::cargo;
use crate::step::{Failure, Run, Step};
use crate::tidy;
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    let mut run = Run::default();
    let outcome = steps(&mut run, &workspace);
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(failure) => Err(failure),
    }
}

/// The steps that `cargo xtask test` begins with as well.
pub(crate) fn steps(run: &mut Run, workspace: &Workspace) -> Result<(), Failure> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !cargo::has(subcommand) {
            return Err(format!("`cargo {subcommand}` is missing: install it with `rustup component add {component}`"));
        }
    }
    run.step(&Step::new("format", &["fmt", "--all", "--check"]))?;
    run.step(&Step::new("format of the benches", &["fmt", "--check", "--manifest-path", "bench/Cargo.toml"]))?;
    run.step(&Step::new("format of the fuzz targets", &["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]))?;
    run.task("tidy", "cargo xtask tidy", || tidy::check(workspace))?;
    let features = workspace.public_features();
    let clippy = ["clippy", "--workspace", "--all-targets", "--features", &features];
    run.step(&Step::new("lints", &clippy).with_args(&["--", "-D", "warnings"]))
}
