// An async generator that is read to its end, and one that is left early.
use std::time::Duration;

use callsoon::{AsyncGenerator, EventLoop, Result, Yielder, generator, run_on, sleep};

async fn give_pages(y: &Yielder<String>, count: usize) -> Result<()> {
    for number in 0..count {
        sleep(Duration::from_secs(1)).await?;
        y.give(format!("page {number}")).await?;
    }
    Ok(())
}

fn pages(count: usize) -> AsyncGenerator<String> {
    generator(async move |y| {
        println!("connect");
        let outcome = give_pages(&y, count).await; // also when it is closed
        sleep(Duration::from_millis(500)).await?;
        println!("disconnect");
        outcome
    })
}

async fn program() -> Result<()> {
    let all = pages(2);
    while let Some(page) = all.next().await? {
        println!("{page}");
    }

    let some = pages(1000);
    while let Some(page) = some.next().await? {
        println!("{page}");
        if page == "page 1" {
            break;
        }
    }
    some.aclose().await?;
    println!("closed");
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
