// A token bucket that clients share, one of which has no patience.
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    ErrorKind, EventLoop, Lock, Result, create_task, gather, run_on, running_loop, sleep, timeout,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

struct RateLimiter {
    every: Duration,
    burst: usize,
    tokens: Cell<usize>,
    filled: Cell<Duration>,
    lock: Lock,
}

impl RateLimiter {
    fn new(every: Duration, burst: usize) -> Result<Rc<RateLimiter>> {
        let filled = Cell::new(running_loop()?.time());
        Ok(Rc::new(RateLimiter {
            every,
            burst,
            tokens: Cell::new(burst),
            filled,
            lock: Lock::new(),
        }))
    }

    fn fill(&self) -> Result<()> {
        let now = running_loop()?.time();
        while self.filled.get() + self.every <= now {
            self.filled.set(self.filled.get() + self.every);
            self.tokens.set((self.tokens.get() + 1).min(self.burst));
        }
        Ok(())
    }

    async fn acquire(&self) -> Result<()> {
        self.lock
            .scope(async || {
                self.fill()?;
                while self.tokens.get() == 0 {
                    let now = running_loop()?.time();
                    sleep(self.filled.get() + self.every - now).await?;
                    self.fill()?;
                }
                self.tokens.set(self.tokens.get() - 1);
                Ok(())
            })
            .await
    }
}

async fn client(
    name: &'static str,
    limiter: Rc<RateLimiter>,
    requests: usize,
    takes: Duration,
) -> Result<&'static str> {
    for number in 0..requests {
        limiter.acquire().await?;
        println!("{name} sends {number}");
        sleep(takes).await?;
    }
    Ok(name)
}

async fn impatient(limiter: Rc<RateLimiter>) -> Result<usize> {
    let mut given_up = 0;
    for _ in 0..3 {
        match timeout(millis(750), async |_| limiter.acquire().await).await {
            Ok(()) => println!("the impatient one sends"),
            Err(error) if error.kind() == ErrorKind::Timeout => {
                given_up += 1;
                println!("the impatient one gives up");
                sleep(millis(1000)).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(given_up)
}

async fn program() -> Result<()> {
    let limiter = RateLimiter::new(millis(500), 2)?;
    let mut clients = Vec::new();
    for (name, requests, takes) in [("ann", 4, 0), ("bob", 3, 250), ("cyd", 2, 1000)] {
        let task = create_task(client(name, limiter.clone(), requests, millis(takes)));
        clients.push(task.with_name(name));
    }
    let hasty = create_task(impatient(limiter.clone())).with_name("hasty");
    println!("done: {}", gather(&clients).await?.join(" "));
    println!("given up: {}", hasty.await?);
    let late = create_task(client("late", limiter.clone(), 100, millis(0))).with_name("late");
    sleep(millis(2125)).await?;
    late.cancel();
    match late.await {
        Err(error) if error.is_cancelled() => {
            let state = if limiter.lock.locked() { "held" } else { "free" };
            println!("late is cancelled, the lock is {state}");
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
