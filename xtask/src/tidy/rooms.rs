//! Which crate may know which: the arrows between the rooms point one way.

use crate::cargo;
use crate::workspace::{self, Workspace};

const PLUG_INS: &[&str] = &["cachekit-crypto", "cachekit-io", "cachekit-redis", "cachekit-serde"];

/// What core may bring along when only its contracts are asked for. No runtime, no format, no network, no cipher: a new
/// name here is a decision that every plug-in author pays for.
const CONTRACTS_ALONE: &[&str] = &[
    "async-trait", // and below it the four that every procedural macro brings; they run at build time only
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
    "bytes",
    "zeroize",
];

pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>, String> {
    let manifest = super::read(&workspace::root().join("Cargo.toml"))?;
    let tree =
        cargo::output(&["tree", "-p", "cachekit-core", "--no-default-features", "-e", "normal", "--prefix", "none"])?;
    let mut found = arrows(workspace);
    found.extend(members_without_comment(&manifest));
    found.extend(strangers_in_the_contracts(&tree));
    Ok(found)
}

/// Whether `crate_` may use `other` of ours. `None`: nobody has decided yet.
fn may_know(crate_: &str, other: &str) -> Option<bool> {
    match crate_ {
        "cachekit-core" | "cachekit-macros" => Some(false),
        "cachekit" => Some(other != "cachekit-testkit" && other != "xtask"),
        // The drills come in by the door that users come in by.
        "cachekit-testkit" => Some(["cachekit", "cachekit-core"].contains(&other) || PLUG_INS.contains(&other)),
        "xtask"
        | "xtask-conformance"
        | "xtask-interop"
        | "xtask-soak"
        | "cachekit-examples"
        | "cachekit-example-axum"
        | "cachekit-example-memcached"
        | "cachekit-example-redb" => Some(true),
        plug_in if PLUG_INS.contains(&plug_in) => Some(other == "cachekit-core"),
        _ => None,
    }
}

fn arrows(workspace: &Workspace) -> Vec<String> {
    let mut found = Vec::new();
    for member in &workspace.members {
        if may_know(&member.name, "").is_none() {
            found.push(format!("{}: say in {} what it may know", member.name, file!()));
        }
        for dependency in member.dependencies.iter().filter(|dependency| workspace.member(&dependency.name).is_some()) {
            let (name, other) = (&member.name, &dependency.name);
            if !dependency.dev && may_know(name, other) == Some(false) {
                found.push(format!("{name} depends on {other}: that arrow points the wrong way"));
            }
            // With a version, `cargo publish` would want the other crate published first, perhaps in a circle.
            let also_used = member.dependencies.iter().any(|used| !used.dev && used.name == *other);
            if dependency.dev && !also_used && dependency.versions != "*" {
                found.push(format!("{name} needs {other} for tests: name its path without a version"));
            }
        }
    }
    found
}

fn members_without_comment(manifest: &str) -> Vec<String> {
    let members = manifest.lines().skip_while(|line| !line.starts_with("members")).skip(1);
    let silent = members.take_while(|line| !line.starts_with(']')).filter(|line| {
        let comment = line.split_once('#').map_or("", |(_, comment)| comment);
        !line.trim().is_empty() && comment.trim().is_empty()
    });
    silent.map(|line| format!("Cargo.toml: {} lacks a comment that says what it is for", line.trim())).collect()
}

fn strangers_in_the_contracts(tree: &str) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut strangers: Vec<&str> =
        names.filter(|name| *name != "cachekit-core" && !CONTRACTS_ALONE.contains(name)).collect();
    strangers.sort_unstable();
    strangers.dedup();
    let say = |name| format!("cachekit-core without features brings {name}: its contracts must stay light");
    strangers.into_iter().map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Member};

    fn workspace(edges: &[(&str, &str, bool, &str)]) -> Workspace {
        let mut names: Vec<&str> = edges.iter().flat_map(|&(from, to, ..)| [from, to]).collect();
        names.sort_unstable();
        names.dedup();
        let of = |name: &str| {
            edges
                .iter()
                .filter(move |edge| edge.0 == name)
                .map(|&(_, to, dev, versions)| Dependency { name: to.into(), dev, versions: versions.into() })
                .collect()
        };
        let member = |name: &str| Member { name: name.into(), features: vec![], tests: vec![], dependencies: of(name) };
        Workspace { members: names.into_iter().map(member).collect() }
    }

    #[test]
    fn arrows_point_one_way() {
        let right = [
            ("cachekit", "cachekit-redis"),
            ("cachekit", "cachekit-macros"),
            ("cachekit-redis", "cachekit-core"),
            ("cachekit-testkit", "cachekit-io"),
            ("xtask", "cachekit"),
        ];
        for (from, to) in right {
            assert_eq!(arrows(&workspace(&[(from, to, false, "^0.1")])), [""; 0], "{from} {to}");
        }
        let wrong = [
            ("cachekit-core", "cachekit-serde"),
            ("cachekit-redis", "cachekit-io"),
            ("cachekit-macros", "cachekit-core"),
            ("cachekit", "cachekit-testkit"),
            ("cachekit-serde", "cachekit"),
        ];
        for (from, to) in wrong {
            assert_eq!(arrows(&workspace(&[(from, to, false, "^0.1")])).len(), 1, "{from} {to}");
        }
    }

    #[test]
    fn tests_may_know_anyone_by_path() {
        assert_eq!(arrows(&workspace(&[("cachekit-core", "cachekit-testkit", true, "*")])), [""; 0]);
        assert_eq!(arrows(&workspace(&[("cachekit-core", "cachekit-testkit", true, "^0.1")])).len(), 1);
        let used_as_well =
            [("cachekit-io", "cachekit-core", false, "^0.1"), ("cachekit-io", "cachekit-core", true, "^0.1")];
        assert_eq!(arrows(&workspace(&used_as_well)), [""; 0]);
    }

    #[test]
    fn a_new_crate_needs_a_decision() {
        assert_eq!(arrows(&workspace(&[("cachekit-new", "cachekit-core", false, "^0.1")])).len(), 1);
    }

    #[test]
    fn members_need_a_comment() {
        assert_eq!(members_without_comment("members = [\n    \"a\", # for a\n]\n"), [""; 0]);
        assert_eq!(members_without_comment("members = [\n    \"a\", #\n    \"b\",\n]\n[x]\n").len(), 2);
    }

    #[test]
    fn contracts_bring_nothing_unexpected() {
        assert_eq!(strangers_in_the_contracts("cachekit-core v0.1.0 (/x)\nbytes v1.12.2\nsyn v3.0.0 (*)\n"), [""; 0]);
        assert_eq!(strangers_in_the_contracts("bytes v1.12.2\ntokio v1.0.0\ntokio v1.0.0 (*)\n").len(), 1);
    }
}
