//! The parts that the targets share: numbers out of bytes, panics on purpose, loops that may only
//! report what they are allowed to, and values that are counted.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{Error, ErrorKind, EventLoop, ExceptionContext, LoopRef};

/// A number below `count`; 0 where no bytes are left.
pub(super) fn below(data: &mut Unstructured<'_>, count: u64) -> u64 {
    data.int_in_range(0..=count.saturating_sub(1)).unwrap_or(0)
}

/// The operations that the bytes make, up to `most`. No byte says whether there are more, for
/// random bytes would soon say no.
pub(super) fn all<'a, T: Arbitrary<'a>>(data: &mut Unstructured<'a>, most: usize) -> Vec<T> {
    let mut made = Vec::new();
    while made.len() < most && !data.is_empty() {
        made.extend(data.arbitrary());
    }
    made
}

/// True once in eight times: for what ends most of what a program could still do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seldom(pub(super) bool);

impl<'a> Arbitrary<'a> for Seldom {
    fn arbitrary(data: &mut Unstructured<'a>) -> arbitrary::Result<Seldom> {
        Ok(Seldom(u8::arbitrary(data)? < 32))
    }
}

pub(super) const ON_PURPOSE: &str = "on purpose";

/// A panic that is no finding: the panic hook doesn't hear of it.
pub(super) fn panic_on_purpose() -> ! {
    resume_unwind(Box::new(ON_PURPOSE))
}

/// An error that a program makes up.
pub(super) fn failure() -> Error {
    Error::new(ErrorKind::Value, ON_PURPOSE)
}

/// A loop on virtual time that remembers what else was reported to it than what was done on
/// purpose: an assertion that failed inside of a callback or a task is in there.
pub(super) struct Watched {
    pub(super) event_loop: EventLoop,
    findings: Rc<RefCell<Vec<String>>>,
}

impl Watched {
    pub(super) fn new() -> Watched {
        let event_loop = EventLoop::with_virtual_time();
        let findings = Rc::new(RefCell::new(Vec::new()));
        let kept = findings.clone();
        let handler = move |_: &LoopRef, context: &ExceptionContext| {
            let panicked = context
                .exception
                .as_ref()
                .filter(|error| error.kind() == ErrorKind::Panic)
                .map(ToString::to_string);
            if let Some(text) = panicked.filter(|text| !text.contains(ON_PURPOSE)) {
                kept.borrow_mut().push(format!("{}: {text}", context.message));
            }
        };
        event_loop.set_exception_handler(Some(Rc::new(handler)));
        Watched { event_loop, findings }
    }

    /// Runs turns until nothing can happen any more, and says whether that came within `turns`.
    /// Time never goes back meanwhile.
    pub(super) fn settles(&self, turns: usize) -> bool {
        for _ in 0..turns {
            let before = self.event_loop.time();
            let ran = self.event_loop.run_once(None);
            assert!(self.event_loop.time() >= before, "time went back");
            match ran {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Stalled => return true,
                Err(error) => panic!("the loop failed: {error}"),
            }
        }
        false
    }

    /// Runs turns without waiting until three in a row have nothing to do, and says whether that came within
    /// `turns`: for what a waker, or the peer of a socket, could wake at any time.
    pub(super) fn rests(&self, turns: usize) -> bool {
        let mut idle = 0;
        for _ in 0..turns {
            let ran = self.event_loop.run_once(Some(Duration::ZERO)).expect("it is open");
            idle = if ran == 0 { idle + 1 } else { 0 };
            if idle == 3 {
                return true;
            }
        }
        false
    }

    /// Asserts that nothing went wrong inside of the loop.
    pub(super) fn check(&self) {
        assert_eq!(*self.findings.borrow(), [""; 0]);
    }
}

/// The number of values of a kind that are alive.
#[derive(Clone, Default)]
pub(super) struct Census(Rc<Cell<usize>>);

impl Census {
    pub(super) fn one(&self, number: usize) -> Counted {
        self.0.set(self.0.get() + 1);
        Counted { number, census: self.clone() }
    }

    pub(super) fn alive(&self) -> usize {
        self.0.get()
    }
}

/// A value with a number that is counted while it lives.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) number: usize,
    census: Census,
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        self.census.one(self.number)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.0.set(self.census.0.get() - 1);
    }
}

impl std::fmt::Debug for Census {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} alive", self.alive())
    }
}

/// Eighths of a second: exact, and few enough that many timers fall on one time.
pub(super) fn eighths(count: u8) -> Duration {
    Duration::from_millis(125) * u32::from(count)
}
