//! The bridge of the feature `futures-core`: what is iterated here as a `Stream`, for all that is
//! written for streams.
//!
//!     cargo run --example streams --features futures-core

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use callsoon::bridges::stream;
use callsoon::{EventLoop, Queue, Result, create_task, generator, helpers as hp, run_on, sleep};
use futures_core::Stream;

/// Knows of streams only, as another crate would.
async fn sum_of(numbers: impl Stream<Item = Result<u64>>) -> Result<u64> {
    let mut numbers = pin!(numbers);
    let mut sum = 0;
    while let Some(number) = poll_fn(|cx| numbers.as_mut().poll_next(cx)).await {
        sum += number?;
    }
    Ok(sum)
}

async fn sums() -> Result<()> {
    let counted = generator(async |y| {
        for number in 1..=4 {
            sleep(Duration::from_secs(1)).await?;
            y.give(number).await?;
        }
        Ok(())
    });
    println!("of a generator: {}", sum_of(stream(counted)).await?);

    let queue = Queue::new(0);
    let summed = create_task(sum_of(stream(queue.clone())));
    for number in [10, 20, 30] {
        queue.put(number).await?;
    }
    queue.shutdown();
    println!("of a queue: {}", summed.await?);

    let stop = hp::create_future::<()>();
    let entries = hp::Queue::emptied_on_finished(&stop);
    entries.append(7);
    entries.append(8);
    stop.set_result(())?;
    println!("of a helpers' queue that is finished: {}", sum_of(stream(entries.iter())).await?);
    Ok(())
}

fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), sums())
}
