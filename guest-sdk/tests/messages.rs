//! What the compiler tells an author whose task is not one.

/// Each file in `ui/` fails to compile, with the words in the file beside it.
#[test]
fn mistakes_are_named() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
