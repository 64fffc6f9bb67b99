//! Timers, fetches and cancellations, each of which prints a line.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use callsoon::{Result, create_task, gather, running_loop, sleep, timeout};

use crate::javascript::print;
use crate::promise::Promises;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub async fn program(promises: Promises) -> Result<()> {
    timers().await?;
    fetches(&promises).await?;
    limits(&promises).await?;
    cleans_up().await;
    print("done");
    Ok(())
}

async fn timers() -> Result<()> {
    let on = running_loop()?;
    on.call_later(ms(20), || print("timer: second"))?;
    on.call_later(ms(10), || print("timer: first"))?;
    on.call_later(ms(15), || print("timer: never"))?.cancel();
    let before = on.time();
    sleep(ms(30)).await?;
    print(if on.time() - before < ms(30) { "timer: early" } else { "timer: slept for 30 ms" });
    Ok(())
}

async fn fetches(promises: &Promises) -> Result<()> {
    print(&format!("fetch: {}", promises.fetch("/one").await?));
    let fetched = ["/two", "/three", "/nowhere"].map(|path| {
        let promises = promises.clone();
        create_task(async move {
            Ok(match promises.fetch(path).await {
                Ok(text) => text,
                Err(error) => format!("{path}: {}", error.message()),
            })
        })
    });
    let texts: [String; 3] = gather(&fetched).await?.try_into().expect("one of each task");
    print(&format!("fetch: {}", texts.join(", ")));
    Ok(())
}

async fn limits(promises: &Promises) -> Result<()> {
    let limited = timeout(ms(20), async |_| promises.fetch("/never").await);
    let error = limited.await.expect_err("the server doesn't answer");
    print(&format!("limit: {error}"));
    Ok(())
}

/// Waits until the host cancels it.
async fn cleans_up() {
    print("cancel: waiting");
    let outcome = sleep(ms(3_600_000)).await;
    let cleaned_up = sleep(ms(5)).await;
    print(&format!("cancel: {outcome:?}, cleaned up: {}", cleaned_up.is_ok()));
}
