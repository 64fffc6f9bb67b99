//! Operations on futures and tasks, chosen by a random number generator or a fuzzer and checked
//! against a model of asyncio's turn: a queue of pending calls. Callbacks, wakes and reports must
//! come in exactly the model's order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{IntoFuture, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use callsoon::{
    AnyFuture, Callback, Error, ErrorKind, EventLoop, ExceptionContext, LoopFuture, LoopRef,
    Result, Task,
};

use crate::support::trace::Trace;

/// Chooses a number below the one that it is given.
type Choose<'a> = &'a mut dyn FnMut(u64) -> u64;

/// The number of different callbacks of a future. The last one ends the future in the next slot.
const CALLBACKS: usize = 3;

/// The number of futures at hand. One that is dropped makes room for a new one.
const SLOTS: usize = 6;

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Pending,
    Cancelled,
    Failed,
    Finished,
}

/// A call that waits in the model's ready queue.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// A task's first step, or its wake.
    Step(usize),
    /// Of a future, its callback.
    Callback(usize, usize),
    /// A task's own done callback.
    Over(usize, State),
    Soon(usize),
}

#[derive(Clone, Copy, Debug)]
enum Waiter {
    Callback(usize),
    Task(usize),
}

struct FutureModel {
    state: State,
    waiters: Vec<Waiter>,
    slot: usize,
    /// It has an exception that was not read.
    unread: bool,
    /// The number of its holders: its slot, tasks that are not done, callbacks that are scheduled.
    holders: usize,
}

/// The use that a task makes of the future that it was made for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Body {
    Awaits,
    /// Awaits it, and panics then.
    Panics,
    /// Awaits it again after the first cancellation.
    Stubborn,
    /// Polls its await once, and drops it.
    Glances,
}

impl Body {
    fn chosen(choose: Choose<'_>) -> Body {
        [Body::Awaits, Body::Panics, Body::Stubborn, Body::Glances][choose(4) as usize]
    }
}

/// A task that does what its body does with a future, and ends.
struct TaskModel {
    future: usize,
    body: Body,
    stubborn: bool,
    started: bool,
    waiting: bool,
    must_cancel: bool,
    over: bool,
}

#[derive(Default)]
struct Model {
    ready: VecDeque<Call>,
    futures: Vec<FutureModel>,
    tasks: Vec<TaskModel>,
    slots: Vec<usize>,
    trace: Vec<String>,
}

impl Model {
    fn new_future(&mut self, slot: usize) {
        let state = State::Pending;
        self.futures.push(FutureModel {
            state,
            waiters: Vec::new(),
            slot,
            unread: false,
            holders: 1,
        });
    }

    fn release(&mut self, future: usize) {
        let model = &mut self.futures[future];
        model.holders -= 1;
        if model.holders == 0 && model.unread {
            self.trace.push(format!("report {future}"));
        }
    }

    fn end(&mut self, future: usize, state: State) -> bool {
        let model = &mut self.futures[future];
        if model.state != State::Pending {
            return false;
        }
        model.state = state;
        model.unread = state == State::Failed;
        for waiter in std::mem::take(&mut model.waiters) {
            match waiter {
                Waiter::Task(task) => self.ready.push_back(Call::Step(task)),
                Waiter::Callback(callback) => {
                    model.holders += 1;
                    self.ready.push_back(Call::Callback(future, callback));
                }
            }
        }
        true
    }

    fn cancel(&mut self, future: usize) -> bool {
        self.futures[future].unread = false;
        self.end(future, State::Cancelled)
    }

    fn add(&mut self, future: usize, callback: usize) {
        let model = &mut self.futures[future];
        if model.state == State::Pending {
            return model.waiters.push(Waiter::Callback(callback));
        }
        model.holders += 1;
        self.ready.push_back(Call::Callback(future, callback));
    }

    fn remove(&mut self, future: usize, callback: usize) -> usize {
        let waiters = &mut self.futures[future].waiters;
        let before = waiters.len();
        waiters.retain(|waiter| !matches!(waiter, Waiter::Callback(own) if *own == callback));
        before - waiters.len()
    }

    fn new_task(&mut self, future: usize, body: Body) {
        self.futures[future].holders += 1;
        self.ready.push_back(Call::Step(self.tasks.len()));
        let (started, waiting, must_cancel, over) = (false, false, false, false);
        let stubborn = body == Body::Stubborn;
        self.tasks.push(TaskModel { future, body, stubborn, started, waiting, must_cancel, over });
    }

    fn cancel_task(&mut self, task: usize) -> bool {
        let TaskModel { future, waiting, over, .. } = self.tasks[task];
        if over {
            return false;
        }
        if !(waiting && self.cancel(future)) {
            self.tasks[task].must_cancel = true;
        }
        true
    }

