//! Several mains on one runner, one after the other, and the end of it all.

use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callsoon::{Error, ErrorKind, EventLoop, LoopRef, Runner};

use super::failure::{named, outcome_of};
use super::machine::{Armed, Machine};
use super::speaker::Speaker;
use super::statement::Block;
use super::value::{Value, state};
use super::vars::Name;

/// A program that may be interrupted doesn't stall: it is stopped at that time.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// Signals are the process's, which may run several programs at once.
static SIGNALS: Mutex<()> = Mutex::new(());

/// Runs the mains and the end, each by the runner that has `event_loop`.
pub(crate) fn run_mains(event_loop: EventLoop, machine: &Rc<Machine>) {
    let on = LoopRef::clone(&event_loop);
    let _alone: Option<MutexGuard<'_, ()>> = machine
        .program
        .interruptible
        .then(|| SIGNALS.lock().unwrap_or_else(PoisonError::into_inner));
    let runner = Runner::with_loop_factory(move || event_loop);
    #[cfg(feature = "signals")]
    let runner = if machine.program.interruptible { runner.with_interrupts() } else { runner };
    let program = &machine.program;
    let mains = program.then.iter().flatten();
    for (index, body) in std::iter::once(&program.main).chain(mains).enumerate() {
        let name: Name = match index {
            0 => "main".into(),
            _ => format!("main{}", index + 1).into(),
        };
        if machine.armed.get() == Armed::No {
            machine.armed.set(Armed::Runner);
        }
        let main = run_main(machine.clone(), name.clone(), body.clone());
        by_runner(&on, machine, &format!("run {name}"), || runner.run(main));
        if machine.armed.get() == Armed::Runner {
            machine.armed.set(Armed::No);
        }
    }
    report_futures(machine);
    by_runner(&on, machine, "close", || runner.close());
    report_futures(machine);
}

async fn run_main(machine: Rc<Machine>, name: Name, body: Block) -> Result<Value, Error> {
    let task = callsoon::current_task().ok_or_else(|| named("AttributeError"))?;
    machine.vars.put(&name, task);
    Speaker::new(machine, name).run_coroutine(Some(body)).await
}

/// Says how a run by the runner went.
fn by_runner<V: Into<Value>>(
    on: &LoopRef,
    machine: &Machine,
    what: &str,
    run: impl FnOnce() -> Result<V, Error>,
) {
    let limit = machine.program.interruptible.then(|| {
        let stopped = on.clone();
        on.call_later(NEVER, move || stopped.stop())
    });
    let outcome = match run() {
        Ok(value) => format!("result:{}", value.into()),
        Err(error) if error.kind() == ErrorKind::Stalled => "stalled".to_owned(),
        Err(error) => outcome_of(&error),
    };
    if let Some(Ok(limit)) = limit {
        limit.cancel();
    }
    machine.trace.say("end", format_args!("{what} -> {outcome}"));
}

/// Says the state of every future in the table.
pub(crate) fn report_futures(machine: &Machine) {
    for (name, future) in machine.vars.futures() {
        machine.trace.say("end", format_args!("{name} is {}", state(&*future)));
    }
}
