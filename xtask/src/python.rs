//! CacheKit's Python client, pinned, in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs;
use crate::workspace;

/// The folder of our own Python programs.
pub(crate) fn sources() -> PathBuf {
    workspace::root().join("xtask/interop/python")
}

/// Where what they make goes.
pub(crate) fn made() -> PathBuf {
    workspace::root().join("target/interop")
}

/// Returns the interpreter of the environment, which is made first unless it is there as it should be.
pub(crate) fn with_client() -> Result<PathBuf, String> {
    programs::PYTHON.ensure()?;
    let pinned = workspace::root().join("xtask/interop/requirements.txt");
    let requirements = fs::read_to_string(&pinned).map_err(|error| format!("{}: {error}", pinned.display()))?;
    let wanted = format!("{}\n{requirements}", version("python3".as_ref())?);
    let environment = made().join("venv");
    let (interpreter, stamp) = (environment.join("bin/python"), environment.join("made-from"));
    // The stamp is written last, so an environment that was given up on has none. An interpreter that was removed or
    // replaced since has another version, or none.
    let is_there = fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted);
    if is_there && version(&interpreter).is_ok_and(|version| wanted.starts_with(&version)) {
        return Ok(interpreter);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment).map_err(|error| format!("{}: {error}", environment.display()))?;
    }
    eprintln!("    making {} with what {} pins", environment.display(), pinned.display());
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment), "the virtual environment could not be made")?;
    let mut pip = Command::new(&interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--timeout", "30", "--retries", "2", "--require-hashes", "--only-binary", ":all:", "--requirement"]);
    run(
        pip.arg(&pinned),
        "CacheKit's Python client could not be installed: this needs PyPI, or a mirror that pip knows",
    )?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(interpreter)
}

/// Returns `interpreter`, set to run our own programs, with nothing of what the environment says.
pub(crate) fn program(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.current_dir(sources()).env_clear().envs([("PYTHONUTF8", "1"), ("PYTHONDONTWRITEBYTECODE", "1")]);
    command
}

fn run(command: &mut Command, otherwise: &str) -> Result<(), String> {
    // A path of modules that is meant for another Python breaks this one.
    let status = command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{otherwise} ({status})")),
        Err(error) => Err(format!("{otherwise}: {error}")),
    }
}

fn version(interpreter: &Path) -> Result<String, String> {
    let name = interpreter.display();
    let output = Command::new(interpreter).arg("-VV").output().map_err(|error| format!("`{name}`: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("`{name} -VV` ended with {}", output.status)),
    }
}
