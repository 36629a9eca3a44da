//! Uses of `#[cached]` that the documentation allows and that do not compile: each file that fails is a finding.

#[test]
fn what_is_allowed_compiles() {
    trybuild::TestCases::new().pass("tests/rev6/*.rs");
}
