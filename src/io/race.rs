//! Attempts to connect to the addresses of a host: in turn, or with staggered starts.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::net::{SocketAddr, TcpStream};

use super::async_source::Async;
use super::connect::connect;
use super::connect_options::ConnectOptions;
use super::resolve::combined;
use crate::asyncio::{Event, ReturnWhen, Task, create_task, wait, wait_for};
use crate::collections::RefCell;
use crate::error::{ErrorKind, Result};
use crate::event_loop::running_loop;

/// Connects to `port` of `host`: the part of asyncio's `create_connection` that makes the socket.
pub(super) async fn connect_to_host(
    host: &str,
    port: u16,
    options: &ConnectOptions,
) -> Result<Async<TcpStream>> {
    let on = running_loop()?;
    let mut addresses = on.addresses_of(host, port, options.family).await?;
    let locals = match &options.local_addr {
        Some((host, port)) => Some(on.addresses_of(host, *port, options.family).await?),
        None => None,
    };
    let default = usize::from(options.happy_eyeballs_delay.is_some());
    let interleave = options.interleave.unwrap_or(default);
    if interleave > 0 {
        addresses = interleaved(&addresses, interleave);
    }
    if let Some(delay) = options.happy_eyeballs_delay {
        return Race::new(addresses, locals).run(delay, options.all_errors).await;
    }
    let mut errors = Vec::new();
    for address in addresses {
        let mut own = Vec::new();
        match connect(address, locals.as_deref(), &mut own).await {
            Err(error) if error.kind() == ErrorKind::Io => own.push(error),
            outcome => return outcome,
        }
        errors.append(&mut own);
    }
    Err(combined(errors, options.all_errors))
}

/// Has families take turns: asyncio's `_interleave_addrinfos`.
fn interleaved(addresses: &[SocketAddr], first_count: usize) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let is_first = |address: &&SocketAddr| address.is_ipv4() == first.is_ipv4();
    let (mut ones, others): (Vec<_>, Vec<_>) = addresses.iter().partition(is_first);
    let begin = (first_count - 1).min(ones.len());
    let mut ordered: Vec<SocketAddr> = ones.drain(..begin).collect();
    for at in 0..ones.len().max(others.len()) {
        ordered.extend(ones.get(at).into_iter().chain(others.get(at)));
    }
    ordered
}

/// asyncio's `staggered_race` of attempts to connect.
struct Race {
    addresses: RefCell<alloc::vec::IntoIter<SocketAddr>>,
    locals: Option<Vec<SocketAddr>>,
    /// The errors of each attempt that was started.
    errors: RefCell<Vec<Vec<crate::error::Error>>>,
    tasks: RefCell<Vec<Task<()>>>,
    winner: Cell<Option<Async<TcpStream>>>,
}

impl Race {
    fn new(addresses: Vec<SocketAddr>, locals: Option<Vec<SocketAddr>>) -> Rc<Race> {
        Rc::new(Race {
            addresses: RefCell::new(addresses.into_iter()),
            locals,
            errors: RefCell::default(),
            tasks: RefCell::default(),
            winner: Cell::default(),
        })
    }

    async fn run(self: Rc<Race>, delay: Duration, all_errors: bool) -> Result<Async<TcpStream>> {
        let _cancelling = CancelOnDrop(Rc::clone(&self));
        self.start(None, delay);
        let mut done = 0;
        loop {
            let tasks = self.tasks.borrow().clone();
            if done == tasks.len() {
                break;
            }
            let (ended, _) = wait(tasks, None, ReturnWhen::AllCompleted).await?;
            done = ended.len();
            for task in ended {
                task.result()
                    .or_else(|error| if error.is_cancelled() { Ok(()) } else { Err(error) })?;
            }
        }
        match self.winner.take() {
            Some(stream) => Ok(stream),
            None => Err(combined(self.errors.take().concat(), all_errors)),
        }
    }

