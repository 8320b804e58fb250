//! `cargo xtask tidy`: the rules of this repository that no compiler knows. They also run as a test.

mod documents;
mod rooms;
mod secrets;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::workspace::{self, Workspace};

pub(crate) fn run() -> Result<ExitCode, String> {
    check(&Workspace::load()?)?;
    println!("tidy");
    Ok(ExitCode::SUCCESS)
}

/// Returns all that is untidy, one line each.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let root = workspace::root();
    let mut found = Vec::new();
    for path in rust_files(root)? {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let text = read(&path)?;
        found.extend(sources::check(&shown, &text));
        found.extend(secrets::check(&shown, &text));
    }
    found.extend(documents::check(root)?);
    found.extend(rooms::check(workspace)?);
    if found.is_empty() { Ok(()) } else { Err(format!("untidy\n  {}", found.join("\n  "))) }
}

/// Returns the Rust files below `folder`, apart from what was built or is hidden.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = folder.display();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{shown}: {error}"))? {
        let path = entry.map_err(|error| format!("{shown}: {error}"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                files.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        check(&Workspace::load().unwrap()).unwrap_or_else(|found| panic!("{found}"));
    }
}
