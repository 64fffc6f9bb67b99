//! Programs of `mistakes` fail to compile, with the message kept beside each.

#[test]
fn mistakes_have_the_messages_that_are_kept() {
    trybuild::TestCases::new().compile_fail("mistakes/*.rs");
}
