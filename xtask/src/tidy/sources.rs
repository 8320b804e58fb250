//! What every Rust file keeps to.

/// Longer than this, a file is two concepts.
const MOST_LINES: usize = 600;

/// Each with the reason against it. Put together here, lest this file find itself untidy.
const UNWANTED: &[(&str, &str)] = &[
    (concat!("to", "do!("), "unfinished code does not compile away"),
    (concat!("unimple", "mented!("), "unfinished code does not compile away"),
    (concat!("db", "g!("), "left over from a search for a bug"),
    (concat!("#[ig", "nore"), "a test that cannot run fails; one that must not run is not there"),
    (concat!("```ig", "nore"), "an example that does not run is not an example: `no_run`, if it needs a server"),
];

/// Returns what is wrong with the file `path`.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // The front page of a crate may be its README.
    let opens = text.starts_with("//! ") || text.starts_with("#![doc = include_str!(");
    if !opens {
        found.push(format!("{path}: does not open with `//!` and the sentence that says which concept lives here"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        for (unwanted, reason) in UNWANTED.iter().filter(|(unwanted, _)| line.contains(unwanted)) {
            found.push(format!("{path}:{number}: `{unwanted}`: {reason}"));
        }
    }
    let lines = if path.contains("tests/") { 0 } else { lines_before_tests(text) };
    if lines > MOST_LINES {
        found.push(format!(
            "{path}: {lines} lines without its tests, more than {MOST_LINES}: which two concepts are these?"
        ));
    }
    found
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, expected: &[&str]) {
        let found = check(path, text);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn a_file_opens_with_its_concept() {
        check_one("a.rs", "//! A.\nfn a() {}\n", &[]);
        check_one("lib.rs", "#![doc = include_str!(\"../README.md\")]\n", &[]);
        check_one("a.rs", "fn a() {}\n", &["a.rs: does not open"]);
        check_one("a.rs", "", &["a.rs: does not open"]);
    }

    #[test]
    fn unwanted_words_are_found_on_their_line() {
        for (unwanted, _) in UNWANTED {
            check_one("a.rs", &format!("//! A.\n\n{unwanted}\n"), &["a.rs:3: "]);
        }
    }

    #[test]
    fn long_files_are_found_and_tests_do_not_count() {
        let long = format!("//! A.\n{}", "fn a() {}\n".repeat(MOST_LINES));
        check_one("a.rs", &long, &["a.rs: 601 lines"]);
        check_one("a/tests/a.rs", &long, &[]);
        check_one("a.rs", &format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(MOST_LINES)), &[]);
    }
}
