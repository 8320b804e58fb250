//! `cargo xtask fuzz`: builds the fuzz targets with coverage on stable Rust, runs them in turn, tells what they found.

mod outcome;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use self::outcome::{Outcome, table};
use crate::flags::Fuzz;
use crate::step::{Failure, Run};
use crate::{cargo, programs, workspace};

pub(crate) fn run(asked: &Fuzz) -> Result<ExitCode, String> {
    programs::COMPILER.ensure()?;
    let fuzz = Folder::find()?;
    let targets = fuzz.wanted(asked.target.as_deref())?;
    if !build().status().map_err(|error| format!("cargo did not start: {error}"))?.success() {
        return Err("the fuzz targets could not be built".into());
    }
    let seconds = share(asked.seconds, targets.len() as u64);
    Ok(if fuzz.run(&targets, seconds)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `cargo xtask test` does: builds all of them and runs each for a few seconds.
pub(crate) fn steps(run: &mut Run) -> Result<(), Failure> {
    let fuzz = Folder::find()?;
    let seconds = BRIEF * fuzz.targets.len() as u64;
    let repeat = format!("cargo xtask fuzz --seconds {seconds}");
    run.task("fuzz targets", &repeat, || match build().status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo ended with {status}")),
        Err(error) => Err(format!("cargo did not start: {error}")),
    })?;
    run.task("fuzz", &repeat, || match fuzz.run(&fuzz.targets, BRIEF)? {
        true => Ok(()),
        false => Err("a target found something".into()),
    })
}

/// The folder of the fuzz targets, which is a workspace of its own.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// Where the programs are.
    built: PathBuf,
    targets: Vec<String>,
}

impl Folder {
    /// Every program of the folder is a target.
    fn find() -> Result<Folder, String> {
        let printed = cargo::output(&["metadata", "--no-deps", "--format-version", "1", "--manifest-path", MANIFEST])?;
        let metadata: Value = serde_json::from_str(&printed).map_err(|error| format!("`cargo metadata`: {error}"))?;
        let targets = metadata["packages"][0]["targets"].as_array().into_iter().flatten();
        let programs = targets.filter(|target| target["kind"][0] == "bin");
        let mut targets: Vec<String> =
            programs.filter_map(|target| target["name"].as_str()).map(str::to_owned).collect();
        targets.sort();
        let folder = metadata["target_directory"].as_str().ok_or("`cargo metadata` tells no target directory")?;
        let built = PathBuf::from(folder).join(host()?).join("release");
        Ok(Folder { path: workspace::root().join("fuzz"), built, targets })
    }

    fn wanted(&self, name: Option<&str>) -> Result<Vec<String>, String> {
        match name {
            None => Ok(self.targets.clone()),
            Some(name) if self.targets.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
            Some(name) => Err(format!("there is no fuzz target `{name}`, but {}", self.targets.join(", "))),
        }
    }

    /// Runs each of `targets` for so long and returns whether all of them held. One that fails does not stop the others.
    fn run(&self, targets: &[String], seconds: u64) -> Result<bool, String> {
        let mut outcomes = Vec::new();
        for target in targets {
            println!("    {target}, {seconds} s");
            let outcome = self.run_one(target, seconds)?;
            if let Some(repeat) = &outcome.repeat {
                println!("\n{}\n\n{target} found something. To see it again:\n\n    {repeat}\n", outcome.last_words);
            }
            outcomes.push(outcome);
        }
        println!("\n{}", table(&outcomes));
        Ok(outcomes.iter().all(|outcome| outcome.repeat.is_none()))
    }

    fn run_one(&self, target: &str, seconds: u64) -> Result<Outcome, String> {
        let [corpus, seeds, artifacts] = ["corpus", "seeds", "artifacts"].map(|kind| self.path.join(kind).join(target));
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let program = self.built.join(target);
        let mut command = Command::new(&program);
        command.arg(format!("-max_total_time={seconds}")).args(LIMITS);
        command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(&corpus);
        if seeds.is_dir() {
            command.arg(&seeds);
        }
        let ran = command.stdin(Stdio::null()).stdout(Stdio::null()).output();
        let ran = ran.map_err(|error| format!("{} did not start: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&ran.stderr);
        let mut outcome = Outcome::read(target, &said);
        if !ran.status.success() {
            // Without an input there is something else wrong, such as a seed that cannot be read.
            let input = outcome.artifact.take().unwrap_or_default();
            outcome.repeat = Some(format!("{} {} {input}", program.display(), LIMITS.join(" ")).trim_end().to_owned());
        }
        Ok(outcome)
    }
}

/// Builds all targets with the coverage that libFuzzer goes by.
fn build() -> Command {
    let mut command = cargo::cargo();
    let host = host().unwrap_or_default();
    // Named as a target, the host's flags do not reach build scripts and macros.
    command.args(["build", "--release", "--manifest-path", MANIFEST, "--target", &host]);
    command.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", FLAGS);
    command
}

fn host() -> Result<String, String> {
    let said =
        Command::new("rustc").arg("-vV").output().map_err(|error| format!("`rustc -vV` did not start: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` tells no host".into())
}

/// How long each of so many targets runs.
fn share(seconds: Option<u64>, targets: u64) -> u64 {
    seconds.map_or(EACH, |seconds| seconds / targets.max(1)).max(1)
}

const MANIFEST: &str = "fuzz/Cargo.toml";

/// So many seconds each target runs, if nothing else is said.
const EACH: u64 = 60;

/// And so many in continuous integration: enough to see that it builds, and that no seed fails.
const BRIEF: u64 = 5;

/// Beyond these an input counts as a failure, too: half a gibibyte of memory, a minute. A busy machine may keep
/// a process waiting for many seconds.
const LIMITS: &[&str] = &["-max_len=4096", "-rss_limit_mb=512", "-timeout=60", "-print_final_stats=1"];

/// Coverage as the address sanitizer of nightly compilers would bring it along.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_shared_out_evenly_and_nobody_gets_none() {
        assert_eq!(share(None, 7), 60);
        assert_eq!(share(Some(70), 7), 10);
        assert_eq!(share(Some(3), 7), 1);
    }
}
