//! `cargo xtask soak`: hands over to the program that knows the trials, so that this one builds without what is tried.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{cargo, programs};

pub(crate) fn run(asked: &[OsString]) -> Result<ExitCode, String> {
    if !asked.iter().any(|argument| argument == "--help" || argument == "-h") {
        programs::REDIS.ensure()?;
    }
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--release", "--package", "xtask-soak", "--"]).args(asked);
    let status = command.status().map_err(|error| format!("cargo did not start: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
