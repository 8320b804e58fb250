//! The main job on real input: an expensive function over a source tree, cached.
//!
//! `cargo run --example quickstart [-- DIR]` reads every folder below DIR (by default the sources that cargo has
//! fetched on this machine), cold and then warm, and then lets 500 callers ask for one cold folder at once. With
//! `CACHEKIT_REDIS_URL` set, a second run finds the values of the first.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

mod folder;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cachekit::prelude::*;
use folder::{Folder, read_folder};
use table::{Row, Source};

/// The expensive function. The line above it is all that caching asks for.
#[cache(ttl = "10m", namespace = "quickstart-folders", key = "{path}")]
async fn folder(path: &str) -> std::io::Result<Folder> {
    read_folder(Path::new(path)).await
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether every value was right.
async fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let cache = Cache::from_env().await?;
    cachekit::install(cache.clone())?;
    let root = root()?;
    let folders = folders_of(&root)?;
    let backend = cache.backend().map_or_else(|| "L1 only".to_owned(), |backend| format!("L1 and {}", backend.name()));
    println!("{} folders of {}, cached in {backend}\n", folders.len(), root.display());

    table::header();
    let mut rows = Vec::new();
    let mut wrong = 0_usize;
    for path in &folders {
        let cold = measure(&cache, path).await?;
        let warm = measure(&cache, path).await?;
        wrong += usize::from(cold.folder != warm.folder || cold.folder != read_folder(Path::new(path)).await?);
        let row = Row::new(&root, path, &cold, &warm);
        row.print();
        rows.push(row);
    }
    table::totals(&rows);

    let stampede = stampede(&folders[0]).await?;
    println!("\n{stampede}");
    println!("\n{} of {} values right. Cache: {}", rows.len() - wrong.min(rows.len()), rows.len(), cache.status());
    cache.close(Duration::from_secs(2)).await;
    Ok(wrong == 0)
}

/// A call, how long it took, and from where its value came.
struct Call {
    folder: Folder,
    took: Duration,
    source: Source,
}

async fn measure(cache: &Cache, path: &str) -> std::io::Result<Call> {
    let before = cache.stats();
    #[expect(clippy::disallowed_methods, reason = "what is shown is real time")]
    let start = Instant::now();
    let folder = folder(path).await?;
    let took = start.elapsed();
    let after = cache.stats();
    let source = if after.loads > before.loads {
        Source::Computed
    } else if after.backend_hits > before.backend_hits {
        Source::Backend
    } else {
        Source::L1
    };
    Ok(Call { folder, took, source })
}

/// Lets 500 callers ask at once for a folder that nobody has asked for, in a cache of its own.
async fn stampede(path: &str) -> Result<String, Box<dyn std::error::Error>> {
    const CALLERS: usize = 500;
    let cache = Cache::builder().build()?;
    #[expect(clippy::disallowed_methods, reason = "what is shown is real time")]
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (cache, path) = (cache.clone(), path.to_owned());
            tokio::spawn(cachekit::scope(cache, async move { folder(&path).await }))
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    let (took, stats) = (start.elapsed(), cache.stats());
    Ok(format!("{CALLERS} callers of one cold key: {} execution(s), all answered after {took:.1?}", stats.loads))
}

/// The folder that was named, or where cargo keeps the sources that it has fetched.
fn root() -> Result<PathBuf, Box<dyn std::error::Error>> {
    if let Some(named) = std::env::args_os().nth(1) {
        return Ok(PathBuf::from(named));
    }
    #[expect(clippy::disallowed_methods, reason = "where cargo keeps its sources is told by the environment")]
    let cargo = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .ok_or("cargo's folder is not known: name one, `cargo run --example quickstart -- DIR`")?;
    let sources = cargo.join("registry").join("src");
    let mut registries: Vec<PathBuf> =
        std::fs::read_dir(&sources)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    registries.sort();
    registries.pop().ok_or_else(|| format!("nothing below {}: name a folder", sources.display()).into())
}

fn folders_of(root: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path.to_str().ok_or_else(|| format!("{}: not UTF-8", path.display()))?.to_owned());
        }
    }
    folders.sort();
    if folders.is_empty() {
        return Err(format!("{}: expected folders in it, got none", root.display()).into());
    }
    Ok(folders)
}
