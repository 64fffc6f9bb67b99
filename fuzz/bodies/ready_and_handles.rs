//! Callbacks, timers and their handles against a plain model of asyncio's turn: calls that are
//! scheduled, cancelled, nested, that fail, panic and stop the loop.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{ErrorKind, Handle, LoopRef, Result, TimerHandle};

use super::common::{Watched, eighths, failure, panic_on_purpose};

/// The number of operations that are carried out, nested ones included. As each call costs one, this
/// bounds the turns, too.
const FUEL: usize = 600;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Has a script run in the next turn.
    Soon(u8),
    Later(u8, u8),
    /// At a time of the loop's clock, which may be past.
    At(u8, u8),
    Cancel(u8),
    Stop,
    Fail,
    Panic,
    /// One turn that waits this long at most.
    Turn(u8),
    Run,
}

#[derive(Arbitrary, Debug)]
struct Input {
    scripts: [Vec<Op>; 4],
    main: Vec<Op>,
}

/// The end of a script.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Well,
    Fails,
    Panics,
}

impl Op {
    fn end(self) -> End {
        match self {
            Op::Fail => End::Fails,
            Op::Panic => End::Panics,
            _ => End::Well,
        }
    }
}

/// A call of the model: its number, and the script that it runs.
#[derive(Clone, Copy)]
struct Call {
    number: usize,
    script: usize,
}

#[derive(Default)]
struct Model {
    ready: VecDeque<Call>,
    timers: BTreeMap<(Duration, usize), Call>,
    /// By number: cancelled, and the time at which it is due if it is a timer.
    handles: Vec<(bool, Option<Duration>)>,
    now: Duration,
    stopping: bool,
    fuel: usize,
    trace: Vec<String>,
}

impl Model {
    fn call(&mut self, script: u8, when: Option<Duration>) {
        let number = self.handles.len();
        self.handles.push((false, when));
        let call = Call { number, script: usize::from(script) % 4 };
        match when {
            None => self.ready.push_back(call),
            Some(when) => drop(self.timers.insert((when, number), call)),
        }
    }

    fn perform(&mut self, op: Op) {
        match op {
            Op::Soon(script) => self.call(script, None),
            Op::Later(delay, script) => self.call(script, Some(self.now + eighths(delay))),
            Op::At(when, script) => self.call(script, Some(eighths(when))),
            Op::Cancel(which) if !self.handles.is_empty() => {
                let number = usize::from(which) % self.handles.len();
                self.handles[number].0 = true;
                if let Some(when) = self.handles[number].1 {
                    self.timers.remove(&(when, number));
                }
            }
            Op::Stop => self.stopping = true,
            _ => {}
        }
    }

    fn run_script(&mut self, call: Call, scripts: &[Vec<Op>; 4]) {
        if self.handles[call.number].0 {
            return;
        }
        self.trace.push(format!("{} at {:?}", call.number, self.now));
        for op in &scripts[call.script] {
            if self.fuel == 0 {
                return;
            }
            self.fuel -= 1;
            match op.end() {
                End::Well => self.perform(*op),
                End::Fails => return self.trace.push("failed".to_owned()),
                End::Panics => return self.trace.push("panicked".to_owned()),
            }
        }
    }

    /// One turn; `Err` where the loop would stall.
    fn turn(&mut self, max_wait: Option<Duration>, scripts: &[Vec<Op>; 4]) -> Result<usize, ()> {
        if self.ready.is_empty() && !self.stopping {
            let due = self.timers.keys().next().map(|(when, _)| *when);
            let latest = max_wait.map(|max_wait| self.now + max_wait);
            let until = match (due, latest) {
                (Some(due), Some(latest)) => due.min(latest),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return Err(()),
            };
            self.now = self.now.max(until);
        }
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let call = entry.remove();
            self.ready.push_back(call);
        }
        let round = self.ready.len();
        for _ in 0..round {
            let call = self.ready.pop_front().expect("as many as were counted");
            self.run_script(call, scripts);
        }
        Ok(round)
    }
}

enum Made {
    Soon(Handle),
    Timer(TimerHandle),
}

/// The same on the loop.
struct Real {
    on: LoopRef,
    scripts: [Vec<Op>; 4],
    handles: RefCell<Vec<Made>>,
    fuel: Cell<usize>,
    trace: RefCell<Vec<String>>,
}

