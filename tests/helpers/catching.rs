//! Where helpers leave the errors that they don't return.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use callsoon::helpers::{self as hp, ErrorCatcher};
use callsoon::{Error, ErrorKind, Result, TaskGroup};

use crate::parts::{error, kind};
use crate::support::log_lines::log_lines_of;

#[test]
fn a_list_keeps_every_error_in_order() -> Result<()> {
    let list = Rc::new(RefCell::new(Vec::new()));
    for error in ["one", "two", "one"] {
        hp::add_error(&list, error)?;
    }
    assert_eq!(*list.borrow(), ["one", "two", "one"]);
    Ok(())
}

#[test]
fn a_set_keeps_each_error_once() -> Result<()> {
    let set = Rc::new(RefCell::new(BTreeSet::new()));
    for error in ["two", "one", "two"] {
        hp::add_error(&set, error)?;
    }
    assert_eq!(set.borrow().iter().copied().collect::<Vec<_>>(), ["one", "two"]);
    Ok(())
}

/// An error that equals others of its number.
struct Numbered {
    number: i32,
    text: &'static str,
    set: Weak<RefCell<BTreeSet<Numbered>>>,
}

impl Drop for Numbered {
    /// The set may be looked at, as no borrow of it is held.
    fn drop(&mut self) {
        if let Some(set) = self.set.upgrade() {
            assert_eq!(set.try_borrow_mut().map(|set| set.len()).ok(), Some(1));
        }
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Numbered) -> bool {
        self.number == other.number
    }
}

impl Eq for Numbered {}

impl PartialOrd for Numbered {
    fn partial_cmp(&self, other: &Numbered) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numbered {
    fn cmp(&self, other: &Numbered) -> Ordering {
        self.number.cmp(&other.number)
    }
}

#[test]
fn set_keeps_the_first_of_equal_errors() -> Result<()> {
    let set = Rc::new(RefCell::new(BTreeSet::new()));
    for text in ["first", "second"] {
        hp::add_error(&set, Numbered { number: 1, text, set: Rc::downgrade(&set) })?;
    }
    assert_eq!(set.borrow().iter().map(|error| error.text).collect::<Vec<_>>(), ["first"]);
    Ok(())
}

#[test]
fn function_and_unit_are_catchers_of_each_error() -> Result<()> {
    let called = RefCell::new(Vec::new());
    hp::add_error(&|error: Error| called.borrow_mut().push(error.message()), error("one"))?;
    hp::add_error(&(), error("two"))?;
    assert_eq!(*called.borrow(), ["one"]);
    Ok(())
}

#[test]
fn only_empty_list_and_set_catchers_are_false() {
    let list = Rc::new(RefCell::new(Vec::<i32>::new()));
    let set = Rc::new(RefCell::new(BTreeSet::<i32>::new()));
    let function = |_: i32| ();
    let truth = |list: &dyn ErrorCatcher<i32>, set: &dyn ErrorCatcher<i32>| {
        [list.is_truthy(), set.is_truthy()]
    };
    assert_eq!(truth(&list, &set), [false, false]);
    list.borrow_mut().push(1);
    set.borrow_mut().insert(1);
    assert_eq!(truth(&list, &set), [true, true]);
    assert!(ErrorCatcher::<i32>::is_truthy(&function) && !ErrorCatcher::<i32>::is_truthy(&()));
}

#[test]
fn an_error_is_logged_under_the_message_and_a_value_passes() {
    let logged = log_lines_of(|| {
        let logs = |outcome: Result<i32>| {
            hp::just_log_exceptions(outcome, |_| false, "That's not meant to happen").unwrap()
        };
        assert_eq!([logs(Ok(1)), logs(Err(error("dark")))], [Some(1), None]);
    });
    assert_eq!(logged, ["ERROR: That's not meant to happen: ValueError: dark"]);
}

#[test]
fn errors_to_raise_again_and_no_exceptions_are_returned() {
    let logged = log_lines_of(|| {
        let of_values = |error: &Error| error.kind() == ErrorKind::Value;
        let raised =
            |error: Error| kind(hp::just_log_exceptions(Err::<(), _>(error), of_values, "It"));
        assert_eq!(raised(error("dark")), Some(ErrorKind::Value));
        assert_eq!(raised(Error::cancelled()), Some(ErrorKind::Cancelled));
        let exit = Error::new(ErrorKind::GeneratorExit, "");
        assert_eq!(raised(exit), Some(ErrorKind::GeneratorExit));
        let interrupt = Error::new(ErrorKind::KeyboardInterrupt, "");
        assert_eq!(raised(interrupt), Some(ErrorKind::KeyboardInterrupt));
        // CPython's is a `BaseExceptionGroup`.
        let group = callsoon::run(TaskGroup::scope(async |group| {
            group.create_task(async { Err::<(), _>(Error::new(ErrorKind::GeneratorExit, "")) })?;
            Ok(())
        }));
        assert_eq!(raised(group.unwrap_err()), Some(ErrorKind::Group));
        assert_eq!(raised(Error::new(ErrorKind::Timeout, "late")), None);
    });
    assert_eq!(logged, ["ERROR: It: TimeoutError: late"]);
}
