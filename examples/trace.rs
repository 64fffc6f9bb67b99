//! Writes a timeline of a small program, for <https://ui.perfetto.dev> or `chrome://tracing`:
//!
//! ```text
//! cargo run --features trace --example trace -- timeline.json
//! ```

use std::fs::File;
use std::time::Duration;

use callsoon::{
    EventLoop, Queue, Result, TaskGroup, current_task, run_on, running_loop, sleep, to_thread,
};

/// More events than this program has.
const MOST_EVENTS: usize = 100_000;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| String::from("timeline.json"));
    let event_loop = EventLoop::new();
    event_loop.start_trace(MOST_EVENTS);
    run_on(&event_loop, kitchen())?;
    let trace = event_loop.stop_trace().expect("it was started above");
    trace.write(File::create(&path)?)?;
    println!("{trace:?} is in {path}: open it at https://ui.perfetto.dev");
    Ok(())
}

/// Two cooks take orders, and a thread washes up.
async fn kitchen() -> Result<()> {
    let orders = Queue::new(2);
    TaskGroup::scope(async |group| {
        for cook in ["cook 1", "cook 2"] {
            group.create_task(work(orders.clone()))?.set_name(cook);
        }
        group.create_task(to_thread(|| Ok(wash_up())))?.set_name("scullery");
        running_loop()?.call_later(Duration::from_millis(15), || println!("the bell rings"))?;
        for order in 0..20 {
            orders.put(order).await?;
        }
        orders.join().await?;
        orders.shutdown();
        Ok(())
    })
    .await
}

/// Cooks until there are no more orders.
async fn work(orders: Queue<u64>) -> Result<()> {
    while let Ok(order) = orders.get().await {
        sleep(Duration::from_millis(1 + order % 3)).await?;
        orders.task_done()?;
    }
    let name = current_task().map(|cook| callsoon::AnyFuture::name(&cook));
    println!("{} goes home", name.unwrap_or_default());
    Ok(())
}

/// Takes some milliseconds of a thread.
fn wash_up() -> u64 {
    (0..3_000_000_u64).fold(0, |sum, plate| sum ^ plate.wrapping_mul(sum | 1))
}
