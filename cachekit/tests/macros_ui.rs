//! What `#[cache]` and `#[derive(IntoKey)]` refuse, and in which words.

#[test]
fn refusals_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
