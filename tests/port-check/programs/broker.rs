// Publishers and subscribers: bounded queues, a subscriber that is too slow, one that leaves, a shutdown.
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    Condition, Error, ErrorKind, EventLoop, Lock, Queue, Result, TaskGroup, create_task,
    gather_outcomes, run_on, sleep, timeout, yield_now,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Messages = Rc<Queue<String>>;

#[derive(Default)]
struct Broker {
    topics: RefCell<BTreeMap<&'static str, Vec<Messages>>>,
    lock: Lock,
    idle: Condition,
    in_flight: Cell<usize>,
}

impl Broker {
    async fn subscribe(&self, topic: &'static str, size: usize) -> Result<Messages> {
        let queue = Rc::new(Queue::new(size));
        self.lock
            .scope(async || {
                yield_now().await?; // as a look-up elsewhere would take
                self.topics.borrow_mut().entry(topic).or_default().push(queue.clone());
                Ok(())
            })
            .await?;
        Ok(queue)
    }

    async fn publish(&self, topic: &'static str, message: String) -> Result<()> {
        self.idle
            .scope(async || {
                self.in_flight.set(self.in_flight.get() + 1);
                Ok(())
            })
            .await?;
        let find = async || Ok(self.topics.borrow().get(topic).cloned().unwrap_or_default());
        for queue in self.lock.scope(find).await? {
            match timeout(millis(1000), async |_| queue.put(message.clone()).await).await {
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    println!("drops a subscriber of {topic}");
                    self.lock.scope(async || self.remove(topic, &queue)).await?;
                }
                outcome => outcome?,
            }
        }
        self.idle
            .scope(async || {
                self.in_flight.set(self.in_flight.get() - 1);
                self.idle.notify_all()
            })
            .await
    }

    fn remove(&self, topic: &str, queue: &Messages) -> Result<()> {
        if let Some(queues) = self.topics.borrow_mut().get_mut(topic) {
            queues.retain(|other| !Rc::ptr_eq(other, queue));
        }
        Ok(())
    }

    async fn drain(&self) -> Result<()> {
        self.idle.scope(async || self.idle.wait_for(|| self.in_flight.get() == 0).await).await
    }
}

struct Options {
    name: &'static str,
    topic: &'static str,
    size: usize,
    takes: Duration,
    most: usize,
}

async fn read(queue: &Queue<String>, options: &Options, seen: &mut usize) -> Result<()> {
    while *seen < options.most {
        let message = queue.get().await?;
        sleep(options.takes).await?;
        *seen += 1;
        println!("{} has read {message}", options.name);
    }
    Ok(())
}

async fn subscriber(broker: Rc<Broker>, options: Options) -> Result<usize> {
    let queue = broker.subscribe(options.topic, options.size).await?;
    let mut seen = 0;
    let outcome = read(&queue, &options, &mut seen).await;
    if outcome.as_ref().is_err_and(Error::is_cancelled) {
        println!("{} is stopped after {seen}", options.name);
    }
    outcome?;
    println!("{} leaves", options.name);
    Ok(seen)
}

async fn publisher(
    broker: Rc<Broker>,
    topic: &'static str,
    count: usize,
    every: Duration,
) -> Result<()> {
    for number in 0..count {
        broker.publish(topic, format!("{topic}-{number}")).await?;
        sleep(every).await?;
    }
    Ok(())
}

async fn program() -> Result<()> {
    let broker = Rc::new(Broker::default());
    let mut subscribers = Vec::new();
    for (name, topic, size, takes, most) in [
        ("quick", "news", 2, 0, 100),
        ("slow", "news", 1, 5000, 100),
        ("brief", "news", 2, 250, 2),
        ("sport", "sport", 1, 500, 100),
    ] {
        let options = Options { name, topic, size, takes: millis(takes), most };
        subscribers.push(create_task(subscriber(broker.clone(), options)).with_name(name));
    }
    sleep(millis(500)).await?;
    TaskGroup::scope(async |group| {
        group.create_task(publisher(broker.clone(), "news", 5, millis(500)))?;
        group.create_task(publisher(broker.clone(), "sport", 4, millis(125)))?;
        group.create_task(publisher(broker.clone(), "empty", 2, millis(0)))?;
        Ok(())
    })
    .await?;
    broker.drain().await?;
    println!("drained");
    for task in &subscribers {
        task.cancel();
    }
    let outcomes = gather_outcomes(&subscribers).await?;
    println!("{} have left by themselves", outcomes.iter().filter(|one| one.is_ok()).count());
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
