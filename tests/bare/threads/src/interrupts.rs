//! Interrupts of the loop's thread, by signals. Their handlers wake and call: once between any two
//! instructions of a push, of a turn and of the way to a sleep, which the processor executes step by step
//! for that, and a hundred thousand times from another thread, where one handler interrupts the other. No
//! handler allocates or waits, nothing is lost, and nothing comes twice.

use std::arch::asm;
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, Host, LoopHandle, Notify, Result};

use crate::IN_INTERRUPT;
use crate::mail::allocations_of;

const TASKS: usize = 2;
/// Slots for calls: few, so that some are refused.
const SLOTS: usize = 3;
/// The senders: the handlers of the two signals, and the loop's thread outside of them.
const SENDERS: usize = 3;
const OWN: usize = 2;
const SIGNALS: usize = 100_000;

static WORLD: OnceLock<World> = OnceLock::new();
static NOTIFIED: AtomicBool = AtomicBool::new(false);
/// Instructions that were executed step by step, and of them the one that is interrupted.
static STEPS: AtomicUsize = AtomicUsize::new(0);
static INTERRUPTED: AtomicUsize = AtomicUsize::new(0);

/// The loop's handle and two tasks' wakers, and a record of all that went through them.
struct World {
    handle: LoopHandle,
    wakers: [Waker; TASKS],
    /// The task was woken, and has not run since.
    is_woken: [AtomicBool; TASKS],
    /// Things sent by each sender.
    number: [AtomicUsize; SENDERS],
    taken: AtomicUsize,
    refused: AtomicUsize,
    ran: AtomicUsize,
    /// The number of each sender's call that ran last.
    last: [AtomicUsize; SENDERS],
    allocations: AtomicUsize,
}

fn world() -> &'static World {
    WORLD.get().expect("it is made before any signal")
}

impl World {
    /// Sends the next thing of this sender: a wake of one of the tasks, or a call.
    fn send(&self, sender: usize) {
        let number = self.number[sender].fetch_add(1, SeqCst) + 1;
        if let Some(waker) = self.wakers.get(number % 3) {
            self.is_woken[number % 3].store(true, SeqCst);
            waker.wake_by_ref();
        } else {
            self.call(sender, number);
        }
    }

    fn call(&self, sender: usize, number: usize) {
        // Counted before, as it may run before a count behind it.
        self.taken.fetch_add(1, SeqCst);
        let sent = self.handle.call_soon_threadsafe(move || {
            let world = world();
            let last = world.last[sender].swap(number, SeqCst);
            assert!(last < number, "call {number} of sender {sender} comes behind {last}");
            world.ran.fetch_add(1, SeqCst);
        });
        if let Err(error) = sent {
            assert_eq!(error.kind(), ErrorKind::QueueFull);
            self.taken.fetch_sub(1, SeqCst);
            self.refused.fetch_add(1, SeqCst);
        }
    }

    fn has_unread(&self) -> bool {
        self.taken.load(SeqCst) > self.ran.load(SeqCst)
            || self.is_woken.iter().any(|woken| woken.load(SeqCst))
    }
}

/// A clock that stands still, and a sleep that only a notification ends. Where none has come before, it is that
/// of something that is sent here.
struct Board;

struct Bell;

impl Notify for Bell {
    fn notify(&self) {
        NOTIFIED.store(true, SeqCst);
    }
}

impl Host for Board {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Ok(());
        }
        let unread = world().has_unread();
        // In this order: a signal may come between the two.
        assert!(!unread || NOTIFIED.load(SeqCst), "the loop sleeps over what was sent");
        while !NOTIFIED.swap(false, SeqCst) {
            in_interrupt(OWN);
        }
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Bell)
    }
}

/// The work of a handler.
fn in_interrupt(sender: usize) {
    let outer = IN_INTERRUPT.swap(true, SeqCst);
    let ((), allocations) = allocations_of(|| world().send(sender));
    world().allocations.fetch_add(allocations, SeqCst);
    IN_INTERRUPT.store(outer, SeqCst);
}

extern "C" fn on_signal(signal: libc::c_int) {
    in_interrupt(usize::from(signal == libc::SIGUSR2));
}

extern "C" fn on_step(_: libc::c_int) {
    if STEPS.fetch_add(1, SeqCst) == INTERRUPTED.load(SeqCst) {
        in_interrupt(0);
    }
}

fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: The handlers use atomics, and functions of the crate that interrupts may call.
    let before = unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Does `work` step by step, interrupts it before the instruction of this number, and returns how many
