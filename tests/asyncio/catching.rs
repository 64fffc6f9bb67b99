//! `Catch`, and what an error gives back of the error that it was made of.

use std::fmt;

use callsoon::{Catch, Error, ErrorKind, create_task, yield_now};

use crate::driver::run;

#[test]
fn catch_passes_on_what_except_exception_does_not_catch() {
    let base = [ErrorKind::Cancelled, ErrorKind::GeneratorExit, ErrorKind::KeyboardInterrupt];
    for kind in base {
        let error = Error::new(kind, "on its way");
        let passed = Err::<(), _>(error.clone()).catch().unwrap_err();
        assert!(passed.ptr_eq(&error) && !error.is_exception(), "{kind}");
    }
    let kinds = [ErrorKind::Timeout, ErrorKind::Group, ErrorKind::StopAsyncIteration];
    for kind in kinds {
        let error = Error::new(kind, "caught");
        let caught = Err::<(), _>(error.clone()).catch().unwrap().unwrap_err();
        assert!(caught.ptr_eq(&error) && error.is_exception(), "{kind}");
    }
    assert_eq!(Ok(3).catch().unwrap().unwrap(), 3);
}

#[test]
fn catch_lets_a_task_that_tries_again_be_cancelled() {
    run(async {
        let task = create_task(async {
            loop {
                let tried = async {
                    yield_now().await?;
                    Err::<(), _>(Error::new(ErrorKind::Value, "again"))
                };
                if tried.await.catch()?.is_ok() {
                    return Ok(());
                }
            }
        });
        yield_now().await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn error_gives_its_own_error_back_by_value_once() {
    let error = Error::other(Outer("x".parse::<u8>().unwrap_err()));
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(chain, ["outer", "invalid digit found in string"]);
    assert_eq!(error.source().unwrap().to_string(), "outer");
    let other = error.clone();
    let shared = error.downcast::<Outer>().unwrap_err();
    assert!(shared.ptr_eq(&other), "another clone has it too");
    drop(shared);
    let wrong = other.downcast::<fmt::Error>().unwrap_err();
    assert!(wrong.downcast::<Outer>().is_ok());
    let plain = Error::new(ErrorKind::Value, "no error inside");
    assert_eq!(plain.chain().count(), 0);
    assert!(plain.source().is_none());
    assert_eq!(plain.downcast::<Outer>().unwrap_err().message(), "no error inside");
    assert_eq!(format!("{:>12}|", ErrorKind::Value), "  ValueError|");
}
