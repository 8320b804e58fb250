//! `cargo xtask bench`: hands over to the bench workspace, which knows our peers and has its own lock file.

use std::process::ExitCode;

use crate::cargo;
use crate::flags::Bench;

pub(crate) fn run(asked: &Bench) -> Result<ExitCode, String> {
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--release", "--manifest-path", "bench/Cargo.toml", "--"]).args(&asked.name);
    if asked.json {
        command.args(["--format", "json"]);
    }
    let status = command.status().map_err(|error| format!("cargo did not start: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
