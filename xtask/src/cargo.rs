//! Cargo as a child process that does not notice that it was started by `cargo run`.

use std::process::{Command, Stdio};

use crate::workspace;

/// Returns `cargo`, set to run at the root of the repository.
///
/// `cargo run` describes xtask to its child in variables such as `CARGO_MANIFEST_DIR`. Some build scripts watch these,
/// so handing them on would build their crates anew for xtask, and once more for the next plain `cargo build`.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_the_running_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Returns whether the subcommand `name` answers, such as `nextest` or `clippy`.
pub(crate) fn has(name: &str) -> bool {
    let asked = cargo().args([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Runs cargo for what it prints.
pub(crate) fn output(args: &[&str]) -> Result<String, String> {
    let line = format!("cargo {}", args.join(" "));
    let output = cargo().args(args).output().map_err(|error| format!("`{line}` did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` printed what is not UTF-8"))
}

fn describes_the_running_package(name: &str) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
