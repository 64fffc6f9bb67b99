// Jobs at their times: a heap, a task that sleeps until the next, jobs that are added, moved and cancelled.
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Error, ErrorKind, Event, EventLoop, Result, Task, create_task, gather_outcomes,
    run_on, running_loop, sleep, wait_for,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Default)]
struct Scheduler {
    jobs: RefCell<BTreeSet<(Duration, usize, &'static str, Duration)>>,
    made: Cell<usize>,
    changed: Event,
    running: RefCell<Vec<Task<()>>>,
}

impl Scheduler {
    fn add(&self, when: Duration, name: &'static str, takes: Duration) {
        self.made.set(self.made.get() + 1);
        self.jobs.borrow_mut().insert((when, self.made.get(), name, takes));
        self.changed.set();
    }

    fn cancel(&self, name: &str) {
        self.jobs.borrow_mut().retain(|job| job.2 != name);
        self.changed.set();
    }

    async fn run(self: Rc<Self>) -> Result<()> {
        let on = running_loop()?;
        loop {
            self.changed.clear();
            let first = self.jobs.borrow().first().copied();
            let Some(job) = first else {
                self.changed.wait().await?;
                continue;
            };
            let (when, _, name, takes) = job;
            if when > on.time() {
                match wait_for(self.changed.wait(), when - on.time()).await {
                    Err(error) if error.kind() == ErrorKind::Timeout => {}
                    outcome => outcome?,
                }
                continue;
            }
            self.jobs.borrow_mut().remove(&job);
            let task = create_task(work(name, takes)).with_name(name);
            self.running.borrow_mut().push(task.clone());
            let me = self.clone();
            task.add_done_callback(move |done: &dyn AnyFuture| {
                me.running.borrow_mut().retain(|task| task.id() != done.id());
            });
        }
    }
}

async fn work(name: &str, takes: Duration) -> Result<()> {
    println!("begin {name}");
    let slept = sleep(takes).await;
    match &slept {
        Ok(()) => println!("end {name}"),
        Err(error) if error.is_cancelled() => println!("break {name}"),
        Err(_) => {}
    }
    slept
}

async fn program() -> Result<()> {
    let on = running_loop()?;
    let scheduler = Rc::new(Scheduler::default());
    let runner = create_task(scheduler.clone().run()).with_name("runner");
    scheduler.add(millis(2000), "backup", millis(3000));
    scheduler.add(millis(1000), "mail", millis(500));
    scheduler.add(millis(6000), "never", millis(1000));
    let to = scheduler.clone();
    on.call_later(millis(1500), move || to.add(millis(1750), "urgent", millis(1000)))?;
    let to = scheduler.clone();
    on.call_later(millis(4000), move || to.cancel("never"))?;
    let reminder = on.call_later(millis(5000), || println!("not shown"))?;
    sleep(millis(4500)).await?;
    reminder.cancel();
    let to = scheduler.clone();
    on.call_soon(move || to.add(millis(5000), "long", millis(100_000)))?;
    scheduler.add(millis(5000), "short", millis(0));
    sleep(millis(3000)).await?;
    println!("running {}", scheduler.running.borrow().len());
    let mut left = vec![runner];
    left.extend(scheduler.running.borrow().iter().cloned());
    for task in &left {
        task.cancel();
    }
    gather_outcomes(&left).await?;
    println!("running {}", scheduler.running.borrow().len());
    Ok::<_, Error>(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
