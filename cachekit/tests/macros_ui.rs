//! What `#[cache]` and the derives refuse, and in which words.

#[test]
fn refusals_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[cfg(feature = "interop")]
#[test]
fn refusals_say_what_other_languages_know() {
    trybuild::TestCases::new().compile_fail("tests/ui_interop/*.rs");
}
