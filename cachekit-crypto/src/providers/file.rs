//! [`FileKeys`]: master keys from a file.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use cachekit_core::{BackendFault, Error, ErrorCode, KeyProvider, KeyRing, Result};
use zeroize::Zeroizing;

use crate::hex;

/// Provides the master keys of a file, as secret stores mount them. It is read anew at each call.
///
/// One key per line, as hexadecimal text of at least 32 bytes: the current one, then the earlier ones, at most three.
/// Blank lines and spaces around a key do not count.
///
/// Whoever changes the file renames a complete one over it; one that is written in place may be read in the middle, which
/// is E002 or, cut between two lines, a ring that lacks earlier keys.
///
/// # Errors
/// E001 if there is no such file, or no key in it; E002 if a key is malformed, if there are more than three earlier ones,
/// or if the current one is among them; E066 if the file cannot be read. None shows a digit of a key.
///
/// # Cancellation
/// A call that is dropped lets the file be read to its end, and its keys be wiped.
///
/// # Panics
/// [`keys`](KeyProvider::keys), if polled outside a tokio runtime: it reads in a thread of its own.
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: PathBuf,
}

impl FileKeys {
    /// Provides the keys of the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn keys(&self) -> Result<KeyRing> {
        let path = self.path.clone();
        match tokio::task::spawn_blocking(move || read(&path)).await {
            Ok(ring) => ring,
            Err(error) => Err(failed("the thread that reads it ended early").with_source(error)),
        }
    }
}

fn read(path: &Path) -> Result<KeyRing> {
    let mut text = Zeroizing::new(String::with_capacity(MOST));
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::invalid(ErrorCode::E001, path.display(), "a file with a master key", "no file"));
        }
        Err(error) => return Err(failed(path.display()).with_source(error)),
    };
    // It never grows beyond what is set aside for it, so that no copy is left behind.
    match file.take(MOST as u64).read_to_string(&mut text) {
        Ok(MOST) => {
            return Err(Error::invalid(ErrorCode::E002, path.display(), "a file of a few lines", "64 KiB and more"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            let got = "bytes that are not UTF-8";
            return Err(Error::invalid(ErrorCode::E002, path.display(), "hexadecimal digits", got));
        }
        Err(error) => return Err(failed(path.display()).with_source(error)),
    }
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let mut keys = lines.map(|(n, line)| (format!("{}, line {}", path.display(), n + 1), line));
    match keys.next() {
        Some((name, current)) => hex::ring((&name, current), keys),
        None => Err(Error::invalid(ErrorCode::E001, path.display(), "a master key", "none")),
    }
}

fn failed(what: impl std::fmt::Display) -> Error {
    Error::backend("key file", BackendFault::Unknown, format!("master keys not read: {what}"))
}

const MOST: usize = 1 << 16;
