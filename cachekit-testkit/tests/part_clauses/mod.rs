//! The clauses of the contracts of a cache's smaller parts, read from their documentation.

use std::collections::BTreeSet;

use cachekit_testkit::conformance::PartRule;

/// The names of the clauses that stand in the documentation of the trait `declared` in `source`: its numbered ones, its
/// sections on errors and cancellation, and `methods`, which promise more than the clauses do.
pub(crate) fn of(contract: &str, source: &str, declared: &str, methods: &[&str]) -> BTreeSet<String> {
    let (before, after) = source.split_once(&format!("\n{declared}")).expect("the trait is declared");
    let above = before.lines().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut clauses = BTreeSet::new();
    let mut heading = "";
    for line in above.collect::<Vec<_>>().into_iter().rev().filter_map(|line| line.strip_prefix("/// ")) {
        if let Some(next) = line.strip_prefix("# ") {
            heading = next;
            match heading {
                "Errors" => drop(clauses.insert(format!("{contract}.errors"))),
                "Cancellation" => drop(clauses.insert(format!("{contract}.cancellation"))),
                // Each policy documents its neighbours: prose, which no call can show.
                "Contract" | "Position in the stack" => {}
                other => panic!("nobody has decided whether the section {other:?} needs a rule"),
            }
        } else if heading == "Contract"
            && let Some((number, _)) = line.split_once(". ")
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            clauses.insert(format!("{contract}.{number}"));
        }
    }
    for method in methods {
        assert!(after.contains(&format!("fn {method}(")), "no method {method} is declared");
        clauses.insert(format!("{contract}.{method}"));
    }
    assert!(clauses.contains(&format!("{contract}.1")), "{declared} has no clauses");
    clauses
}

/// Compares clauses and rules, and looks at how the rules are written.
pub(crate) fn compare(clauses: &BTreeSet<String>, rules: &[PartRule]) {
    let ruled: BTreeSet<String> = rules.iter().map(|rule| rule.id.rsplit_once('.').unwrap().0.to_owned()).collect();
    assert_eq!(ruled, *clauses);
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules.len(), "an id stands twice");
    for rule in rules {
        assert_eq!(rule.id.replace(['.', '-'], "_"), rule.name);
        assert!(rule.sentence.ends_with('.'), "{}", rule.id);
    }
}

#[test]
fn a_clause_more_would_be_noticed() {
    let source = "/// T.\n///\n/// # Contract\n/// 1. One\n///    and.\n/// 2. Two.\n///\n/// # Errors\n/// E.\n#[x]\npub trait T: X {\n    fn a(&self);\n}\n";
    let found = of("t", source, "pub trait T", &["a"]);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["t.1", "t.2", "t.a", "t.errors"]);
}
