// Timeouts: one that passes, one that is moved, one around a cancellation.
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, EventLoop, Result, create_task, run_on, running_loop, sleep, timeout,
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

/// Prints `text` for a timeout, and lets any other error go on.
fn except_timeout<T>(outcome: Result<T>, text: &str) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Timeout => println!("{text}"),
        outcome => drop(outcome?),
    }
    Ok(())
}

async fn program() -> Result<()> {
    let outcome = timeout(secs(1), async |_| slow(5).await).await;
    except_timeout(outcome, "out of time")?;

    timeout(secs(1), async |scope| {
        let now = running_loop()?.time();
        scope.reschedule(now + secs(10))?;
        println!("{}", slow(5).await?);
        Ok(())
    })
    .await?;

    let outcome = wait_for(slow(5), secs(2)).await;
    except_timeout(outcome, "out of time again")?;

    let task = create_task(timeout(secs(100), async |_| slow(50).await));
    sleep(secs(1)).await?;
    task.cancel();
    match task.await {
        Err(error) if error.is_cancelled() => {
            println!("cancelled, which is no timeout");
        }
        outcome => drop(outcome?),
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
