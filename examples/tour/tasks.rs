//! Tasks and what is built on them.

use std::time::Duration;

use callsoon::{Result, create_task, generator, sleep, yield_now};

use crate::MOMENT;

pub(crate) async fn tasks() -> Result<()> {
    let count = async |name: &'static str| {
        for turn in 1..=2 {
            println!("  {name}: {turn}");
            yield_now().await?;
        }
        Ok(name.len())
    };
    let first = create_task(count("hare"));
    let second = create_task(count("tortoise"));
    println!("  both are made, neither has started");
    println!("  their results: {} and {}", first.await?, second.await?);
    Ok(())
}

pub(crate) async fn cancellation() -> Result<()> {
    let session = create_task(async {
        println!("  connected");
        let outcome = sleep(Duration::from_secs(3600)).await;
        println!("  asked to leave: saying goodbye takes a moment");
        sleep(MOMENT).await?;
        println!("  goodbye was said");
        outcome
    });
    sleep(MOMENT).await?;
    session.cancel();
    let outcome = session.clone().await;
    println!("  awaited, it gives {outcome:?}; cancelled: {}", session.cancelled());
    Ok(())
}

pub(crate) async fn generators() -> Result<()> {
    let lines = generator(async |y| {
        let mut closed = Ok(());
        for line in ["one", "two", "three"] {
            closed = y.give(line).await.map(drop);
            if closed.is_err() {
                break;
            }
        }
        sleep(MOMENT).await?;
        println!("  the generator has cleaned up");
        closed
    });
    while let Some(line) = lines.next().await? {
        println!("  got {line}");
        if line == "two" {
            println!("  enough");
            break;
        }
    }
    lines.aclose().await
}
