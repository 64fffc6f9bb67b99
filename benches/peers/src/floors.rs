//! Bare system calls and data structures: what no event loop does without.

use std::{
    cell::Cell,
    collections::VecDeque,
    hint::black_box,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use rustix::{event, event::epoll, io, time::Timespec};

use crate::measure::{Figures, Repeat, Repetitions, each};

pub const NAMES: &[&str] = &["boxed_calls", "clock", "poll", "eventfd_trip"];

/// Runs one; nothing where there is none of that name.
pub fn run(name: &str, n: u64) -> Option<Figures> {
    match name {
        "boxed_calls" => Some(boxed_calls(n)),
        "clock" => Some(clock(n)),
        "poll" => Some(poll(n)),
        "eventfd_trip" => Some(eventfd_trip(n)),
        _ => None,
    }
}

fn repeat(n: u64, mut once: impl FnMut()) -> Figures {
    let mut all = Repetitions::new(Repeat::Enough);
    while all.more() {
        let start = Instant::now();
        once();
        all.push(each(start, n));
    }
    vec![("ns", all.median())]
}

/// A boxed callback put into a queue, taken out and called.
fn boxed_calls(n: u64) -> Figures {
    let mut queue: VecDeque<Box<dyn FnOnce()>> = VecDeque::new();
    let called = Rc::new(Cell::new(0));
    repeat(n, || {
        for _ in 0..n {
            let called = called.clone();
            queue.push_back(Box::new(move || called.set(called.get() + 1)));
        }
        while let Some(callback) = queue.pop_front() {
            callback()
        }
        black_box(called.get());
    })
}

fn clock(n: u64) -> Figures {
    repeat(n, || {
        for _ in 0..n {
            black_box(Instant::now());
        }
    })
}

/// A look at epoll that finds nothing.
fn poll(n: u64) -> Figures {
    let side = Side::new();
    repeat(n, || {
        for _ in 0..n {
            side.look(Some(&Timespec::default()));
        }
    })
}

/// From a thread to another and back, each asleep in epoll meanwhile.
fn eventfd_trip(n: u64) -> Figures {
    let (here, there) = (Side::new(), Side::new());
    let (to_here, to_there) = (here.bell.clone(), there.bell.clone());
    let over = Arc::new(AtomicBool::new(false));
    let told = over.clone();
    let thread = thread::spawn(move || {
        while !told.load(Ordering::Relaxed) {
            there.wait();
            ring(&to_here);
        }
    });
    let figures = repeat(n, || {
        for _ in 0..n {
            ring(&to_there);
            here.wait();
        }
    });
    over.store(true, Ordering::Relaxed);
    ring(&to_there);
    thread.join().unwrap();
    figures
}

/// One of two threads that wake each other.
struct Side {
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
}

impl Side {
    fn new() -> Side {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let flags = event::EventfdFlags::CLOEXEC | event::EventfdFlags::NONBLOCK;
        let bell = Arc::new(event::eventfd(0, flags).unwrap());
        let key = epoll::EventData::new_u64(0);
        epoll::add(&epoll, &bell, key, epoll::EventFlags::IN).unwrap();
        Side { epoll, bell }
    }

    fn look(&self, limit: Option<&Timespec>) {
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); 4];
        epoll::wait(&self.epoll, &mut events, limit).unwrap();
    }

    fn wait(&self) {
        self.look(None);
        io::read(&self.bell, &mut [0; 8]).unwrap();
    }
}

fn ring(bell: &OwnedFd) {
    io::write(bell, &1u64.to_ne_bytes()).unwrap();
}
