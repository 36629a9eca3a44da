//! What compiles, though it is written in an unusual way.

#[test]
fn every_use_compiles() {
    trybuild::TestCases::new().pass("tests/pass/*.rs");
}
