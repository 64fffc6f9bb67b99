//! A server on several threads, each with a loop and a listener of its own. The system deals the
//! connections out; the loops share nothing.

use std::cell::RefCell;
use std::net::{self, SocketAddr};
use std::rc::Rc;

use callsoon::io::TcpListener;
use callsoon::{
    Answer, AnyFuture, Result, ReturnWhen, ThreadPoolExecutor, create_task, gather, run,
    running_loop, wait,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::{Stop, serve_until};

/// Connections that wait to be accepted, for each listener.
const BACKLOG: i32 = 1024;

/// Returns `count` listeners at one address (port 0: one that is free).
pub fn listen(mut address: SocketAddr, count: usize) -> Result<Vec<net::TcpListener>> {
    let mut listeners = Vec::new();
    for _ in 0..count {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket =
            rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        let listener = net::TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Serves on a thread for each of `listeners` until `stop` is set, and returns how many connections each
/// thread had. If one of them fails, all end, and its error is returned.
pub async fn serve_on_threads(listeners: Vec<net::TcpListener>, stop: &Stop) -> Result<Vec<usize>> {
    let on = running_loop()?;
    let executor = ThreadPoolExecutor::named(listeners.len(), "server")?;
    // Dropped, they stop the threads; `None` stops one that begins later.
    let stops = Rc::new(RefCell::new(Some(Vec::new())));
    let mut threads = Vec::new();
    for listener in listeners {
        let stops = stops.clone();
        let begun = on.expect_answer(move |stop: Result<Answer<()>>| {
            if let Some(stops) = &mut *stops.borrow_mut() {
                stops.extend(stop);
            }
        })?;
        threads.push(on.run_in_executor(Some(&executor), move || serve_here(listener, begun))?);
    }
    let stopped = create_task({
        let stop = stop.clone();
        async move { stop.wait().await }
    });
    let ends = threads.iter().map(|thread| thread as &dyn AnyFuture).chain([&stopped as _]);
    let waited = wait(ends, None, ReturnWhen::FirstCompleted).await;
    drop(stops.take());
    stopped.cancel();
    waited?;
    wait(&threads, None, ReturnWhen::AllCompleted).await?;
    gather(&threads).await
}

/// Runs a loop that serves until the answer that it owes is given, or dropped.
fn serve_here(listener: net::TcpListener, begun: Answer<Answer<()>>) -> Result<usize> {
    run(async move {
        let stop = Stop::default();
        let stops = stop.clone();
        begun.give(Ok(running_loop()?.expect_answer(move |_| stops.set())?))?;
        serve_until(TcpListener::from(listener)?, &stop).await
    })
}