/// there were.
fn stepped(interrupted: usize, work: impl FnOnce()) -> usize {
    STEPS.store(0, SeqCst);
    INTERRUPTED.store(interrupted, SeqCst);
    // SAFETY: The trap flag sends SIGTRAP after each instruction, which has a handler.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    work();
    // SAFETY: It takes the flag back.
    unsafe { asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq") };
    STEPS.load(SeqCst)
}

/// Interrupts each instruction of `work`, or one of so many, each time in a `work` of its own.
fn each_instruction(every: usize, event_loop: &EventLoop, work: impl Fn()) -> usize {
    let (mut interrupted, mut interrupts) = (0, 0);
    while stepped(interrupted, &work) > interrupted {
        turn(event_loop);
        check(event_loop);
        interrupted += every;
        interrupts += 1;
    }
    interrupts
}

fn turn(event_loop: &EventLoop) {
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
}

fn check(event_loop: &EventLoop) {
    for _ in 0..3 {
        turn(event_loop);
    }
    assert!(!world().has_unread(), "a wake or a call was lost");
    assert_eq!(world().taken.load(SeqCst), world().ran.load(SeqCst), "a call ran twice");
    assert_eq!(world().allocations.load(SeqCst), 0, "a handler allocates");
}

/// A waker of a task that notes each of its steps.
fn waker_of(event_loop: &EventLoop, task: usize) -> Waker {
    let waker: Rc<Cell<Option<Waker>>> = Rc::default();
    let kept = waker.clone();
    let steps = event_loop.create_task(poll_fn(move |cx| {
        if let Some(world) = WORLD.get() {
            world.is_woken[task].store(false, SeqCst);
        }
        kept.set(Some(cx.waker().clone()));
        Poll::<Result<()>>::Pending
    }));
    drop(steps.expect("the loop is open"));
    turn(event_loop);
    waker.take().expect("it was polled")
}

/// Signals of another thread, which come at any time, while this one turns, sends and sleeps.
fn under_fire(event_loop: &EventLoop) {
    // SAFETY: It has no conditions.
    let target = unsafe { libc::pthread_self() } as usize;
    let (ended, ends) = mpsc::channel();
    let gun = thread::spawn(move || {
        for number in 0..SIGNALS {
            let signal = if number % 2 == 0 { libc::SIGUSR1 } else { libc::SIGUSR2 };
            // SAFETY: The thread waits for this one.
            assert_eq!(unsafe { libc::pthread_kill(target as libc::pthread_t, signal) }, 0);
        }
        ended.send(()).expect("the other thread waits");
    });
    while ends.try_recv().is_err() {
        // More calls than there are slots.
        (0..4 * SLOTS).for_each(|_| world().send(OWN));
        event_loop.run_once(None).expect("the loop runs");
    }
    gun.join().expect("the thread ends");
    check(event_loop);
    assert_ne!(world().refused.load(SeqCst), 0, "the table of calls was never full");
}

fn step_by_step(event_loop: &EventLoop) {
    let sends = each_instruction(1, event_loop, || (0..3).for_each(|_| world().send(OWN)));
    if sends == 0 {
        return println!("interrupts: none step by step, as the trap flag does nothing here");
    }
    let turns = each_instruction(3, event_loop, || {
        world().send(OWN);
        event_loop.run_once(None).expect("the loop runs");
    });
    let sleeps = each_instruction(1, event_loop, || {
        event_loop.run_once(None).expect("the loop runs");
    });
    println!(
        "interrupts: {sends} amid pushes, {turns} amid turns, {sleeps} on the way to a sleep and back"
    );
}

/// Interrupts a loop; `is_stepped` between any two instructions, too, of which a sanitizer adds too many.
pub fn interrupts(is_stepped: bool) {
    let event_loop = EventLoop::with_host(Board);
    let wakers = [waker_of(&event_loop, 0), waker_of(&event_loop, 1)];
    let made = WORLD.set(World {
        handle: event_loop.handle_for(SLOTS),
        wakers,
        is_woken: Default::default(),
        number: Default::default(),
        taken: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        ran: AtomicUsize::new(0),
        last: Default::default(),
        allocations: AtomicUsize::new(0),
    });
    assert!(made.is_ok());
    handle(libc::SIGUSR1, on_signal);
    handle(libc::SIGUSR2, on_signal);
    handle(libc::SIGTRAP, on_step);
    if is_stepped {
        step_by_step(&event_loop);
    }
    under_fire(&event_loop);
    let refused = world().refused.load(SeqCst);
    println!("interrupts: {SIGNALS} signals, {refused} calls refused");
}
