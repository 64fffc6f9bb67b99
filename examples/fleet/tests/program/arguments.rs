//! The program's complaints about arguments that make no sense, and about things it can't use.

use std::net::UdpSocket;

use crate::running::{fresh, run};

#[test]
fn arguments_that_make_no_sense_are_told_so() {
    for (arguments, complaint) in [
        (&["--devices", "0"][..], "0 is not in 1..=1000000"),
        (&["--devices", "many"], "invalid value 'many'"),
        (&["--loss", "101"], "101 is not in 0..=100"),
        (&["--seconds", "0"], "a number of seconds is needed, above 0"),
        (&["--seconds", "nan"], "a number of seconds is needed, above 0"),
        (&["--target", "kitchen"], "an IP address is needed"),
        (&["--target", "127.0.0.1", "--devices", "2"], "cannot be used with"),
        (&["--port", "70000", "--simulate-only"], "70000 is not in 0..=65535"),
        (&["--port", "1000"], "--simulate-only"),
        (&["--simulate-only", "--json"], "cannot be used with"),
        (&["--set-power", "dim"], "[possible values: on, off]"),
        (&["--set-color", "1,2,3,4"], "the saturation lies from 0 to 1"),
        (&["--verbose"], "unexpected argument"),
    ] {
        let (code, output, errors) = run(arguments);
        assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}: {errors}");
        assert!(errors.contains(complaint), "{arguments:?}: {errors}");
    }
}

#[test]
fn help_explains_exit_codes_and_its_short_form_is_short() {
    let (code, output, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for words in ["Exit codes:", "  3    a light didn't answer", "  130  interrupted"] {
        assert!(output.contains(words), "{output}");
    }
    let (code, short, _) = run(&["-h"]);
    assert_eq!(code, 0);
    assert!(short.lines().count() * 2 < output.lines().count(), "{short}");
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, errors) = run(&["--simulate-only", "--port", &port]);
    assert_eq!(code, 1);
    assert!(errors.starts_with(&format!("fleet: 127.0.0.1:{port} can't be used: ")), "{errors}");
}

/// The lights' answers are shown all the same.
#[test]
fn a_database_that_cannot_be_used_is_an_error() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let file = fresh("no-database.sqlite");
    std::fs::write(&file, "this is some text, and it is no database at all".repeat(50)).unwrap();
    for path in [folder, file.to_str().unwrap(), "/no/such/folder/fleet.sqlite", "/proc/fleet"] {
        let (code, output, errors) = run(&["--devices", "2", "--loss", "0", "--database", path]);
        assert_eq!(code, 1, "{errors}");
        assert!(output.contains("2 of 2 lights answered"), "{output}");
        assert!(output.contains(&format!("nothing of it is written to {path}")), "{output}");
        let last = errors.lines().last().unwrap();
        let expected = format!("the database {path} can't be used: ");
        assert!(last.starts_with(&format!("fleet: {expected}")), "{errors}");
        // The error is shown before the search, too, which may take a while.
        assert!(errors.lines().any(|line| line.starts_with(&expected)), "{errors}");
    }
}

#[test]
fn a_target_that_nothing_can_be_sent_to_is_an_error() {
    let database = fresh("no-target.sqlite");
    let database = database.to_str().unwrap();
    let (code, output, errors) = run(&["--target", "127.0.0.1:0", "--database", database]);
    assert_eq!(code, 1);
    assert!(output.contains("failed: 0 of 0 lights answered"), "{output}");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("fleet: nothing can be sent to 127.0.0.1:0: "), "{errors}");
}