    fn step(&mut self, index: usize) {
        let task = &mut self.tasks[index];
        let (future, body) = (task.future, task.body);
        let thrown = std::mem::take(&mut task.must_cancel);
        let first = !std::mem::replace(&mut task.started, true);
        task.waiting = false;
        if thrown && first {
            // Its body never runs.
            return self.task_is_over(index, State::Cancelled);
        }
        let mut outcome = self.futures[future].state;
        if thrown {
            // A cancellation replaces a result or an exception that came first.
            outcome = State::Cancelled;
        } else if outcome == State::Pending {
            match body {
                Body::Glances => self.task_is_over(index, State::Finished),
                _ => self.waits(index),
            }
            return;
        }
        self.futures[future].unread = false;
        self.trace.push(format!("task {index} {outcome:?}"));
        if outcome == State::Cancelled && std::mem::take(&mut self.tasks[index].stubborn) {
            outcome = self.futures[future].state;
            if outcome == State::Pending {
                return self.waits(index);
            }
            self.trace.push(format!("task {index} {outcome:?}"));
        }
        self.task_is_over(index, if body == Body::Panics { State::Failed } else { outcome });
    }

    fn waits(&mut self, index: usize) {
        let future = self.tasks[index].future;
        self.futures[future].waiters.push(Waiter::Task(index));
        self.tasks[index].waiting = true;
    }

    fn task_is_over(&mut self, index: usize, state: State) {
        self.tasks[index].over = true;
        self.release(self.tasks[index].future);
        self.ready.push_back(Call::Over(index, state));
    }

    fn turn(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(call) = self.ready.pop_front() else { return };
            match call {
                Call::Step(task) => self.step(task),
                Call::Soon(number) => self.trace.push(format!("soon {number}")),
                Call::Over(task, state) => self.trace.push(format!("over {task} {state:?}")),
                Call::Callback(future, callback) => self.call(future, callback),
            }
        }
    }

    fn call(&mut self, future: usize, callback: usize) {
        let FutureModel { state, slot, .. } = self.futures[future];
        self.futures[future].unread = false;
        self.trace.push(format!("callback {callback} of {future} {state:?}"));
        if callback == CALLBACKS - 1 {
            self.end(self.slots[(slot + 1) % SLOTS], State::Finished);
        }
        self.release(future);
    }
}

/// The same on the loop.
struct Real {
    event_loop: EventLoop,
    slots: Rc<RefCell<Vec<LoopFuture<i32>>>>,
    callbacks: Vec<Vec<Callback>>,
    tasks: Vec<Task<()>>,
    trace: Trace,
}

fn state_of(outcome: &Result<i32>) -> State {
    match outcome {
        Ok(_) => State::Finished,
        Err(error) if error.is_cancelled() => State::Cancelled,
        Err(error) if error.kind() == ErrorKind::InvalidState => State::Pending,
        Err(_) => State::Failed,
    }
}

impl Real {
    fn new() -> Real {
        let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
        let own = trace.clone();
        let report = move |_: &LoopRef, context: &ExceptionContext| {
            assert_eq!(context.message, "Future exception was never retrieved");
            let shown = context.future.as_ref().expect("it is of a future");
            let number = shown.split("name='").nth(1).and_then(|rest| rest.split('\'').next());
            own.push(format!("report {}", number.expect("it has a name")));
        };
        event_loop.set_exception_handler(Some(Rc::new(report)));
        Real { event_loop, slots: Rc::default(), callbacks: Vec::new(), tasks: Vec::new(), trace }
    }

    fn new_future(&mut self, slot: usize) -> LoopFuture<i32> {
        let number = self.callbacks.len();
        let future = self.event_loop.create_future();
        future.set_name(number.to_string());
        let callbacks = (0..CALLBACKS).map(|callback| {
            let (trace, slots) = (self.trace.clone(), self.slots.clone());
            Callback::new(move |done: &dyn AnyFuture| {
                let outcome = done.downcast_ref::<i32>().expect("a future of numbers").result();
                trace.push(format!("callback {callback} of {number} {:?}", state_of(&outcome)));
                if callback == CALLBACKS - 1 {
                    let next = slots.borrow()[(slot + 1) % SLOTS].clone();
                    // One that is done refuses.
                    let _ = next.set_result(0);
                }
            })
        });
        self.callbacks.push(callbacks.collect());
        future
    }

