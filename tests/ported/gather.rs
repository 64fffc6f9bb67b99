// gather: the first error, and all outcomes.
use std::time::Duration;

use callsoon::{
    Catch, Error, ErrorKind, EventLoop, Result, gather, gather_outcomes, run_on, sleep,
};

async fn job(seconds: u64, fails: bool) -> Result<u64> {
    sleep(Duration::from_secs(seconds)).await?;
    println!("job of {seconds} is over");
    if fails {
        return Err(Error::new(ErrorKind::Value, format!("after {seconds}")));
    }
    Ok(seconds * 10)
}

async fn program() -> Result<()> {
    println!("{:?}", gather([job(3, false), job(1, false), job(2, false)]).await?);

    let outcome = gather([job(3, false), job(1, true), job(2, false)]).await;
    if let Err(error) = outcome.catch_kind(ErrorKind::Value)? {
        println!("first error: {}", error.message()); // the others go on
    }

    for outcome in gather_outcomes([job(5, false), job(4, true)]).await? {
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
