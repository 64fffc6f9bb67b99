//! The mail that handlers of interrupts leave, each piece with its own link.
#![allow(unsafe_code)]

use super::check::{Search, check, size, thread};
use crate::event_loop::{Link, Linked, LinkedMail};
use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

/// A message of a sender, which loom sees written and read.
struct Letter {
    link: Link,
    text: UnsafeCell<(usize, usize)>,
}

struct Message(Box<Letter>);

fn message(sender: usize, number: usize) -> Message {
    Message(Box::new(Letter { link: Link::new(), text: UnsafeCell::new((sender, number)) }))
}

impl Message {
    fn read(self) -> (usize, usize) {
        self.0.text.with_mut(|text| {
            // SAFETY: The letter is this message's alone.
            unsafe { *text }
        })
    }
}

// SAFETY: It is a box.
unsafe impl Send for Message {}

// SAFETY: A message gives up its box with its link, and gets it back by it.
unsafe impl Linked for Message {
    fn into_link(self) -> *mut Link {
        let letter = Box::into_raw(self.0);
        // SAFETY: It comes out of a box.
        unsafe { &raw mut (*letter).link }.map_addr(|address| address | 1)
    }

    unsafe fn from_link(link: *mut Link) -> Message {
        let link = link.map_addr(|address| address & !1);
        let offset = std::mem::offset_of!(Letter, link);
        // SAFETY: It is the link of a letter that came out of its box by `into_link`.
        Message(unsafe { Box::from_raw(link.byte_sub(offset).cast()) })
    }
}

type Mail = Arc<LinkedMail<Message>>;

fn send(mail: &Mail, sender: usize, numbers: core::ops::Range<usize>) {
    for number in numbers {
        assert!(mail.push(message(sender, number)).is_ok());
    }
}

/// Pushes against each other and the reader: none is lost, none comes twice, and those of one sender
/// keep their order. A thread that is preempted in a push by all of another's is what an interrupt
/// handler does to it.
#[test]
fn pushes_against_each_other() {
    check("linked_mail::pushes_against_each_other", Search::Preemptions(2), || {
        let mail = Mail::new(LinkedMail::unbounded());
        let posts = size(2, 20);
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let mail = Arc::clone(&mail);
                thread::spawn(move || send(&mail, sender, 0..posts))
            })
            .collect();
        let mut expected = [0, 0];
        while expected != [posts, posts] {
            match mail.pop() {
                Ok(message) => {
                    let (sender, number) = message.read();
                    assert_eq!(number, expected[sender]);
                    expected[sender] += 1;
                }
                Err(_) => thread::yield_now(),
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(mail.is_empty());
    });
}

/// The count of what there is, against pushes: what is counted can be taken, what was counted before and
/// not taken is counted again, and what comes later stands behind it.
#[test]
fn push_against_len() {
    check("linked_mail::push_against_len", Search::All, || {
        let mail = Mail::new(LinkedMail::unbounded());
        send(&mail, 0, 0..2);
        let sender = {
            let mail = Arc::clone(&mail);
            thread::spawn(move || send(&mail, 0, 2..4))
        };
        assert!(mail.len() >= 2);
        assert_eq!(mail.pop().ok().map(Message::read), Some((0, 0)));
        let mut got = 1;
        for _ in 0..mail.len() {
            assert_eq!(mail.pop().ok().map(Message::read), Some((0, got)));
            got += 1;
        }
        sender.join().unwrap();
        while let Ok(message) = mail.pop() {
            assert_eq!(message.read(), (0, got));
            got += 1;
        }
        assert_eq!(got, 4);
    });
}

/// A push while the queue closes is refused, or can be taken out: it is never neither, nor both.
#[test]
fn push_against_close() {
    check("linked_mail::push_against_close", Search::All, || {
        let mail = Mail::new(LinkedMail::unbounded());
        let sender = {
            let mail = Arc::clone(&mail);
            thread::spawn(move || match mail.push(message(0, 7)) {
                Ok(()) => true,
                Err(refused) => {
                    assert_eq!(refused.into_inner().read(), (0, 7));
                    false
                }
            })
        };
        mail.close();
        let mut found = mail.len();
        let posted = sender.join().unwrap();
        assert_eq!(found, usize::from(posted));
        while let Ok(message) = mail.pop() {
            message.read();
            found -= 1;
        }
        assert_eq!(found, 0);
    });
}

/// Pushes amid a drain, as of handlers that interrupt each other and the reader: what was pushed before
/// the reader looks isn't overlooked, whether it stands on the stack or has been taken off it.
#[test]
fn pushes_amid_a_drain() {
    check("linked_mail::pushes_amid_a_drain", Search::Preemptions(2), || {
        let mail = Mail::new(LinkedMail::unbounded());
        let pushed = Arc::new(AtomicUsize::new(0));
        let posts = size(2, 9);
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let (mail, pushed) = (Arc::clone(&mail), Arc::clone(&pushed));
                // One of the two is a handler that interrupts the other once.
                let numbers = 0..if sender == 0 { posts } else { 1 };
                thread::spawn(move || {
                    for number in numbers {
                        send(&mail, sender, number..number + 1);
                        pushed.fetch_add(1, Ordering::Release);
                    }
                })
            })
            .collect();
        let (mut got, mut expected) = (0, [0, 0]);
        while got < posts + 1 {
            let before = pushed.load(Ordering::Acquire);
            if mail.is_empty() {
                assert!(before <= got, "{before} pushed, {got} taken");
                thread::yield_now();
                continue;
            }
            let (sender, number) = mail.pop().ok().unwrap().read();
            assert_eq!(number, expected[sender]);
            expected[sender] += 1;
            got += 1;
        }
        assert!(mail.pop().is_err());
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}
