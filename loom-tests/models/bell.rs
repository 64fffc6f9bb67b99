//! The machine's own notifier: a loop parks its thread, or waits in its poller.

use core::time::Duration;

use super::check::{Search, check, size, thread};
use crate::Notify;
use crate::event_loop::{Bell, EndWait, Inbox};
use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering, Parker};

/// Stands for the poller, where waits and notifications are system calls. Here too one notification
/// stands for all until the wait that it ends is over, and what comes between the two last steps of a
/// wait is swallowed.
struct Poller {
    notified: AtomicBool,
    readable: Mutex<bool>,
    changed: Condvar,
}

impl Poller {
    fn new() -> Poller {
        Poller {
            notified: AtomicBool::new(false),
            readable: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    fn wait(&self) {
        let mut readable = self.readable.lock().unwrap();
        while !*readable {
            readable = self.changed.wait(readable).unwrap();
        }
        *readable = false;
        drop(readable);
        self.notified.swap(false, Ordering::SeqCst);
    }
}

impl EndWait for Poller {
    fn end_wait(&self) {
        if !self.notified.swap(true, Ordering::SeqCst) {
            *self.readable.lock().unwrap() = true;
            self.changed.notify_one();
        }
    }
}

type Mail = Arc<Inbox<usize>>;
type Rung = std::sync::Arc<Bell<Poller>>;

fn mail() -> (Mail, Rung, Parker) {
    let parker = Parker::new();
    let bell = Rung::new(Bell::new(parker.unparker().clone()));
    let inbox = Inbox::new(bell.clone() as std::sync::Arc<dyn Notify>);
    // Makes the first block of the queue: loom sees nothing of the spin that this may take.
    assert!(inbox.post(0).is_ok());
    assert!(inbox.take().is_some());
    (Arc::new(inbox), bell, parker)
}

fn senders(inbox: &Mail, count: usize) -> Vec<thread::JoinHandle<()>> {
    let send = |sender: usize| {
        let inbox = Arc::clone(inbox);
        thread::spawn(move || inbox.post(sender).unwrap())
    };
    (0..count).map(send).collect()
}

/// Takes the next mail as a loop does: by a look, and by a sleep where there is none.
fn next(inbox: &Inbox<usize>, bell: &Bell<Poller>, parker: &Parker) -> usize {
    loop {
        if let Some(mail) = inbox.take() {
            return mail;
        }
        if inbox.begin_sleep() {
            match bell.poller() {
                Some(poller) => poller.wait(),
                None => parker.park_timeout(Duration::MAX),
            }
            inbox.end_sleep();
        }
    }
}

/// Posts against a loop that parks, makes its poller for what the first of them says, and waits in
/// that: no post is slept through.
#[test]
fn posts_against_a_poller_being_made() {
    check("posts_against_a_poller_being_made", Search::Preemptions(3), || {
        let (inbox, bell, parker) = mail();
        let senders = senders(&inbox, size(2, 6));
        let mut got = vec![next(&inbox, &bell, &parker)];
        bell.set_poller(Poller::new());
        got.extend(senders.iter().skip(1).map(|_| next(&inbox, &bell, &parker)));
        got.sort_unstable();
        assert!(got.into_iter().eq(0..size(2, 6)));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

/// Posts against waits in the poller: one notification may stand for several and one may be
/// swallowed, and no post is slept through.
#[test]
fn posts_against_waits_in_the_poller() {
    check("posts_against_waits_in_the_poller", Search::Preemptions(3), || {
        let (inbox, bell, parker) = mail();
        bell.set_poller(Poller::new());
        let senders = senders(&inbox, size(2, 6));
        let mut got: Vec<_> = senders.iter().map(|_| next(&inbox, &bell, &parker)).collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..size(2, 6)));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}
