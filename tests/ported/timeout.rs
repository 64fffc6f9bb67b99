// Timeouts: one that passes, one that is moved, one around a cancellation.
use std::time::Duration;

use callsoon::{
    Catch, Error, ErrorKind, EventLoop, Result, create_task, run_on, running_loop, sleep, timeout,
    wait_for,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn slow(seconds: u64) -> Result<&'static str> {
    let slept = sleep(secs(seconds)).await;
    if slept.as_ref().is_err_and(Error::is_cancelled) {
        sleep(Duration::from_millis(250)).await?;
        println!("the slow one has tidied up");
    }
    slept?;
    Ok("answer")
}

async fn program() -> Result<()> {
    let outcome = timeout(secs(1), async |_| slow(5).await).await;
    if outcome.catch_kind(ErrorKind::Timeout)?.is_err() {
        println!("out of time");
    }

    timeout(secs(1), async |scope| {
        let now = running_loop()?.time();
        scope.reschedule(now + secs(10))?;
        println!("{}", slow(5).await?);
        Ok(())
    })
    .await?;

    if wait_for(slow(5), secs(2)).await.catch_kind(ErrorKind::Timeout)?.is_err() {
        println!("out of time again");
    }

    let task = create_task(timeout(secs(100), async |_| slow(50).await));
    sleep(secs(1)).await?;
    task.cancel();
    if task.await.catch_kind(ErrorKind::Cancelled)?.is_err() {
        println!("cancelled, which is no timeout");
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
