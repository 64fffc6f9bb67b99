//! [`go_without`]: tools of the machine that a test needs.

use std::env;

/// The tools that the tests are to go without, with spaces between. Whatever sets it says what was
/// skipped, as `.ci/run` does.
const WITHOUT: &str = "CALLSOON_WITHOUT";

/// Fails, unless the tests are told to go without `tool`: a test that passes has done what it is for.
#[track_caller]
pub(crate) fn go_without(tool: &str) {
    let without = env::var(WITHOUT).unwrap_or_default();
    let told = without.split_whitespace().any(|word| word == tool);
    assert!(told, "no {tool} is here, or it fails; {WITHOUT}={tool} runs the tests without it");
}
