// A session that says goodbye also when it is cancelled, and one that stays.
use std::time::Duration;

use callsoon::{Catch, Error, ErrorKind, EventLoop, Result, create_task, run_on, sleep};

async fn session() -> Result<()> {
    println!("connected");
    let slept = sleep(Duration::from_secs(3600)).await;
    if slept.as_ref().is_err_and(Error::is_cancelled) {
        println!("saying goodbye");
        sleep(Duration::from_millis(500)).await?;
        println!("goodbye was said");
    }
    slept
}

async fn stays() -> Result<&'static str> {
    let slept = sleep(Duration::from_secs(3600)).await;
    if let Err(error) = slept.catch_kind(ErrorKind::Cancelled)? {
        println!("not now: {}", error.message());
    }
    sleep(Duration::from_secs(2)).await?;
    Ok("stayed")
}

async fn program() -> Result<()> {
    let task = create_task(session());
    sleep(Duration::from_secs(1)).await?;
    task.cancel();
    if (&task).await.catch_kind(ErrorKind::Cancelled)?.is_err() {
        println!("the session is over");
    }
    assert!(task.cancelled());

    let task = create_task(stays());
    sleep(Duration::from_secs(1)).await?;
    task.cancel_with("go home");
    println!("{} {}", (&task).await?, task.cancelling());
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
