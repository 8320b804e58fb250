//! [`Explanation`]: the long text of one code, and how it looks on a terminal.

use std::fmt;

use super::ErrorCode;

/// What the catalogue says about a code: [`ErrorCode::explain`].
///
/// The texts are plain sentences with commands and names between backticks, so that they also read as Markdown.
/// `Display` renders all of it for a terminal, in lines of at most 100 columns; a command is never broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The code that is explained.
    pub code: ErrorCode,
    /// What it means.
    pub meaning: &'static str,
    /// How it comes about, one cause each.
    pub causes: &'static [&'static str],
    /// How to fix it, one step each, with the commands to run.
    pub fixes: &'static [&'static str],
    /// How to keep it from happening again.
    pub avoid: &'static str,
    /// What a cached function does meanwhile.
    pub meanwhile: &'static str,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code;
        let addition = if code.is_addition() { ", an addition of the Rust implementation" } else { "" };
        writeln!(f, "{code} {} ({}{addition})", code.class(), code.kind())?;
        wrapped(f, "", code.title())?;
        writeln!(f)?;
        wrapped(f, "", self.meaning)?;
        writeln!(f, "\nHow it comes about:")?;
        for cause in self.causes {
            wrapped(f, "  - ", cause)?;
        }
        writeln!(f, "\nHow to fix it:")?;
        for (step, fix) in self.fixes.iter().enumerate() {
            wrapped(f, &format!("  {}. ", step + 1), fix)?;
        }
        writeln!(f, "\nHow to avoid it:")?;
        wrapped(f, "  ", self.avoid)?;
        writeln!(f, "\nMeanwhile:")?;
        wrapped(f, "  ", self.meanwhile)?;
        let counted = if code.trips_breaker() { "yes" } else { "no" };
        write!(f, "\nRetried: {}. Counted by the circuit breaker: {counted}.", code.retried())
    }
}

/// Writes `text` after `first`, later lines indented as far. It is broken at spaces, but not between backticks: a
/// command can be copied whole.
fn wrapped(f: &mut fmt::Formatter<'_>, first: &str, text: &str) -> fmt::Result {
    f.write_str(first)?;
    let mut column = first.len();
    let mut in_code = false;
    let words = text.split(|c: char| {
        in_code ^= c == '`';
        c == ' ' && !in_code
    });
    for (index, word) in words.enumerate() {
        let width = word.chars().count();
        if index > 0 {
            if column + 1 + width > WIDTH {
                write!(f, "\n{:indent$}", "", indent = first.len())?;
                column = first.len();
            } else {
                f.write_str(" ")?;
                column += 1;
            }
        }
        f.write_str(word)?;
        column += width;
    }
    writeln!(f)
}

const WIDTH: usize = 100;
