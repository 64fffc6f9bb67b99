// A shield: the waiter is cancelled, the inner task goes on.
use std::time::Duration;

use callsoon::{
    Error, EventLoop, Result, ReturnWhen, Task, create_task, run_on, shield, sleep, wait,
};

async fn save() -> Result<u32> {
    println!("saving");
    sleep(Duration::from_secs(3)).await?;
    println!("saved");
    Ok(7)
}

async fn request(saving: Task<u32>) -> Result<u32> {
    let outcome = shield(&saving).await;
    if outcome.as_ref().is_err_and(Error::is_cancelled) {
        println!("the request is cancelled");
    }
    outcome
}

async fn program() -> Result<()> {
    let saving = create_task(save());
    let asking = create_task(request(saving.clone()));
    sleep(Duration::from_secs(1)).await?;
    asking.cancel();
    wait([&asking], None, ReturnWhen::AllCompleted).await?;
    assert!(asking.cancelled() && !saving.done());
    println!("bytes: {}", saving.await?);
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