impl Real {
    fn call(self: &Rc<Real>, script: u8) -> impl FnOnce() -> Result<()> + 'static {
        let (real, number) = (self.clone(), self.handles.borrow().len());
        move || real.run_script(number, usize::from(script) % 4)
    }

    fn run_script(self: &Rc<Real>, number: usize, script: usize) -> Result<()> {
        self.trace.borrow_mut().push(format!("{number} at {:?}", self.on.time()));
        for op in &self.scripts[script] {
            if self.fuel.get() == 0 {
                return Ok(());
            }
            self.fuel.set(self.fuel.get() - 1);
            match op.end() {
                End::Well => self.perform(*op),
                End::Fails => {
                    self.trace.borrow_mut().push("failed".to_owned());
                    return Err(failure());
                }
                End::Panics => {
                    self.trace.borrow_mut().push("panicked".to_owned());
                    panic_on_purpose();
                }
            }
        }
        Ok(())
    }

    fn perform(self: &Rc<Real>, op: Op) {
        let made = match op {
            Op::Soon(script) => Made::Soon(self.on.call_soon(self.call(script)).unwrap()),
            Op::Later(delay, script) => {
                Made::Timer(self.on.call_later(eighths(delay), self.call(script)).unwrap())
            }
            Op::At(when, script) => {
                Made::Timer(self.on.call_at(eighths(when), self.call(script)).unwrap())
            }
            Op::Cancel(which) => return self.cancel(which),
            Op::Stop => return self.on.stop(),
            _ => return,
        };
        self.handles.borrow_mut().push(made);
    }

    fn cancel(&self, which: u8) {
        let handles = self.handles.borrow();
        if handles.is_empty() {
            return;
        }
        match &handles[usize::from(which) % handles.len()] {
            Made::Soon(handle) => handle.cancel(),
            Made::Timer(timer) => timer.cancel(),
        }
    }

    fn compare(&self, model: &mut Model) {
        assert_eq!(*self.trace.borrow(), model.trace);
        self.trace.borrow_mut().clear();
        model.trace.clear();
        assert_eq!(self.on.time(), model.now);
        assert_eq!(self.on.pending_timers(), model.timers.len());
        let handles = self.handles.borrow();
        assert_eq!(handles.len(), model.handles.len());
        for (made, (cancelled, when)) in handles.iter().zip(&model.handles) {
            match made {
                Made::Soon(handle) => assert_eq!((handle.cancelled(), None), (*cancelled, *when)),
                Made::Timer(timer) => {
                    assert_eq!((timer.cancelled(), Some(timer.when())), (*cancelled, *when));
                }
            }
        }
    }
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let watched = Watched::new();
    let scripts = input.scripts;
    let mut model = Model { fuel: FUEL, ..Model::default() };
    let real = Rc::new(Real {
        on: watched.event_loop.clone(),
        scripts: scripts.clone(),
        handles: RefCell::default(),
        fuel: Cell::new(FUEL),
        trace: RefCell::default(),
    });
    for op in input.main.into_iter().take(FUEL) {
        match op {
            Op::Turn(wait) => {
                let wait = Some(eighths(wait));
                let ran = watched.event_loop.run_once(wait).expect("a turn with a bound");
                assert_eq!(Ok(ran), model.turn(wait, &scripts));
                model.stopping = false;
            }
            Op::Run => run(&watched, &mut model, &scripts),
            op => {
                real.perform(op);
                model.perform(op);
            }
        }
        real.compare(&mut model);
    }
    watched.check();
    drop(watched);
    let alive = Rc::downgrade(&real);
    drop(real);
    assert!(alive.upgrade().is_none(), "the loop is gone, and a callback is not");
}

/// `run_forever` of both.
fn run(watched: &Watched, model: &mut Model, scripts: &[Vec<Op>; 4]) {
    let ended = watched.event_loop.run_forever();
    let stopped = loop {
        if model.turn(None, scripts).is_err() {
            break false;
        }
        if model.stopping {
            break true;
        }
    };
    model.stopping = false;
    match ended {
        Ok(()) => assert!(stopped, "it stopped, and should have stalled"),
        Err(error) if error.kind() == ErrorKind::Stalled => assert!(!stopped),
        Err(error) => panic!("the loop failed: {error}"),
    }
}
