// A bounded queue, its producer, its workers, and the end of them.
use std::time::Duration;

use callsoon::{EventLoop, Queue, Result, create_task, gather_outcomes, run_on, sleep};

async fn worker(name: &str, queue: Queue<u64>) -> Result<()> {
    loop {
        let item = queue.get().await?;
        sleep(Duration::from_secs(item)).await?;
        println!("{name} has done {item}");
        queue.task_done()?;
    }
}

async fn program() -> Result<()> {
    let queue = Queue::new(2);
    let workers = ["ann", "bob"].map(|name| create_task(worker(name, queue.clone())));
    for item in [3, 1, 2, 1, 1] {
        queue.put(item).await?;
        println!("put {item} size {}", queue.qsize());
    }
    queue.join().await?;
    println!("all is done");
    for task in &workers {
        task.cancel();
    }
    gather_outcomes(&workers).await?;
    let left = workers.iter().filter(|task| task.cancelled()).count();
    println!("{left} workers left");
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