    /// Starts a task that begins when `before` has failed, or after `delay`.
    fn start(self: &Rc<Self>, before: Option<Rc<Event>>, delay: Duration) {
        let attempt: Pin<Box<dyn Future<Output = Result<()>>>> =
            Box::pin(Rc::clone(self).attempt(before, delay));
        let task = create_task(attempt);
        self.tasks.borrow_mut().push(task);
    }

    async fn attempt(self: Rc<Race>, before: Option<Rc<Event>>, delay: Duration) -> Result<()> {
        if let Some(before) = before {
            match wait_for(async move { before.wait().await }, delay).await {
                Err(error) if error.kind() != ErrorKind::Timeout => return Err(error),
                _ => {}
            }
        }
        let Some(address) = self.addresses.borrow_mut().next() else { return Ok(()) };
        let failed = Rc::new(Event::new());
        self.start(Some(Rc::clone(&failed)), delay);
        let own = self.errors.borrow().len();
        self.errors.borrow_mut().push(Vec::new());
        let mut errors = Vec::new();
        let outcome = connect(address, self.locals.as_deref(), &mut errors).await;
        match outcome {
            Ok(stream) => {
                self.winner.set(Some(stream));
                let tasks = self.tasks.borrow().clone();
                tasks.iter().enumerate().filter(|(at, _)| *at != own).for_each(|(_, task)| {
                    task.cancel();
                });
            }
            // A cancellation too: it is the end of this attempt.
            Err(error) => {
                if !error.is_cancelled() {
                    errors.push(error);
                }
                self.errors.borrow_mut()[own] = errors;
                failed.set();
            }
        }
        Ok(())
    }
}

