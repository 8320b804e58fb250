//! [`Folder`]: what the expensive function finds out about a folder.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is in a folder, all folders below it included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Folder {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) largest: String,
    pub(crate) largest_bytes: u64,
    pub(crate) hash: String,
}

/// Reads every file below `path`: work that is worth caching.
pub(crate) async fn read_folder(path: &Path) -> io::Result<Folder> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read_now(&path)).await.map_err(io::Error::other)?
}

fn read_now(root: &Path) -> io::Result<Folder> {
    let mut files = Vec::new();
    files_below(root, &mut files)?;
    files.sort();
    let mut folder = Folder { files: 0, lines: 0, largest: String::new(), largest_bytes: 0, hash: String::new() };
    let mut hash = Sha256::new();
    for path in files {
        let content = std::fs::read(&path)?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        folder.files += 1;
        folder.lines += content.iter().filter(|byte| **byte == b'\n').count() as u64;
        if content.len() as u64 > folder.largest_bytes {
            folder.largest_bytes = content.len() as u64;
            folder.largest = name.to_string();
        }
        // Lengths too, so that what ends one file cannot begin the next.
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(&content);
    }
    folder.hash = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(folder)
}

/// Follows no links: they may go round in circles.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files_below(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}
