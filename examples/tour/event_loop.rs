//! The lowest layer: callbacks, in a written order.

use std::io;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use callsoon::{EventLoop, Result, create_task, running_loop, sleep};

use crate::MOMENT;

/// A callback that says `what`.
fn say(what: &'static str) -> impl Fn() + 'static {
    move || println!("  {what}")
}

pub(crate) fn callbacks() -> Result<()> {
    let event_loop = EventLoop::new();
    event_loop.call_later(2 * MOMENT, say("after 20 ms"))?;
    event_loop.call_later(MOMENT, say("after 10 ms"))?;
    event_loop.call_later(MOMENT, say("never: it is cancelled"))?.cancel();
    let on = event_loop.clone();
    event_loop.call_soon(move || {
        println!("  first; it schedules another");
        on.call_soon(say("in the next turn, so it comes last")).map(drop)
    })?;
    event_loop.call_soon(say("second"))?;
    let on = event_loop.clone();
    event_loop.call_later(3 * MOMENT, move || on.stop())?;
    event_loop.run_forever()
}

pub(crate) fn virtual_time() -> Result<()> {
    let started = Instant::now();
    let event_loop = EventLoop::with_virtual_time();
    event_loop.run_until_complete(async {
        let day = create_task(async {
            sleep(Duration::from_secs(24 * 3600)).await?;
            println!("  the day is over");
            Ok(())
        });
        sleep(Duration::from_secs(12 * 3600)).await?;
        println!("  it is noon");
        day.await
    })?;
    println!("  {:?} on the loop's clock", event_loop.time());
    println!("  under a second on the wall's: {}", started.elapsed() < Duration::from_secs(1));
    let stalled = event_loop.run_forever();
    println!("  a loop with nothing left to wait for says so: {:?}", stalled.map_err(|e| e.kind()));
    Ok(())
}

pub(crate) fn exceptions() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_on, context| {
        let error = context.exception.as_ref().map(|error| error.message());
        println!("  handler: {:?}", error.unwrap_or_default());
    })));
    event_loop
        .call_soon(|| -> Result<()> { Err(io::Error::other("the callback failed").into()) })?;
    let on = event_loop.clone();
    event_loop.call_later(MOMENT, move || {
        println!("  and the loop lives on");
        on.stop();
    })?;
    event_loop.run_forever()
}

pub(crate) fn another_thread() -> Result<()> {
    let event_loop = EventLoop::new();
    let handle = event_loop.handle();
    let home = thread::current().id();
    let thread = thread::spawn(move || {
        let sum: u64 = (1..=1000).sum();
        handle.call_soon_threadsafe(move || {
            println!("  the thread counted to {sum}");
            println!("  said on the loop's own thread: {}", thread::current().id() == home);
            running_loop().map(|on| on.stop())
        })
    });
    event_loop.run_forever()?;
    thread.join().expect("the thread doesn't panic")
}