/// Cancels the attempts that go on when the race is left.
struct CancelOnDrop(Rc<Race>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let tasks = self.0.tasks.take();
        tasks.iter().for_each(|task| {
            task.cancel();
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    #[cfg(target_os = "linux")]
    use crate::asyncio::yield_now;
    #[cfg(unix)]
    use crate::event_loop::EventLoop;
    #[cfg(unix)]
    use crate::io::{BindOptions, bind_tcp, listen};

    #[test]
    fn interleaved_addresses_are_those_of_cpython() {
        let address = |name: &str| match name.split_at(1) {
            ("4", port) => format!("127.0.0.1:{port}").parse().unwrap(),
            (_, port) => format!("[::1]:{port}").parse::<SocketAddr>().unwrap(),
        };
        let names = |addresses: &[SocketAddr]| {
            let name = |a: &SocketAddr| format!("{}{}", if a.is_ipv4() { 4 } else { 6 }, a.port());
            addresses.iter().map(name).collect::<Vec<_>>().join(" ")
        };
        let of = |all: &str, count| {
            let all: Vec<_> = all.split(' ').map(address).collect();
            names(&interleaved(&all, count))
        };
        let four_of_each = "61 62 63 64 45 46 47 48";
        assert_eq!(of(four_of_each, 1), "61 45 62 46 63 47 64 48");
        assert_eq!(of("61 62 63 44", 1), "61 44 62 63");
        assert_eq!(of("61 42 43 44", 1), "61 42 43 44");
        assert_eq!(of(four_of_each, 2), "61 62 45 63 46 64 47 48");
        assert_eq!(of("41 42 63", 5), "41 42 63");
    }

    /// Connects to the addresses as `happy_eyeballs_delay` has it, and returns the port that was
    /// connected to, with the time that it took.
    #[cfg(unix)]
    fn raced(addresses: Vec<SocketAddr>) -> (Result<u16>, Duration) {
        let event_loop = EventLoop::with_virtual_time();
        let racing = async move {
            let outcome = Race::new(addresses, None).run(Duration::from_millis(250), false).await;
            Ok(outcome.and_then(|stream| Ok(stream.get_ref().peer_addr()?.port())))
        };
        let outcome = event_loop.run_until_complete(racing).expect("a race");
        (outcome, event_loop.time())
    }

    #[cfg(unix)]
    fn listener(backlog: i32) -> (std::net::TcpListener, SocketAddr) {
        let listener =
            bind_tcp(([127, 0, 0, 1], 0).into(), BindOptions::default()).expect("a free port");
        listen(&listener, backlog).expect("a listener");
        let address = listener.local_addr().expect("its address");
        (listener, address)
    }

    /// An address that refuses connections.
    #[cfg(unix)]
    fn refusing() -> (std::net::TcpListener, SocketAddr) {
        let unused =
            bind_tcp(([127, 0, 0, 1], 0).into(), BindOptions::default()).expect("a free port");
        let address = unused.local_addr().expect("its address");
        (unused, address)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn race_starts_the_next_attempt_after_the_delay() {
        // Its queue is full, so that it answers nothing.
        let (_full, silent) = listener(0);
        let _first = TcpStream::connect(silent).expect("a place in the queue");
        let ((_one, one), (_two, two)) = (listener(1), listener(1));
        let delay = Duration::from_millis(250);
        let (port, time) = raced(vec![silent, one, two]);
        assert_eq!((port.unwrap(), time), (one.port(), delay));
        let (port, time) = raced(vec![silent, silent, two]);
        assert_eq!((port.unwrap(), time), (two.port(), 2 * delay));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn race_that_is_left_cancels_its_attempts() {
        let (_full, silent) = listener(0);
        let _first = TcpStream::connect(silent).expect("a place in the queue");
        let event_loop = EventLoop::with_virtual_time();
        let tasks = event_loop.run_until_complete(async move {
            let racing = Race::new(vec![silent], None).run(Duration::from_secs(1), false);
            let late = wait_for(racing, Duration::from_millis(1)).await;
            assert_eq!(late.map(drop).unwrap_err().kind(), ErrorKind::Timeout);
            yield_now().await?;
            Ok(running_loop()?.all_tasks().len())
        });
        assert_eq!(tasks.unwrap(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn race_starts_the_next_attempt_after_a_failure() {
        let ((_unused, refused), (_one, one)) = (refusing(), listener(1));
        let (port, time) = raced(vec![refused, one]);
        assert_eq!((port.unwrap(), time), (one.port(), Duration::ZERO));
    }

    /// A host without descriptors, and so without sockets.
    #[cfg(unix)]
    struct Bare;

    #[cfg(unix)]
    impl crate::event_loop::Host for Bare {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn wait(&self, _timeout: Option<Duration>) -> Result<()> {
            Ok(())
        }

        fn notifier(&self) -> alloc::sync::Arc<dyn crate::event_loop::Notify> {
            alloc::sync::Arc::new(Bare)
        }
    }

    #[cfg(unix)]
    impl crate::event_loop::Notify for Bare {
        fn notify(&self) {}
    }

    #[cfg(unix)]
    #[test]
    fn race_fails_with_errors_that_are_not_the_systems() {
        let (_one, one) = listener(1);
        let racing = async move {
            let outcome = Race::new(vec![one], None).run(Duration::from_millis(250), false).await;
            Ok(outcome.map(drop))
        };
        let outcome = EventLoop::with_host(Bare).run_until_complete(racing).unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Runtime);
    }

    #[cfg(unix)]
    #[test]
    fn race_fails_with_all_errors() {
        let ((_one, one), (_two, two)) = (refusing(), refusing());
        let (outcome, _) = raced(vec![one]);
        let begin = format!("can't connect to {one}: ");
        assert!(outcome.unwrap_err().message().starts_with(&begin));
        let (outcome, time) = raced(vec![one, two]);
        let message = outcome.unwrap_err().message();
        assert!(message.starts_with(&format!("Multiple exceptions: {begin}")), "{message}");
        assert!(message.contains(&format!(", can't connect to {two}: ")), "{message}");
        assert_eq!(time, Duration::ZERO);
    }
}
