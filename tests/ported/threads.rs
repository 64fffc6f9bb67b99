// Functions that block, on the loop's own threads and on those of a pool.
use callsoon::{
    Catch, Error, ErrorKind, EventLoop, Result, ThreadPoolExecutor, gather, run_on, running_loop,
    to_thread,
};

fn digits(text: &str) -> Result<u32> {
    let no_digit = || Error::new(ErrorKind::Value, "no digit");
    text.chars().map(|letter| letter.to_digit(10).ok_or_else(no_digit)).sum()
}

async fn program() -> Result<()> {
    println!("sum {}", to_thread(|| digits("12345")).await?);
    if to_thread(|| digits("12x45")).await.catch_kind(ErrorKind::Value)?.is_err() {
        println!("that was no number");
    }

    let on = running_loop()?;
    let pool = ThreadPoolExecutor::new(2)?;
    let mut futures = Vec::new();
    for text in ["1", "22", "333"] {
        futures.push(on.run_in_executor(Some(&pool), move || digits(text))?);
    }
    println!("sums {:?}", gather(&futures).await?);
    pool.shutdown().await?;
    let refused = on.run_in_executor(Some(&pool), || digits("4"));
    if let Err(error) = refused.catch_kind(ErrorKind::Runtime)? {
        println!("{}", error.message());
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
