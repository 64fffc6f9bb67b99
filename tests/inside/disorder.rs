//! Disorder: what is free is shuffled, what is not stays, and a seed gives a run again.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use callsoon::{
    Disorder, EventLoop, Host, LoopHandle, Notify, Result, create_task, run_on, sleep, yield_now,
};

use crate::support::log_lines::log_lines_of;

const SEEDS: u64 = 40;

/// Two ends of a connection.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// In which order three sockets are served that are ready at the same time, of which each can be
/// read and written.
fn order_of_sockets(disorder: Option<Disorder>) -> Vec<String> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_disorder(disorder);
    let order: Rc<RefCell<Vec<String>>> = Rc::default();
    let mut ends = Vec::new();
    for name in ["a", "b", "c"] {
        let (near, mut far) = connected();
        far.write_all(b"x").unwrap();
        let near = Rc::new(near);
        let (reads, writes) = (order.clone(), order.clone());
        let reader = move || reads.borrow_mut().push(format!("{name} reads"));
        let writer = move || writes.borrow_mut().push(format!("{name} writes"));
        event_loop.add_reader(near.clone(), reader).unwrap();
        event_loop.add_writer(near.clone(), writer).unwrap();
        ends.push((near, far));
    }
    while order.borrow().is_empty() {
        event_loop.run_once(None).unwrap();
    }
    order.take()
}

#[test]
fn free_disorder_reorders_sockets_but_not_a_sockets_halves() {
    let mut orders = BTreeSet::new();
    for seed in 0..SEEDS {
        let disorder = Some(Disorder::free(seed));
        let order = order_of_sockets(disorder);
        assert_eq!(order_of_sockets(disorder), order, "seed {seed}");
        for pair in order.chunks(2) {
            let name = &pair[0][..1];
            assert_eq!(pair, [format!("{name} reads"), format!("{name} writes")], "seed {seed}");
        }
        orders.insert(order);
    }
    assert_eq!(orders.len(), 6, "all orders come up");
}

/// A machine below the loop on which a thread calls in whenever the loop waits.
#[derive(Clone, Default)]
struct CallsWhileItWaits(Rc<RefCell<Option<LoopHandle>>>);

struct NoBell;

impl Notify for NoBell {
    fn notify(&self) {}
}

impl Host for CallsWhileItWaits {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _: Option<Duration>) -> Result<()> {
        if let Some(handle) = self.0.take() {
            let calls = move || handle.call_soon_threadsafe(|| ());
            std::thread::spawn(calls).join().unwrap()?;
        }
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(NoBell)
    }
}

#[test]
fn free_disorder_moves_another_threads_calls_and_loses_none() {
    let mut deferred = Vec::new();
    for seed in 0..SEEDS {
        let host = CallsWhileItWaits::default();
        let event_loop = EventLoop::with_host(host.clone());
        event_loop.set_disorder(Some(Disorder::free(seed)));
        host.0.replace(Some(event_loop.handle()));
        // The last turn before the call is the one that has waited.
        let mut after_the_wait = 0;
        while event_loop.run_once(None).unwrap() == 0 {
            after_the_wait += usize::from(host.0.borrow().is_none());
        }
        deferred.push(after_the_wait);
    }
    assert!(deferred.iter().all(|turns| *turns <= 1), "{deferred:?}");
    let number = deferred.iter().sum::<usize>();
    assert!((1..SEEDS as usize / 2).contains(&number), "{number}, where one in four is meant");
}

#[test]
fn without_disorder_an_observed_loop_defers_nothing() {
    let host = CallsWhileItWaits::default();
    let event_loop = EventLoop::with_host(host.clone());
    event_loop.start_schedule_hash();
    for _ in 0..100 {
        host.0.replace(Some(event_loop.handle()));
        assert_eq!(event_loop.run_once(None).unwrap(), 1);
    }
}

/// Runs a program that relies on the order: the second task takes for granted that the first has run.
fn leaning(disorder: Option<Disorder>) -> Result<&'static str> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_disorder(disorder);
    run_on(&event_loop, async {
        let set_up = Rc::new(RefCell::new(None));
        let own = set_up.clone();
        create_task(async move {
            own.replace(Some("ready"));
            Ok(())
        });
        let uses = create_task(async move { Ok(set_up.borrow().unwrap_or("used too early")) });
        uses.await
    })
}

#[test]
fn ready_disorder_finds_reliance_on_fifo_and_a_seed_repeats_it() {
    let found: Vec<u64> = (0..SEEDS)
        .filter(|seed| leaning(Some(Disorder::ready(*seed))).unwrap() == "used too early")
        .collect();
    assert!(!found.is_empty() && found.len() < SEEDS as usize, "{found:?}");
    for seed in found {
        assert_eq!(leaning(Some(Disorder::ready(seed))).unwrap(), "used too early", "{seed}");
    }
    for seed in 0..SEEDS {
        assert_eq!(leaning(Some(Disorder::free(seed))).unwrap(), "ready", "it may lean on that");
    }
    assert_eq!(leaning(None).unwrap(), "ready");
}

#[test]
fn time_and_turns_stay_as_they_are() {
    for seed in 0..SEEDS {
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_disorder(Some(Disorder::ready(seed)));
        let order: Rc<RefCell<Vec<u64>>> = Rc::default();
        let own = order.clone();
        let main = async move {
            for second in [3, 1, 2] {
                let own = own.clone();
                create_task(async move {
                    sleep(Duration::from_secs(second)).await?;
                    own.borrow_mut().push(second);
                    Ok(())
                });
            }
            for _ in 0..3 {
                yield_now().await?;
            }
            own.borrow_mut().push(0);
            sleep(Duration::from_secs(4)).await
        };
        event_loop.run_until_complete(main).unwrap();
        assert_eq!(*order.borrow(), [0, 1, 2, 3], "seed {seed}");
        assert_eq!(event_loop.time(), Duration::from_secs(4));
    }
}

#[test]
fn a_loop_that_has_nothing_to_do_stalls_all_the_same() {
    for seed in 0..SEEDS {
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_disorder(Some(Disorder::free(seed)));
        let stalled = event_loop.run_forever().unwrap_err();
        assert_eq!(stalled.kind(), callsoon::ErrorKind::Stalled);
    }
}

#[test]
fn the_seed_is_logged_and_disorder_can_be_ended() {
    let event_loop = EventLoop::with_virtual_time();
    assert_eq!(event_loop.disorder(), None);
    let lines = log_lines_of(|| event_loop.set_disorder(Some(Disorder::ready(7))));
    assert_eq!(lines, ["INFO: disorder of what is ready, seed 7"]);
    assert_eq!(event_loop.disorder().map(|disorder| disorder.seed()), Some(7));
    let free = Disorder::free(3).to_string();
    assert_eq!(free, "disorder of what the contract leaves free, seed 3");

    let lines = log_lines_of(|| event_loop.set_disorder(None));
    assert!(lines.is_empty());
    let order = Rc::new(RefCell::new(Vec::new()));
    for n in 0..100 {
        let order = order.clone();
        event_loop.call_soon(move || order.borrow_mut().push(n)).unwrap();
    }
    assert_eq!(event_loop.run_once(None).unwrap(), 100);
    assert!(order.borrow().is_sorted());
}
