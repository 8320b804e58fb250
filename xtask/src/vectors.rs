//! `cargo xtask vectors`: what CacheKit's Python client makes of our inputs, as `vectors/*.json`, which tests read.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::flags::Vectors;
use crate::python;
use crate::workspace;

pub(crate) fn run(asked: &Vectors) -> Result<ExitCode, String> {
    let kept = workspace::root().join("vectors");
    let made = python::made().join("vectors");
    make(&made, (!asked.fresh).then_some(&*kept))?;

    let changed = changed(&made, &kept)?;
    if asked.check {
        return match changed[..] {
            [] => Ok(ExitCode::SUCCESS),
            _ => Err(format!("`cargo xtask vectors` would change {}", changed.join(", "))),
        };
    }
    fs::create_dir_all(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    for name in &changed {
        let (from, to) = (made.join(name), kept.join(name));
        fs::copy(from, &to).map_err(|error| format!("{}: {error}", to.display()))?;
        println!("changed vectors/{name}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Fills the folder `made` with the vectors. What is sealed is taken from `kept`, for the client would draw new nonces.
fn make(made: &Path, kept: Option<&Path>) -> Result<(), String> {
    let interpreter = python::with_client()?;
    if made.exists() {
        fs::remove_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    }
    fs::create_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    let mut command = python::program(&interpreter);
    let status = command.args(["-m", "vectors"]).arg(made).args(kept).status();
    match status.map_err(|error| format!("Python did not start: {error}"))? {
        status if status.success() => Ok(()),
        status => Err(format!("the vectors could not be made ({status})")),
    }
}

/// The names of the files in `made` that are not the same in `kept`, in order.
fn changed(made: &Path, kept: &Path) -> Result<Vec<String>, String> {
    let told = |error| format!("{}: {error}", made.display());
    let mut changed = Vec::new();
    for entry in fs::read_dir(made).map_err(told)? {
        let entry = entry.map_err(told)?;
        let new = fs::read(entry.path()).map_err(told)?;
        if fs::read(kept.join(entry.file_name())).ok() != Some(new) {
            changed.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    changed.sort();
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_or_another_has_changed() {
        let folder = std::env::temp_dir().join(format!("vectors-{}", std::process::id()));
        let (made, kept) = (folder.join("made"), folder.join("kept"));
        for (name, text) in [("made/same", "a"), ("kept/same", "a"), ("made/other", "b"), ("kept/other", "a")] {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), text).unwrap();
        }
        fs::write(made.join("new"), "c").unwrap();
        assert_eq!(changed(&made, &kept).unwrap(), ["new", "other"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
