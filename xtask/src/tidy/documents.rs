//! What the documents at the root say about the tree: a path that they name exists.

use std::path::Path;

const DOCUMENTS: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

const EXTENSIONS: &[&str] = &["rs", "toml", "md", "json", "lock", "yml", "sh"];

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let path = root.join(document);
        if path.exists() {
            let exists = |named: &str| root.join(named).exists();
            found.extend(missing(document, &super::read(&path)?, exists));
        }
    }
    Ok(found)
}

/// Returns the paths that `text` names and that are not there.
fn missing(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let spans = line.split('`').skip(1).step_by(2).filter(|span| is_path(span, &exists));
        for named in spans.chain(links(line)).filter(|named| !exists(named)) {
            found.push(format!("{document}:{number}: names `{named}`, which does not exist"));
        }
    }
    found
}

/// A span of code is a path if it looks like one and like nothing else: `text/plain` and `Cache::get` do not.
fn is_path(span: &str, exists: impl Fn(&str) -> bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if span.is_empty() || !span.chars().all(plain) || span.starts_with('/') {
        return false;
    }
    let Some((first, rest)) = span.split_once('/') else {
        return span.contains('.') && has_known_extension(span);
    };
    // What a command makes is not there before it ran.
    first != "target" && (rest.is_empty() || has_known_extension(span) || exists(first))
}

fn has_known_extension(span: &str) -> bool {
    Path::new(span).extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

/// The targets of Markdown links that lead into the tree.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let local = |target: &&str| !(target.contains(':') || target.starts_with('#'));
    targets.filter(local).map(|target| target.split('#').next().unwrap_or(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let exists = |path: &str| ["xtask", "xtask/src", "xtask/src/main.rs", "LICENSE-MIT"].contains(&path);
        let found = missing("A.md", line, exists);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(&format!("`{expected}`")), "{found}");
        }
    }

    #[test]
    fn paths_in_spans_and_links_must_exist() {
        check("see `xtask/src/main.rs` and [it](xtask/src/main.rs#top), [MIT](LICENSE-MIT)", &[]);
        check("see `xtask/src/none.rs` or `none.toml`", &["xtask/src/none.rs", "none.toml"]);
        check("see `xtask/none` and [it](NONE)", &["xtask/none", "NONE"]);
    }

    #[test]
    fn what_is_no_path_is_left_alone() {
        check("`text/plain`, `Cache::get`, `redis://h/0`, `/etc/x.toml`, `a b.rs`, `1.5`, `T`", &[]);
        check("[a](https://example.org/a.rs) [b](#c) [`C`](crate::C)", &[]);
        check("```text\nnone.rs `none.rs`\n```", &[]);
    }
}
