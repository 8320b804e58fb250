//! `cargo xtask interop`: hands over to the program that shares entries with CacheKit's Python client.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use crate::{cargo, programs, python};

pub(crate) fn run(asked: &[OsString]) -> Result<ExitCode, String> {
    let code = status(asked)?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// As a step of a longer run.
pub(crate) fn passes() -> Result<(), String> {
    let status = status(&[])?;
    if status.success() { Ok(()) } else { Err(format!("the two sides do not read each other ({status})")) }
}

fn status(asked: &[OsString]) -> Result<ExitStatus, String> {
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--package", "xtask-interop", "--"]);
    if !asked.iter().any(|argument| argument == "--help" || argument == "-h") {
        programs::REDIS.ensure()?;
        command.arg("--python").arg(python::with_client()?);
    }
    command.args(asked).status().map_err(|error| format!("cargo did not start: {error}"))
}