    fn new_task(&mut self, slot: usize, body: Body) {
        let index = self.tasks.len();
        let (awaited, trace) = (self.slots.borrow()[slot].clone(), self.trace.clone());
        let body = async move {
            if body == Body::Glances {
                let mut glance = (&awaited).into_future();
                let glanced = poll_fn(|cx| Poll::Ready(Pin::new(&mut glance).poll(cx))).await;
                if glanced.is_pending() {
                    return Ok(());
                }
            }
            let mut outcome = (&awaited).await;
            trace.push(format!("task {index} {:?}", state_of(&outcome)));
            if body == Body::Stubborn && state_of(&outcome) == State::Cancelled {
                outcome = (&awaited).await;
                trace.push(format!("task {index} {:?}", state_of(&outcome)));
            }
            if body == Body::Panics {
                // Unwinds like a panic, but without a word on stderr.
                resume_unwind(Box::new("on purpose"));
            }
            outcome.map(drop)
        };
        let task = self.event_loop.create_task(body).unwrap();
        let trace = self.trace.clone();
        task.add_done_callback(move |done: &dyn AnyFuture| {
            // Read, so as not to be reported.
            let state = match done.exception() {
                Ok(Some(_)) => State::Failed,
                Ok(None) => State::Finished,
                Err(_) => State::Cancelled,
            };
            trace.push(format!("over {index} {state:?}"));
        });
        self.tasks.push(task);
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // Their callbacks hold the slots, and these hold the futures.
        self.slots.take();
    }
}

fn start() -> (Model, Real) {
    let (mut model, mut real) = (Model::default(), Real::new());
    for slot in 0..SLOTS {
        model.slots.push(slot);
        model.new_future(slot);
        let future = real.new_future(slot);
        real.slots.borrow_mut().push(future);
    }
    (model, real)
}

fn one_operation(choose: Choose<'_>, model: &mut Model, real: &mut Real, number: usize) {
    let slot = choose(SLOTS as u64) as usize;
    let callback = choose(CALLBACKS as u64) as usize;
    let future = model.slots[slot];
    let handle = real.slots.borrow()[slot].clone();
    let own = real.callbacks[future][callback].clone();
    match choose(16) {
        0 => assert_eq!(handle.set_result(1).is_ok(), model.end(future, State::Finished)),
        1 => {
            let set = handle.set_exception(Error::new(ErrorKind::Value, "unread"));
            assert_eq!(set.is_ok(), model.end(future, State::Failed));
        }
        2 => assert_eq!(handle.cancel(), model.cancel(future)),
        3 | 4 => {
            drop(handle);
            model.slots[slot] = model.futures.len();
            model.new_future(slot);
            model.release(future);
            let fresh = real.new_future(slot);
            let old = std::mem::replace(&mut real.slots.borrow_mut()[slot], fresh);
            drop(old);
        }
        5..=7 => {
            model.add(future, callback);
            handle.add_done_callback(own);
        }
        8 => {
            assert_eq!(handle.remove_done_callback(&own), model.remove(future, callback));
            assert!(!handle.has_callback(&own));
        }
        9 | 10 => {
            let body = Body::chosen(choose);
            model.new_task(future, body);
            real.new_task(slot, body);
        }
        11 if !model.tasks.is_empty() => {
            let newest = model.tasks.len() - 1;
            let task = newest - choose(newest.min(8) as u64 + 1) as usize;
            assert_eq!(real.tasks[task].cancel(), model.cancel_task(task));
        }
        12 => {
            model.ready.push_back(Call::Soon(number));
            real.event_loop.call_soon(real.trace.says(format!("soon {number}"))).unwrap();
        }
        _ => {
            drop(handle);
            let ran = real.event_loop.run_once(Some(Duration::ZERO)).unwrap();
            assert_eq!(ran, model.ready.len(), "as many calls as the model has");
            model.turn();
        }
    }
}

/// Compares what can be seen of each future without reading it.
fn compare(model: &mut Model, real: &Real) {
    real.trace.expect(std::mem::take(&mut model.trace));
    for (slot, handle) in real.slots.borrow().iter().enumerate() {
        let future = &model.futures[model.slots[slot]];
        assert_eq!(handle.done(), future.state != State::Pending);
        assert_eq!(handle.cancelled(), future.state == State::Cancelled);
        let shown = format!("{handle:?}");
        let waiting = match future.waiters.len() {
            0 => ">".to_owned(),
            count => format!(" callbacks={count}>"),
        };
        assert!(shown.ends_with(&format!("'{waiting}")), "{shown}");
    }
}

/// Runs operations as long as `goes_on` returns true, and compares with the model after each.
pub(crate) fn live(choose: Choose<'_>, mut goes_on: impl FnMut() -> bool) {
    let (mut model, mut real) = start();
    let mut number = 0;
    while goes_on() {
        one_operation(choose, &mut model, &mut real, number);
        compare(&mut model, &real);
        number += 1;
    }
    // The model doesn't cover futures and tasks that are dropped with the loop.
    real.event_loop.set_exception_handler(None);
}
