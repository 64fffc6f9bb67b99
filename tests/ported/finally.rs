// try/finally with awaits in the clean-up: however the body ends.
use std::time::Duration;

use callsoon::{Error, ErrorKind, EventLoop, Result, create_task, run_on, running_loop, sleep};

async fn body(how: &str) -> Result<&'static str> {
    sleep(Duration::from_secs(1)).await?;
    if how == "error" {
        return Err(Error::new(ErrorKind::Value, "it broke"));
    }
    let seconds = if how == "cancel" { 3600 } else { 1 };
    sleep(Duration::from_secs(seconds)).await?;
    Ok("used")
}

async fn open(how: &str) -> Result<&'static str> {
    println!("open for {how}");
    let outcome = body(how).await; // no `?`: the clean-up comes first
    println!("closing");
    sleep(Duration::from_millis(500)).await?;
    println!("closed");
    outcome
}

async fn program() -> Result<()> {
    for how in ["result", "error", "cancel"] {
        let task = create_task(open(how));
        let cancelled = task.clone();
        running_loop()?.call_later(Duration::from_secs(3), move || {
            cancelled.cancel();
        })?;
        match task.await {
            Ok(used) => println!("result: {used}"),
            Err(error) if error.is_cancelled() => println!("cancelled"),
            Err(error) => println!("error: {}", error.message()),
        }
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
