// Workers behind a bounded queue: answers by futures, a worker that is replaced, an orderly end.
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, EventLoop, LoopFuture, Queue, Result, ReturnWhen, Task, create_task, gather,
    gather_outcomes, run_on, running_loop, sleep, wait, wait_for,
};

type Job = (u64, LoopFuture<u64>);

struct Pool {
    queue: Queue<Job>,
    workers: RefCell<Vec<Task<()>>>,
    done: Cell<usize>,
}

impl Pool {
    fn new(size: usize) -> Rc<Pool> {
        let (workers, done) = (RefCell::default(), Cell::new(0));
        let pool = Rc::new(Pool { queue: Queue::new(3), workers, done });
        for number in 0..size {
            let worker = pool.start(number);
            pool.workers.borrow_mut().push(worker);
        }
        pool
    }

    fn start(self: &Rc<Pool>, number: usize) -> Task<()> {
        let pool = self.clone();
        create_task(async move { pool.work().await }).with_name(format!("worker-{number}"))
    }

    async fn work(&self) -> Result<()> {
        loop {
            let (job, answer) = self.queue.get().await?;
            let outcome = self.do_job(job, &answer).await;
            if outcome.as_ref().is_err_and(Error::is_cancelled) {
                answer.cancel();
            }
            self.queue.task_done()?;
            outcome?;
        }
    }

    async fn do_job(&self, job: u64, answer: &LoopFuture<u64>) -> Result<()> {
        sleep(Duration::from_millis(job * 250)).await?;
        if job == 13 {
            answer.set_exception(Error::new(ErrorKind::Value, "unlucky"))?;
        } else if !answer.done() {
            answer.set_result(job * job)?;
        }
        self.done.set(self.done.get() + 1);
        Ok(())
    }

    async fn ask(&self, job: u64) -> Result<u64> {
        let answer = running_loop()?.create_future();
        self.queue.put((job, answer.clone())).await?;
        answer.await
    }

    async fn replace(self: &Rc<Pool>, number: usize) -> Result<()> {
        let worker = self.workers.borrow()[number].clone();
        worker.cancel();
        wait([worker], None, ReturnWhen::AllCompleted).await?;
        let worker = self.start(number);
        self.workers.borrow_mut()[number] = worker;
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.queue.join().await?;
        let workers = self.workers.take();
        for worker in &workers {
            worker.cancel();
        }
        gather_outcomes(&workers).await?;
        Ok(())
    }
}

async fn asker(pool: Rc<Pool>, job: u64) -> Result<()> {
    match pool.ask(job).await {
        Ok(answer) => println!("{job} squared is {answer}"),
        Err(error) if error.kind() == ErrorKind::Value => println!("{job} has failed"),
        Err(error) if error.is_cancelled() => println!("{job} was given up"),
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn hurry(pool: &Rc<Pool>) -> Result<()> {
    println!("in time {}", wait_for(pool.ask(1), Duration::from_secs(10)).await?);
    println!("in time {}", wait_for(pool.ask(20), Duration::from_secs(1)).await?);
    Ok(())
}

async fn program() -> Result<()> {
    let pool = Pool::new(2);
    let askers: Vec<_> =
        [4, 1, 13, 2, 8, 3].map(|job| create_task(asker(pool.clone(), job))).into();
    sleep(Duration::from_millis(3500)).await?;
    pool.replace(0).await?;
    println!("replaced a worker");
    match hurry(&pool).await {
        Err(error) if error.kind() == ErrorKind::Timeout => println!("too slow"),
        outcome => outcome?,
    }
    gather(&askers).await?;
    pool.close().await?;
    println!("jobs done {}", pool.done.get());
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
