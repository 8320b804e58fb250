//! The table that the quickstart prints, a row as soon as it is known.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::Call;
use crate::folder::Folder;

/// From where a value came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    L1,
    Backend,
    Computed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::L1 => "L1",
            Self::Backend => "backend",
            Self::Computed => "computed",
        })
    }
}

/// One folder, asked for twice.
pub(crate) struct Row {
    name: String,
    folder: Folder,
    cold: (Duration, Source),
    warm: (Duration, Source),
}

impl Row {
    pub(crate) fn new(root: &Path, path: &str, cold: &Call, warm: &Call) -> Self {
        let name = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path)).display().to_string();
        Self { name, folder: cold.folder.clone(), cold: (cold.took, cold.source), warm: (warm.took, warm.source) }
    }

    pub(crate) fn print(&self) {
        let Self { name, folder, cold, warm } = self;
        let largest = folder.largest.rsplit('/').next().unwrap_or_default();
        println!(
            "{:<34} {:>6} {:>9}  {:<24} {}  {:>9} {:<8} {:>9} {:<8}",
            cut(name, 34),
            folder.files,
            folder.lines,
            cut(largest, 24),
            folder.hash,
            short(cold.0),
            cold.1,
            short(warm.0),
            warm.1
        );
    }
}

pub(crate) fn header() {
    println!(
        "{:<34} {:>6} {:>9}  {:<24} {:<16}  {:>9} {:<8} {:>9} {:<8}",
        "folder", "files", "lines", "largest file", "content", "first", "from", "second", "from"
    );
}

pub(crate) fn totals(rows: &[Row]) {
    let sum = |time: fn(&Row) -> Duration| rows.iter().map(time).sum::<Duration>();
    let (cold, warm) = (sum(|row| row.cold.0), sum(|row| row.warm.0));
    let from = |source| {
        let calls = rows.iter().flat_map(|row| [row.cold.1, row.warm.1]);
        calls.filter(|called| *called == source).count()
    };
    println!(
        "\nfirst calls {}, second calls {}: {} computed, {} from the backend, {} from L1",
        short(cold),
        short(warm),
        from(Source::Computed),
        from(Source::Backend),
        from(Source::L1)
    );
}

/// A time in a unit that a person reads at once.
fn short(time: Duration) -> String {
    let (micros, unit) = (time.as_secs_f64() * 1e6, |value: f64, unit: &str| format!("{value:.1} {unit}"));
    match micros {
        _ if micros < 1e3 => unit(micros, "µs"),
        _ if micros < 1e6 => unit(micros / 1e3, "ms"),
        _ => unit(micros / 1e6, "s"),
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
