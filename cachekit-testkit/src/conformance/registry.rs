//! [`Rule`]: one thing that a contract asks for, and [`rules`]: all of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use cachekit_core::ErrorCode;

use super::case::Case;
use super::clauses::clause;
use super::outcome::Outcome;

/// One thing that a contract asks for, as a test.
///
/// Its [`id`](Self::id) says which clause: "backend.2.an-ended-entry-is-missing" belongs to the second clause of
/// [`Backend`](cachekit_core::Backend).
#[derive(Clone, Copy)]
pub struct Rule {
    /// The contract, the clause and what is asked: "backend.2.an-ended-entry-is-missing".
    pub id: &'static str,
    /// Whether it has to be kept.
    pub level: Level,
    /// The codes of the errors that it expects.
    pub codes: &'static [ErrorCode],
    /// What it asks, in one sentence.
    pub sentence: &'static str,
    /// The name of its function.
    #[doc(hidden)]
    pub name: &'static str,
    pub(super) run: for<'a> fn(&'a Case) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

impl Rule {
    /// The clause that it belongs to, as the contract has it.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        clause(self.id).unwrap_or_default()
    }

    /// Whether its id is what `pattern` says: the whole of it where there are `*`, each of which stands for any text, and
    /// otherwise a part of it.
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        matches(self.id, pattern)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("id", &self.id).field("level", &self.level).finish_non_exhaustive()
    }
}

/// Whether a rule has to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A backend that does not keep it is broken.
    Must,
    /// A backend that does not keep it needs a good reason. New rules are at this level for one minor release.
    Should,
    /// What a contract permits, and what has to be true of it then. A backend that does not keep it is told so.
    May,
}

impl Level {
    /// "MUST", "SHOULD" or "MAY".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

macro_rules! registry {
    ([] $($id:literal $file:ident $name:ident $level:ident [$($code:ident)*] $sentence:literal;)*) => {
        const RULES: &[Rule] = &[$(Rule {
            id: $id,
            level: Level::$level,
            codes: &[$(ErrorCode::$code),*],
            sentence: $sentence,
            name: stringify!($name),
            run: |case| Box::pin(super::rules::$file::$name(case)),
        }),*];
    };
}

crate::__backend_rules! { [registry] [] }

/// Every rule, in the order of the contracts.
#[must_use]
pub fn rules() -> &'static [Rule] {
    RULES
}

/// Whether `id` is what `pattern` says: the whole of it where there are `*`, each of which stands for any text, and
/// otherwise a part of it.
pub(crate) fn matches(id: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let (Some(first), Some(last)) = (parts.next(), parts.next_back()) else { return id.contains(pattern) };
    let Some(rest) = id.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    parts.try_fold(rest, |rest, part| rest.split_once(part).map(|(_, rest)| rest)).is_some()
}

/// The rule with this id.
pub(super) fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_functions_have_the_same_names() {
        for rule in rules() {
            assert_eq!(rule.id.replace(['.', '-'], "_"), rule.name);
            assert!(rule.sentence.ends_with('.'), "{}", rule.id);
        }
        let mut ids: Vec<_> = rules().iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rules().len());
    }

    #[test]
    fn patterns() {
        let id = "backend.2.never-does-not-end";
        let rule = rule(id).unwrap();
        for pattern in [id, "", "never", "*", "backend.2*", "*.2.*", "*end", "backend.*not*", "*a*e*t*"] {
            assert!(rule.matches(pattern), "{pattern}");
        }
        for pattern in ["backend", "backend.*"] {
            assert!(rule.matches(pattern));
        }
        for pattern in ["backend.3*", "never*", "*never", "fenced", "backend.2*backend*", "**x"] {
            assert!(!rule.matches(pattern), "{pattern}");
        }
    }
}
