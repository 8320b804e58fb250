//! No clause of the contracts is without a rule, and no rule without a clause.

use std::collections::{BTreeMap, BTreeSet};

use cachekit_testkit::conformance::{CLAUSES, rules};

/// Each contract: the name of its rules, the source, what is documented, and the heading above its numbered clauses.
const CONTRACTS: &[(&str, &str, &str, &str)] = &[
    ("key", include_str!("../../cachekit-core/src/contract/key.rs"), "pub struct Key(", "What a backend may rely on"),
    ("backend", include_str!("../../cachekit-core/src/contract/backend.rs"), "pub trait Backend:", "Contract"),
    ("fenced", ABILITIES, "pub trait Fenced:", "Contract"),
    ("expiring", ABILITIES, "pub trait Expiring:", "Contract"),
    ("clearable", ABILITIES, "pub trait Clearable:", "Contract"),
    ("watchable", ABILITIES, "pub trait Watchable:", "Contract"),
    ("counting", ABILITIES, "pub trait Counting:", "Contract"),
];

const ABILITIES: &str = include_str!("../../cachekit-core/src/contract/abilities.rs");

/// What else a contract promises in sections of its own, and the name of that clause. Wrappers are told how to forward
/// methods, which the compiler watches and no call can show.
const SECTIONS: &[(&str, &str)] =
    &[("Errors", "errors"), ("Cancellation", "cancellation"), ("Concurrency and ordering", "concurrency")];

/// Sections without a rule of their own, because the rules of `backend.errors` make these calls too, or none could.
const WITHOUT_RULES: &[&str] = &["key.errors"];

/// Methods whose documentation promises more than the clauses that it names.
const METHODS: &[(&str, &str)] = &[
    ("backend.name", "fn name("),
    ("backend.exists", "async fn exists("),
    ("backend.health", "async fn health("),
    ("backend.limits", "fn limits("),
    ("backend.abilities", "fn abilities("),
    ("backend.close", "async fn close("),
    ("watchable.next", "async fn next("),
];

#[test]
fn the_clauses_are_those_of_the_contracts() {
    let known: BTreeMap<String, String> = CLAUSES.iter().map(|(id, text)| (id.to_string(), text.to_string())).collect();
    assert_eq!(known.len(), CLAUSES.len(), "a clause stands twice in the table");
    let written = contracts();
    for (id, text) in &written {
        assert_eq!(known.get(id), Some(text), "the clause {id} is not in the table of clauses as the contract has it");
    }
    let gone: Vec<_> = known.keys().filter(|id| !written.contains_key(*id)).collect();
    assert!(gone.is_empty(), "the contracts no longer have the clauses {gone:?}");
}

#[test]
fn every_clause_has_a_rule_and_every_rule_a_clause() {
    let clauses: BTreeSet<&str> = CLAUSES.iter().map(|(id, _)| *id).collect();
    let ruled: BTreeSet<&str> = rules().iter().map(|rule| rule.id.rsplit_once('.').unwrap().0).collect();
    assert_eq!(ruled, clauses);
    for rule in rules() {
        assert!(!rule.clause().is_empty(), "{}", rule.id);
    }
}

#[test]
fn a_clause_more_or_less_would_be_noticed() {
    let source = "/// # Contract\n/// 1. One\n///    and [a](b).\n/// 2. Two [`C`].\n///\n/// # Errors\n/// E.\npub trait T: X {}\n";
    let found = of_contract("t", source, "pub trait T:", "Contract");
    let expected = [("t.1", "One and a."), ("t.2", "Two `C`."), ("t.errors", "E.")];
    assert_eq!(found, expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
}

fn contracts() -> BTreeMap<String, String> {
    let mut clauses = BTreeMap::new();
    for (name, source, declaration, heading) in CONTRACTS {
        clauses.extend(of_contract(name, source, declaration, heading));
    }
    clauses.retain(|id, _| !WITHOUT_RULES.contains(&id.as_str()));
    for (id, declaration) in METHODS {
        let contract = CONTRACTS.iter().find(|(name, ..)| id.split('.').next() == Some(name)).expect("a contract");
        let text = sections(contract.1, declaration).remove("").unwrap_or_default();
        clauses.insert(id.to_string(), plain(&text.join(" ")));
    }
    clauses
}

fn of_contract(name: &str, source: &str, declaration: &str, heading: &str) -> Vec<(String, String)> {
    let sections = sections(source, declaration);
    let mut clauses: Vec<(String, String)> = Vec::new();
    let numbered = sections.get(heading).unwrap_or_else(|| panic!("{declaration} has no section {heading:?}"));
    // A list ends with an empty line.
    for line in numbered.iter().take_while(|line| !line.trim().is_empty()) {
        match line.split_once(". ").filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit())) {
            Some((number, text)) => clauses.push((format!("{name}.{number}"), text.to_owned())),
            None => clauses.last_mut().expect("a list begins with a number").1.push_str(line),
        }
    }
    for (heading, clause) in SECTIONS {
        if let Some(lines) = sections.get(*heading) {
            clauses.push((format!("{name}.{clause}"), lines.join(" ")));
        }
    }
    assert!(!clauses.is_empty(), "{declaration} has no clauses");
    clauses.into_iter().map(|(id, text)| (id, plain(&text))).collect()
}

/// The documentation of what is declared, by headings.
fn sections<'a>(source: &'a str, declaration: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let at = lines.iter().position(|line| line.starts_with(declaration));
    let at = at.unwrap_or_else(|| panic!("{declaration:?} is declared nowhere"));
    let is_above = |line: &&&str| line.starts_with("///") || line.starts_with("#[");
    let above = lines[..at].iter().rev().take_while(is_above).count();
    let mut sections = BTreeMap::<&str, Vec<&str>>::new();
    let mut heading = "";
    for line in lines[at - above..at].iter().filter_map(|line| line.strip_prefix("///")) {
        match line.strip_prefix(" # ") {
            Some(next) => heading = next,
            None => sections.entry(heading).or_default().push(line.strip_prefix(' ').unwrap_or(line)),
        }
    }
    sections
}

/// Without the markup of links, on one line.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let (linked, after) = after.split_once(']').expect("a bracket is closed");
        plain.extend([before, linked]);
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_target, after)) => after,
            None => after,
        };
    }
    plain.push_str(rest);
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
