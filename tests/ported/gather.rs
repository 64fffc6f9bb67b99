// gather: the first error, and all outcomes.
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, EventLoop, Result, Task, create_task, gather, gather_outcomes, run_on, sleep,
};

fn job(seconds: u64) -> Task<u64> {
    create_task(async move {
        sleep(Duration::from_secs(seconds)).await?;
        println!("job of {seconds} is over");
        Ok(seconds * 10)
    })
}

fn fails(seconds: u64) -> Task<u64> {
    create_task(async move {
        sleep(Duration::from_secs(seconds)).await?;
        println!("job of {seconds} is over");
        Err(Error::new(ErrorKind::Value, format!("after {seconds}")))
    })
}

async fn program() -> Result<()> {
    println!("{:?}", gather(&[job(3), job(1), job(2)]).await?);

    match gather(&[job(3), fails(1), job(2)]).await {
        Err(error) if error.kind() == ErrorKind::Value => {
            println!("first error: {}", error.message()); // the others go on
        }
        outcome => drop(outcome?),
    }

    for outcome in gather_outcomes(&[job(5), fails(4)]).await? {
        match outcome {
            Ok(result) => println!("result {result}"),
            Err(error) => println!("error {}", error.message()),
        }
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
