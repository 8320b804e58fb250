//! The conformance suite: what the contracts ask of a [`Backend`](cachekit_core::Backend), rule by rule.
//!
//! A backend's author writes a [`Fixture`], or takes one of those that are here, and one line:
//!
//! ```
//! use cachekit_testkit::conformance::MemoryFixture;
//!
//! cachekit_testkit::conformance!(MemoryFixture::by_hand());
//! # fn main() {}
//! ```
//!
//! It makes a test for each rule, so that a red name is a diagnosis. [`run`] gives the same as a [`Report`] to those who have
//! no test harness. Abilities that are offered are tested; the rules of those that are not are skipped, which the report
//! says with the reason.
//!
//! Each rule belongs to a clause of a contract, by which it is named; [`clause`] has the text. The suite has a
//! [version](Report::VERSION) of its own; what becomes a MUST is a SHOULD for one minor release first.

mod case;
mod clauses;
mod fixture;
pub mod key_provider;
mod outcome;
mod part;
pub mod policy;
#[cfg(unix)] // as the server that it starts
mod redis;
mod registry;
mod report;
mod rules;
pub mod serializer;
mod suite;
mod table;

pub use self::clauses::{CLAUSES, clause};
pub use self::fixture::{Fixture, Illness, MemoryFixture, Profile, Shared, Time};
pub use self::part::{PartFinding, PartReport, PartRule};
#[cfg(unix)]
pub use self::redis::RedisFixture;
#[cfg(all(unix, feature = "drills"))] // drills are chosen as rules are
pub(crate) use self::registry::matches;
pub use self::registry::{Level, Rule, rules};
pub use self::report::{BackendReport, Finding, Report, Status};
#[doc(hidden)]
pub use self::suite::test;
pub use self::suite::{Suite, run};

/// Makes a `#[test]` for each rule of the suite, run against a fixture that the expression makes anew for each.
///
/// The expression is evaluated on a tokio runtime and may `.await`. With `, seed = 7` behind it, the values of that seed are
/// made up again, as a failure tells.
///
/// A test fails if a MUST is not kept. What a SHOULD or a MAY found, and why a rule was skipped, goes to the standard error.
///
/// ```
/// use cachekit_testkit::conformance::MemoryFixture;
///
/// cachekit_testkit::conformance!(MemoryFixture::by_hand(), seed = 7);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    ($fixture:expr $(,)?) => {
        $crate::__backend_rules! { [$crate::__conformance_tests] [(::core::option::Option::None) $fixture] }
    };
    ($fixture:expr, seed = $seed:expr $(,)?) => {
        $crate::__backend_rules! { [$crate::__conformance_tests] [(::core::option::Option::Some($seed)) $fixture] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$seed:tt $fixture:expr] $($id:literal $file:ident $name:ident $level:ident [$($code:ident)*] $sentence:literal;)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::test($id, $seed, async || $fixture);
            }
        )*
    };
}
