//! The mail of a loop, and its sleep.

use super::check::{Search, check, size, thread};
use super::host::Bell;
use crate::event_loop::Inbox;
use crate::sync::Arc;

fn inbox<M: Default>() -> (Arc<Inbox<M>>, std::sync::Arc<Bell>) {
    let bell = Bell::new();
    let inbox = Inbox::new(bell.clone());
    // Makes the queue's first block beforehand: a model learns nothing from the spin that makes it.
    assert!(inbox.post(M::default()).is_ok());
    assert!(inbox.take().is_some());
    (Arc::new(inbox), bell)
}

/// Takes the next piece of mail as a loop does: looks, says that it will sleep, sleeps.
fn next<M>(inbox: &Inbox<M>, bell: &Bell) -> M {
    loop {
        if let Some(mail) = inbox.take() {
            return mail;
        }
        if inbox.begin_sleep() {
            bell.wait();
            inbox.end_sleep();
        }
    }
}

/// A post between the loop's last look and its sleep: one of the two sees the other.
#[test]
fn post_against_sleep() {
    check("post_against_sleep", Search::All, || {
        let (inbox, bell) = inbox();
        let sender = Arc::clone(&inbox);
        let sender = thread::spawn(move || sender.post(7).unwrap());
        assert_eq!(next(&inbox, &bell), 7);
        sender.join().unwrap();
    });
}

/// Two senders and a loop that falls asleep, is woken for the one, and sleeps again: the other
/// isn't lost by the wake of the first.
#[test]
fn two_posts_against_a_sleep() {
    check("two_posts_against_a_sleep", Search::Preemptions(3), || {
        let (inbox, bell) = inbox();
        let senders: Vec<_> = (0..size(2, 6))
            .map(|sender| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || inbox.post(sender).unwrap())
            })
            .collect();
        let mut got: Vec<_> = senders.iter().map(|_| next(&inbox, &bell)).collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..size(2, 6)));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

/// A post between two turns of a host that sleeps there: the host sees the mail, or is notified.
#[test]
fn post_between_turns() {
    check("post_between_turns", Search::All, || {
        let (inbox, bell) = inbox();
        let sender = Arc::clone(&inbox);
        let sender = thread::spawn(move || sender.post(7).unwrap());
        inbox.arm();
        if inbox.is_empty() {
            bell.wait();
        }
        assert_eq!(inbox.take(), Some(7));
        sender.join().unwrap();
    });
}

/// A burst against one sleep rings once at most, and not at all while the loop is awake.
#[test]
fn a_burst_rings_once() {
    check("a_burst_rings_once", Search::Preemptions(4), || {
        let (inbox, bell) = inbox();
        let senders: Vec<_> = (0..size(2, 6))
            .map(|sender| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || inbox.post(sender).unwrap())
            })
            .collect();
        let slept = inbox.begin_sleep();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let rung = bell.count();
        assert!(rung <= 1 && (rung == 1 || !slept));
        inbox.end_sleep();
        inbox.post(9).unwrap();
        assert_eq!(bell.count(), rung);
    });
}

/// The mail of one sender comes in the order in which it was posted, whatever another posts.
#[test]
fn order_of_one_sender() {
    check("order_of_one_sender", Search::Preemptions(3), || {
        let (inbox, bell) = inbox();
        let posts = size(2, 20);
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || {
                    for number in 0..posts {
                        inbox.post((sender, number)).unwrap();
                    }
                })
            })
            .collect();
        let mut expected = [0, 0];
        for _ in 0..2 * posts {
            let (sender, number) = next(&inbox, &bell);
            assert_eq!(number, expected[sender]);
            expected[sender] += 1;
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

/// A post while the inbox closes is refused, or can be read afterwards: it is never neither,
/// nor both.
#[test]
fn post_against_close() {
    check("post_against_close", Search::All, || {
        let (inbox, _bell) = inbox();
        let sender = Arc::clone(&inbox);
        let sender = thread::spawn(move || sender.post(7).is_ok());
        inbox.close();
        let mut found = usize::from(inbox.take().is_some());
        let posted = sender.join().unwrap();
        found += core::iter::from_fn(|| inbox.take()).count();
        assert_eq!(found, usize::from(posted));
    });
}

/// The last writer is dropped while the loop, which waits for writers alone, falls asleep: the loop
/// sees that no writer is left, or is woken.
#[test]
fn the_last_writer_against_a_sleep() {
    check("the_last_writer_against_a_sleep", Search::All, || {
        let (inbox, bell) = inbox::<usize>();
        let writers = size(2, 6);
        (0..writers).for_each(|_| inbox.add_writer());
        let writers: Vec<_> = (0..writers)
            .map(|_| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || inbox.drop_writer())
            })
            .collect();
        while inbox.has_writers() {
            if inbox.begin_sleep() {
                if inbox.has_writers() {
                    bell.wait();
                }
                inbox.end_sleep();
            }
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
}
