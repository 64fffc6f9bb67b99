//! glommio, on io_uring. It panics with more than 32,767 timers on one task.

use std::{future::Future, net, time::Instant};

use glommio::{LocalExecutorBuilder, Task, net::TcpListener, spawn_local, timer::Timer};

use super::{Rt, shared};

pub struct Glommio;

impl Rt for Glommio {
    type H = ();
    type Join<T: Clone + 'static> = Task<T>;
    shared::channel!();

    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        // Less than it would lock in memory, which not every machine allows.
        let builder = LocalExecutorBuilder::default().io_memory(1 << 20).ring_depth(128);
        builder.make().unwrap().run(async move { spawn_local(main(())).await })
    }

    fn spawn<F>(_: (), future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        spawn_local(future)
    }

    fn cancel<T: Clone + 'static>(task: Task<T>) {
        drop(task)
    }

    fn detach<T: Clone + 'static>(task: Task<T>) {
        task.detach();
    }

    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        async move {
            Timer::new(at.saturating_duration_since(Instant::now())).await;
        }
    }

    async fn echo(_: (), listener: net::TcpListener) {
        let address = listener.local_addr().unwrap();
        // It takes no listener of the standard library's.
        drop(listener);
        let listener = TcpListener::bind(address).unwrap();
        loop {
            let stream = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            spawn_local(shared::echo(stream)).detach();
        }
    }
}
