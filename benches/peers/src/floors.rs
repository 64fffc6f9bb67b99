//! Bare data structures and system calls: what no scheduler can beat.
use crate::work::{on_loop, on_worker};
use crate::{
    measure::{Reps, Rng},
    work::Figures,
};
use std::{
    collections::{BTreeMap, BinaryHeap, VecDeque},
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

pub const NAMES: &[&str] = &[
    "vecdeque_box_fn",
    "vecdeque_usize",
    "vecdeque_fnptr",
    "heap",
    "btree",
    "wheel_cancel",
    "wheel_fire",
    "box_alloc",
    "slab",
    "clock",
    "epoll_wait0",
    "eventfd_epoll",
    "futex_park",
    "spin",
];

fn bench(n: u64, mut f: impl FnMut()) -> Figures {
    on_loop();
    let mut reps = Reps::new(false);
    while reps.more() {
        let t = Instant::now();
        f();
        reps.push(t.elapsed().as_nanos() as f64 / n as f64);
    }
    vec![("ns", reps.median())]
}

pub fn run(name: &str, n: u64) -> Option<Figures> {
    Some(match name {
        // n closures pushed, then popped and called (push + pop + call = one op)
        "vecdeque_box_fn" => {
            let mut q: VecDeque<Box<dyn FnOnce()>> = VecDeque::new();
            let acc = std::rc::Rc::new(std::cell::Cell::new(0u64));
            bench(n, || {
                for i in 0..n {
                    let a = acc.clone();
                    q.push_back(Box::new(move || a.set(a.get() + i)));
                }
                while let Some(f) = q.pop_front() {
                    f()
                }
                black_box(acc.get());
            })
        }
        // the same without a heap block per call: a function pointer and a word
        "vecdeque_fnptr" => {
            let mut q: VecDeque<(fn(usize, &mut u64), usize)> = VecDeque::new();
            let mut acc = 0;
            bench(n, || {
                for i in 0..n {
                    q.push_back(black_box((|x, a| *a += x as u64, i as usize)));
                }
                while let Some((f, x)) = q.pop_front() {
                    f(x, &mut acc)
                }
                black_box(acc);
            })
        }
        "vecdeque_usize" => {
            let mut q: VecDeque<usize> = VecDeque::new();
            let mut acc = 0;
            bench(n, || {
                for i in 0..n {
                    q.push_back(black_box(i as usize));
                }
                while let Some(x) = q.pop_front() {
                    acc += black_box(x)
                }
                black_box(acc);
            })
        }
        // n (deadline, id) inserted in random order, then popped in order
        "heap" => {
            let mut q = BinaryHeap::new();
            let mut r = Rng(7);
            bench(n, || {
                for i in 0..n {
                    q.push((r.next() % 10_000_000_000, i));
                }
                while let Some(x) = q.pop() {
                    black_box(x);
                }
            })
        }
        "btree" => {
            let mut q = BTreeMap::new();
            let mut r = Rng(7);
            bench(n, || {
                for i in 0..n {
                    q.insert((r.next() % 10_000_000_000, i), ());
                }
                while let Some(x) = q.pop_first() {
                    black_box(x);
                }
            })
        }
        // a six-level wheel of 64 slots, 1 ms ticks, u32 links in one Vec: n in (0..10 s), n out
        "wheel_cancel" => {
            let mut w = Wheel::new();
            let mut ids = Vec::with_capacity(n as usize);
            let mut r = Rng(7);
            bench(n, || {
                for i in 0..n {
                    ids.push(w.insert(r.next() % 10_000, i));
                }
                for id in ids.drain(..) {
                    black_box(w.remove(id));
                }
            })
        }
        // n inserted within 50 ticks, then the clock runs 50 ticks and takes every one
        "wheel_fire" => {
            let mut w = Wheel::new();
            let mut r = Rng(7);
            bench(n, || {
                for i in 0..n {
                    w.insert(r.next() % 50 + 1, i);
                }
                let mut out = 0;
                for _ in 0..51 {
                    w.tick(|v| {
                        black_box(v);
                        out += 1
                    });
                }
                assert_eq!(out, n);
            })
        }
        // n boxes of 64 bytes made and kept, then freed
        "box_alloc" => {
            let mut v: Vec<Box<[u64; 8]>> = Vec::with_capacity(n as usize);
            bench(n, || {
                for i in 0..n {
                    v.push(Box::new([i; 8]));
                }
                black_box(&v);
                v.clear();
            })
        }
        // n 64-byte values into a slab, then out
        "slab" => {
            let mut s: slab::Slab<[u64; 8]> = slab::Slab::new();
            bench(n, || {
                for i in 0..n {
                    s.insert([i; 8]);
                }
                black_box(&s);
                for i in 0..n {
                    black_box(s.remove(i as usize));
                }
            })
        }
        // Instant::now, and an epoll_wait that finds nothing: what one loop iteration owes
        "clock" => bench(n, || {
            for _ in 0..n {
                black_box(Instant::now());
            }
        }),
        "epoll_wait0" => {
            let e = Ev::new();
            let mut evs = [libc::epoll_event { events: 0, u64: 0 }; 4];
            bench(n, || {
                for _ in 0..n {
                    black_box(unsafe { libc::epoll_wait(e.ep, evs.as_mut_ptr(), 4, 0) });
                }
            })
        }
        // round trip between two threads, both blocked in epoll_wait on an eventfd
        "eventfd_epoll" => {
            let (a, b) = (Ev::new(), Ev::new());
            let (afd, bfd) = (a.fd, b.fd);
            let stop = Arc::new(AtomicBool::new(false));
            let s2 = stop.clone();
            let th = std::thread::spawn(move || {
                on_worker(());
                while !s2.load(Ordering::Relaxed) {
                    a.wait();
                    Ev::signal(bfd);
                }
            });
            let f = bench(n, || {
                for _ in 0..n {
                    Ev::signal(afd);
                    b.wait();
                }
            });
            stop.store(true, Ordering::Relaxed);
            Ev::signal(afd);
            th.join().unwrap();
            f
        }
        // the same with thread::park / unpark (futex)
        "futex_park" => {
            let me = std::thread::current();
            let turn = Arc::new(AtomicU64::new(0));
            let t2 = turn.clone();
            let th = std::thread::spawn(move || {
                on_worker(());
                loop {
                    match t2.load(Ordering::Acquire) {
                        1 => {
                            t2.store(0, Ordering::Release);
                            me.unpark()
                        }
                        2 => return,
                        _ => std::thread::park(),
                    }
                }
            });
            let f = bench(n, || {
                for _ in 0..n {
                    turn.store(1, Ordering::Release);
                    th.thread().unpark();
                    while turn.load(Ordering::Acquire) != 0 {
                        std::thread::park()
                    }
                }
            });
            turn.store(2, Ordering::Release);
            th.thread().unpark();
            th.join().unwrap();
            f
        }
        // the same, both spinning: the cache line's own round trip
        "spin" => {
            let turn = Arc::new(AtomicU64::new(0));
            let t2 = turn.clone();
            let th = std::thread::spawn(move || {
                on_worker(());
                loop {
                    match t2.load(Ordering::Acquire) {
                        1 => t2.store(0, Ordering::Release),
                        2 => return,
                        _ => std::hint::spin_loop(),
                    }
                }
            });
            let f = bench(n, || {
                for _ in 0..n {
                    turn.store(1, Ordering::Release);
                    while turn.load(Ordering::Acquire) != 0 {
                        std::hint::spin_loop()
                    }
                }
            });
            turn.store(2, Ordering::Release);
            th.join().unwrap();
            f
        }
        _ => return None,
    })
}

struct Ev {
    fd: i32,
    ep: i32,
}
impl Ev {
    fn new() -> Ev {
        unsafe {
            let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            let ep = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            let mut e = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            assert_eq!(libc::epoll_ctl(ep, libc::EPOLL_CTL_ADD, fd, &mut e), 0);
            Ev { fd, ep }
        }
    }
    fn signal(fd: i32) {
        let one = 1u64;
        unsafe { libc::write(fd, &one as *const u64 as *const _, 8) };
    }
    fn wait(&self) {
        let mut e = [libc::epoll_event { events: 0, u64: 0 }; 4];
        let mut v = 0u64;
        unsafe {
            while libc::epoll_wait(self.ep, e.as_mut_ptr(), 4, -1) < 1 {}
            libc::read(self.fd, &mut v as *mut u64 as *mut _, 8);
        }
    }
}

const NIL: u32 = u32::MAX;
#[derive(Clone, Copy)]
struct Node {
    next: u32,
    prev: u32, // a node, or NIL when first of its slot
    slot: u32,
    when: u64,
    val: u64,
}
struct Wheel {
    now: u64,
    nodes: Vec<Node>,
    free: u32,
    heads: [u32; 6 * 64],
}
impl Wheel {
    fn new() -> Self {
        Wheel { now: 0, nodes: vec![], free: NIL, heads: [NIL; 384] }
    }
    fn link(&mut self, id: u32, when: u64) {
        let level = ((63 - ((self.now ^ when) | 63).leading_zeros()) / 6).min(5);
        let slot = level * 64 + (when >> (6 * level)) as u32 % 64;
        let head = std::mem::replace(&mut self.heads[slot as usize], id);
        if head != NIL {
            self.nodes[head as usize].prev = id;
        }
        let n = &mut self.nodes[id as usize];
        (n.next, n.prev, n.slot) = (head, NIL, slot);
    }
    fn insert(&mut self, delay: u64, val: u64) -> u32 {
        let when = self.now + delay;
        let node = Node { next: NIL, prev: NIL, slot: 0, when, val };
        let id = match self.free {
            NIL => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
            f => {
                self.free = self.nodes[f as usize].next;
                self.nodes[f as usize] = node;
                f
            }
        };
        self.link(id, when);
        id
    }
    fn remove(&mut self, id: u32) -> u64 {
        let n = self.nodes[id as usize];
        match n.prev {
            NIL => self.heads[n.slot as usize] = n.next,
            p => self.nodes[p as usize].next = n.next,
        }
        if n.next != NIL {
            self.nodes[n.next as usize].prev = n.prev;
        }
        self.nodes[id as usize].next = std::mem::replace(&mut self.free, id);
        n.val
    }
    fn tick(&mut self, mut f: impl FnMut(u64)) {
        self.now += 1;
        // cascade the levels whose lower digits have all become zero, highest first
        let top = (self.now.trailing_zeros() / 6).min(5);
        for level in (0..=top).rev() {
            let slot = level as u64 * 64 + (self.now >> (6 * level)) % 64;
            let mut id = std::mem::replace(&mut self.heads[slot as usize], NIL);
            while id != NIL {
                let n = self.nodes[id as usize];
                if n.when <= self.now {
                    f(n.val);
                    self.nodes[id as usize].next = std::mem::replace(&mut self.free, id);
                } else {
                    self.link(id, n.when);
                }
                id = n.next;
            }
        }
    }
}
