//! What does not compile, and what is said of it.

#[test]
fn every_misuse_is_refused_with_the_fix() {
    // Where the compiler is another than the one in `rust-version`, its own words differ:
    // `TRYBUILD=overwrite cargo test -p larder-macros` writes them anew, to be read before they are kept.
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
