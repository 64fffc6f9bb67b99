//! Programs of `mistakes` fail to compile, with the message kept beside each; those of `ports`, which
//! look like mistakes to a newcomer, compile and run.

#[test]
fn mistakes_have_the_messages_that_are_kept() {
    trybuild::TestCases::new().compile_fail("mistakes/*.rs");
}

#[test]
fn ports_compile_and_run() {
    trybuild::TestCases::new().pass("ports/*.rs");
}
