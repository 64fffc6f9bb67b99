//! A whole run: main until it is done, the report, and the winding down of what is left.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{AnyFuture, Callback, Error, ErrorKind, EventLoop, ExceptionContext, LoopRef, Task};
use serde_json::Value as Json;

use super::failure::error_name;
use super::logged::Listening;
use super::machine::Machine;
use super::mains::{report_futures, run_mains};
use super::program::{Malformed, Program};
use super::speaker::Speaker;
use super::trace::Trace;
use super::value::{Value, state};

/// Turns of the loop before a program is called a livelock.
const MAX_TURNS: usize = 20_000;

/// After so long a program with sockets stalls: nothing is ready, and a socket might be.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// Runs a program in virtual time and returns its trace. A program that has a statement with an
/// op unknown here isn't run: its trace says so.
///
/// # Errors
///
/// The fault of a program that can't be decoded.
pub(crate) fn run(program: &Json) -> Result<Vec<String>, Malformed> {
    run_with(program, |_| ())
}

/// Runs a program as [`run`] does, on a loop that is passed to `prepare` first.
pub(crate) fn run_with(
    program: &Json,
    prepare: impl FnOnce(&EventLoop),
) -> Result<Vec<String>, Malformed> {
    match Program::decode(program) {
        Ok(program) => Ok(execute(program, prepare)),
        Err(Malformed::Op(op)) => Ok(vec![format!("0 end: unsupported {op}")]),
        Err(malformed) => Err(malformed),
    }
}

/// The outcome of running a loop.
#[derive(PartialEq, Eq)]
enum Ending {
    /// The event that it was run for has happened.
    Over,
    /// Nothing can ever happen again.
    Stalled,
    Livelock,
}

fn execute(program: Program, prepare: impl FnOnce(&EventLoop)) -> Vec<String> {
    let event_loop = EventLoop::with_virtual_time();
    prepare(&event_loop);
    let on = LoopRef::clone(&event_loop);
    let trace = Rc::new(Trace::new(on.clone()));
    let machine = Machine::new(program, on.clone(), trace.clone());
    let listening = Listening::to(trace.clone());
    on.set_exception_handler(Some(Rc::new({
        let trace = trace.clone();
        // The closing drops all that is left, which Python does some time after.
        move |on, context| match on.is_closed() {
            true => {}
            false => say_unhandled(&trace, context),
        }
    })));
    if machine.program.then.is_some() {
        run_mains(event_loop, &machine);
    } else if let Err(error) = run_all(&event_loop, &machine) {
        trace.say("end", format_args!("the loop failed: {error}"));
    }
    let lines = match machine.vars.is_unsupported() {
        Some(op) => vec![format!("0 end: unsupported {op}")],
        None => trace.take(),
    };
    drop(listening);
    on.set_exception_handler(None);
    machine.clear();
    lines
}

fn say_unhandled(trace: &Trace, context: &ExceptionContext) {
    let message = &context.message;
    let name = context.exception.as_ref().map_or_else(|| "NoneType".to_owned(), error_name);
    let parts = [
        ("asyncgen", &context.asyncgen),
        ("future", &context.future),
        ("handle", &context.handle),
        ("task", &context.task),
        ("transport", &context.transport),
    ];
    let known: Vec<&str> =
        parts.into_iter().filter(|(_, shown)| shown.is_some()).map(|(part, _)| part).collect();
    let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
    match &context.transport {
        Some(_) => trace.say("loop", format_args!("{name} of {known}: {message}")),
        None => trace.say("loop", format_args!("{name} of {known}")),
    }
}

/// Runs main, and reports.
fn run_all(event_loop: &EventLoop, machine: &Rc<Machine>) -> Result<(), Error> {
    let speaker = Speaker::new(machine.clone(), "main".into());
    let body = machine.program.main.clone();
    let main: Task<Value> = event_loop.create_task(speaker.run_coroutine(Some(body)))?;
    machine.vars.put_future(&"main".into(), &main);
    let stopping = Rc::new(Cell::new(false));
    let stop = main.add_done_callback(Callback::new({
        let stopping = stopping.clone();
        move |_| stopping.set(true)
    }));
    let trace = &machine.trace;
    match run_until(event_loop, machine, &stopping)? {
        Ending::Livelock => {
            trace.say("end", "livelock");
            return Ok(());
        }
        Ending::Stalled if !main.done() => trace.say("end", "stalled"),
        Ending::Stalled | Ending::Over => trace.say("end", state(&main)),
    }
    report_futures(machine);
    main.remove_done_callback(&stop);
    wind_down(event_loop, machine)
}

/// Turns the loop until `stopping`, and that turn to its end.
fn run_until(
    event_loop: &EventLoop,
    machine: &Machine,
    stopping: &Cell<bool>,
) -> Result<Ending, Error> {
    for _ in 0..MAX_TURNS {
        let bound = machine.sockets.are_used().then_some(NEVER);
        let began = event_loop.time();
        match event_loop.run_once(bound) {
            Ok(_) if stopping.get() => return Ok(Ending::Over),
            Ok(0) if event_loop.time() - began == NEVER => return Ok(Ending::Stalled),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Stalled => return Ok(Ending::Stalled),
            Err(error) => return Err(error),
        }
    }
    Ok(Ending::Livelock)
}

/// Cancels what is left, oldest first, and runs until it has ended.
///
/// The oracle gathers the tasks: a done callback of each, the last of which makes the
/// gathering's own callback ready for the turn after. So the loop stops at the end of that. By then the
/// errors of all are read.
fn wind_down(event_loop: &EventLoop, machine: &Machine) -> Result<(), Error> {
    let mut left = event_loop.all_tasks();
    left.retain(|task| !task.done());
    if left.is_empty() {
        return Ok(());
    }
    for task in &left {
        task.cancel();
    }
    let stopping = Rc::new(Cell::new(false));
    let count = Rc::new(Cell::new(left.len()));
    let left = Rc::new(left);
    for task in &*left {
        let (count, stopping) = (count.clone(), stopping.clone());
        let (on, left) = (LoopRef::clone(event_loop), left.clone());
        task.add_callback(Callback::new(move |_| {
            count.set(count.get() - 1);
            if count.get() > 0 {
                return Ok(());
            }
            for task in left.iter().filter(|task| !task.cancelled()) {
                let _ = task.exception();
            }
            let stopping = stopping.clone();
            on.call_soon(move || stopping.set(true)).map(drop)
        }));
    }
    machine.trace.say(
        "end",
        match run_until(event_loop, machine, &stopping)? {
            Ending::Over => "over",
            Ending::Stalled => "stalled",
            Ending::Livelock => "livelock",
        },
    );
    Ok(())
}
