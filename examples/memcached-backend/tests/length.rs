//! A backend is short: under sixty lines of code.

#[test]
fn the_backend_is_under_sixty_lines_of_code() {
    // Neither comments, nor empty lines, nor the list of what is imported.
    let is_code = |line: &&str| !(line.is_empty() || line.starts_with("//") || line.starts_with("use "));
    let lines = include_str!("../src/lib.rs").lines().map(str::trim).filter(is_code).count();
    assert!(lines < 60, "{lines} lines");
}
