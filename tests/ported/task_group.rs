// A task group: one fails, the others are cancelled and clean up first.
use std::time::Duration;

use callsoon::{Catch, Error, ErrorKind, EventLoop, Result, TaskGroup, run_on, sleep};

async fn fetch(name: &str, seconds: u64) -> Result<usize> {
    let slept = sleep(Duration::from_secs(seconds)).await;
    if slept.as_ref().is_err_and(Error::is_cancelled) {
        println!("{name} hangs up");
        sleep(Duration::from_millis(500)).await?;
    }
    slept?;
    if name == "bad" {
        return Err(Error::new(ErrorKind::Value, "bad page"));
    }
    println!("{name} fetched");
    Ok(name.len())
}

async fn program() -> Result<()> {
    let (one, three) = TaskGroup::scope(async |group| {
        let one = group.create_task(fetch("one", 2))?;
        let three = group.create_task(fetch("three", 1))?;
        Ok((one, three))
    })
    .await?;
    println!("sizes {} {}", one.result()?, three.result()?);

    let outcome = TaskGroup::scope(async |group| {
        group.create_task(fetch("quick", 1))?;
        group.create_task(fetch("bad", 2))?;
        group.create_task(fetch("slow", 10))?;
        sleep(Duration::from_secs(3600)).await
    })
    .await;
    if let Err(failed) = outcome.catch_kind(ErrorKind::Group)? {
        for error in failed.group() {
            println!("failed: {}", error.message());
        }
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
