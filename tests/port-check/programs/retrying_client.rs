// A client that asks again, with a longer pause each time, of a server that is slow or fails at first.
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{Error, ErrorKind, EventLoop, Result, Semaphore, TaskGroup, run_on, sleep, timeout};

fn unavailable(what: &str) -> Error {
    Error::new(ErrorKind::Value, what)
}

struct Server {
    /// Milliseconds until the answer, negative for a failure.
    script: Vec<i64>,
    asked: Cell<usize>,
    busy: Semaphore,
}

impl Server {
    fn new(script: &[i64]) -> Rc<Server> {
        let (script, asked, busy) = (script.to_vec(), Cell::new(0), Semaphore::new(2));
        Rc::new(Server { script, asked, busy })
    }

    async fn ask(&self, what: &str) -> Result<String> {
        self.busy
            .scope(async || {
                let takes = self.script[self.asked.get() % self.script.len()];
                self.asked.set(self.asked.get() + 1);
                sleep(Duration::from_millis(takes.unsigned_abs())).await?;
                if takes < 0 { Err(unavailable(what)) } else { Ok(what.to_uppercase()) }
            })
            .await
    }
}

async fn retry(server: Rc<Server>, what: &'static str, attempts: usize) -> Result<String> {
    let mut pause = Duration::from_millis(500);
    for attempt in 0..attempts {
        match timeout(Duration::from_secs(2), async |_| server.ask(what).await).await {
            Ok(answer) => {
                println!("{what} answered {answer}");
                return Ok(answer);
            }
            Err(error) if error.kind() == ErrorKind::Timeout => {
                println!("{what} timed out {attempt}");
            }
            Err(error) if error.kind() == ErrorKind::Value => println!("{what} failed {attempt}"),
            Err(error) => return Err(error),
        }
        sleep(pause).await?;
        pause *= 2;
    }
    Err(unavailable(what))
}

async fn program() -> Result<()> {
    let server = Server::new(&[3000, -250, 1000, -1000, 500, 4000]);
    let tasks = TaskGroup::scope(async |group| {
        let start = |what| Ok(group.create_task(retry(server.clone(), what, 6))?.with_name(what));
        ["a", "b", "c"].into_iter().map(start).collect::<Result<Vec<_>>>()
    })
    .await?;
    let answers = tasks.iter().map(|task| task.result()).collect::<Result<Vec<_>>>()?;
    println!("{}", answers.join(" "));
    let failing = Server::new(&[-1000]);
    let outcome = TaskGroup::scope(async |group| {
        group.create_task(retry(failing.clone(), "x", 2))?.with_name("x");
        group.create_task(retry(server.clone(), "y", 3))?.with_name("y");
        group.create_task(sleep(Duration::from_secs(60)))?.with_name("z");
        Ok(())
    })
    .await;
    match outcome {
        Err(errors) if errors.kind() == ErrorKind::Group => {
            let names: Vec<_> = errors.group().iter().map(Error::message).collect();
            println!("gave up {}", names.join(" "));
            Ok(())
        }
        outcome => outcome,
    }
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
