//! `cargo xtask conformance`: hands over to the program that knows the backends, so that this one builds without them.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{cargo, programs};

pub(crate) fn run(asked: &[OsString]) -> Result<ExitCode, String> {
    let says = |word: &str| asked.iter().any(|argument| argument.to_string_lossy().split('=').any(|part| part == word));
    let everything = !says("--backend") && !says("--suite");
    let of_redis = says("redis") || says("errors") || (says("backend") && !says("memory"));
    let needs_redis = !(says("--list") || says("--help") || says("-h")) && (everything || of_redis);
    // Bringing it prints what is being done, and a report in JSON is to be alone. Without it the run says what is missing.
    if needs_redis && !says("json") {
        programs::REDIS.ensure()?;
    }
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--package", "xtask-conformance", "--"]).args(asked);
    let status = command.status().map_err(|error| format!("cargo did not start: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
