//! `cargo xtask new-backend`: writes a plug-in crate to begin with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::flags::NewBackend;
use crate::workspace;

pub(crate) fn run(asked: &NewBackend) -> Result<ExitCode, String> {
    let folder = match &asked.folder {
        Some(folder) => folder.clone(),
        None => workspace::root().parent().unwrap_or(workspace::root()).join(format!("cachekit-{}", asked.name)),
    };
    let cachekit = match &asked.cachekit {
        Some(path) => path.clone(),
        None => workspace::root().to_owned(),
    };
    write(&asked.name, &folder, &cachekit)?;
    println!("{} is there: its README.md says what is to be written", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes the crate into `folder`, which must not exist. `cachekit` is where it finds the crates of this repository.
fn write(name: &str, folder: &Path, cachekit: &Path) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let words: Vec<&str> = name.split('-').collect();
    let well_formed = name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && words.iter().all(|word| !word.is_empty() && word.chars().all(plain));
    if !well_formed {
        return Err(format!(
            "name of the backend: expected a-z, 0-9 and single - between them, as in `redb`, got `{name}`"
        ));
    }
    if folder.exists() {
        return Err(format!("{} exists already, and nothing is written over", folder.display()));
    }
    let type_name: String = words.iter().map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let cachekit = cachekit.display().to_string();
    for (path, template) in TEMPLATES {
        let path: PathBuf = folder.join(path);
        let text = template
            .replace("cachekit_NAME", &format!("cachekit_{}", name.replace('-', "_")))
            .replace("CACHEKIT", &cachekit.replace('\\', "/"))
            .replace("TYPE", &type_name);
        let text = if path.extension().is_some_and(|extension| extension == "rs") {
            text.replace("in NAME.", &format!("in {name}.")).replace("\"NAME_\"", &format!("\"{name}\""))
        } else {
            text.replace("NAME", name)
        };
        let written = fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| fs::write(&path, text));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

const TEMPLATES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("new_backend/Cargo.toml.tmpl")),
    ("README.md", include_str!("new_backend/README.md.tmpl")),
    ("src/lib.rs", include_str!("new_backend/lib.rs.tmpl")),
    ("tests/conformance.rs", include_str!("new_backend/conformance.rs.tmpl")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    #[test]
    fn what_is_written_compiles_with_its_tests() {
        let folder = std::env::temp_dir().join(format!("cachekit-new-backend-{}", std::process::id()));
        let written = write("two-words", &folder, workspace::root());
        // The versions that are there already, so that nothing has to be fetched.
        let locked = fs::copy(workspace::root().join("Cargo.lock"), folder.join("Cargo.lock"));
        let mut check = cargo::cargo();
        check
            .args(["check", "--quiet", "--offline", "--all-targets", "--manifest-path"])
            .arg(folder.join("Cargo.toml"));
        let checked = check.arg("--target-dir").arg(folder.join("target")).output();
        let left = fs::remove_dir_all(&folder);
        written.unwrap();
        locked.unwrap();
        left.unwrap();
        let checked = checked.unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}");
        assert!(!said.contains("warning"), "{said}");
    }

    #[test]
    fn names_that_no_crate_has_are_refused_and_nothing_is_written_over() {
        for name in ["", "Redb", "1st", "a--b", "-a", "a-", "a_b", "ä", "../a"] {
            let error = write(name, Path::new("/nowhere"), Path::new("/")).unwrap_err();
            assert!(error.contains("expected a-z"), "{error}");
        }
        let error = write("redb", workspace::root(), Path::new("/")).unwrap_err();
        assert!(error.contains("exists already"), "{error}");
    }
}
