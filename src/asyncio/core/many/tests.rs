use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec;
use alloc::vec::Vec;
use core::ptr::{NonNull, without_provenance_mut};
use core::task::Waker;

use super::*;
use crate::asyncio::core::any_future::{AnyFuture, Callback, Watcher};

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

impl Watcher for Nothing {
    fn ended(&self, _token: u64) {}

    fn joined(&self, _token: u64) {}

    fn called(&self, _token: u64) {}
}

/// Makes waiters of all sorts. What they hold is counted by `held`.
struct Maker {
    random: fastrand::Rng,
    held: Rc<Nothing>,
    waker: Arc<Nothing>,
    made: u64,
}

impl Maker {
    fn make(&mut self) -> Waiter {
        self.made += 1;
        match self.random.u8(..5) {
            // Nothing reads what it points to.
            0 => {
                Waiter::Task(NonNull::new(without_provenance_mut(self.made as usize * 8)).unwrap())
            }
            1 => Waiter::Waker(self.waker.clone().into()),
            2 => Waiter::Callback(Callback::new(|_: &dyn AnyFuture| ())),
            3 => {
                let held = self.held.clone();
                Waiter::Callback(Callback::new(move |_: &dyn AnyFuture| _ = &held))
            }
            _ => Waiter::Watch(Watch { watcher: self.held.clone(), token: self.made }),
        }
    }
}

fn copy(waiter: &Waiter) -> Waiter {
    match waiter {
        Waiter::Task(task) => Waiter::Task(*task),
        Waiter::Waker(waker) => Waiter::Waker(waker.clone()),
        Waiter::Callback(callback) => Waiter::Callback(callback.clone()),
        Waiter::Watch(watch) => Waiter::Watch(watch.clone()),
    }
}

fn is_same(one: &Waiter, other: &Waiter) -> bool {
    match (one, other) {
        (Waiter::Task(one), Waiter::Task(other)) => one == other,
        (Waiter::Waker(one), Waiter::Waker(other)) => one.will_wake(other),
        (Waiter::Callback(one), Waiter::Callback(other)) => one == other,
        (Waiter::Watch(one), Waiter::Watch(other)) => one.token == other.token,
        _ => false,
    }
}

fn are_same(ones: &[Waiter], others: &[Waiter]) -> bool {
    ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
}

/// Compares all that can be seen of `many` with a list of keys and waiters.
fn check(many: &Many, model: &[(Key, Waiter)]) {
    assert_eq!(many.is_empty(), model.is_empty());
    let (mut keys, mut from) = (Vec::new(), FIRST);
    while let Some(key) = many.find(from, &mut |_| true) {
        keys.push(key);
        from = key + 1;
    }
    assert!(keys.iter().eq(model.iter().map(|(key, _)| key)));
    assert!(model.iter().all(|(key, own)| many.look(*key, |it| is_same(it, own)) == Some(true)));
    let is_watch = |(_, waiter): &&(Key, Waiter)| matches!(waiter, Waiter::Watch(_));
    let (count, mut from) = many.watches();
    let mut watches = Vec::new();
    while let Some((key, watch)) = many.watch_from(from) {
        watches.push((key, watch.token));
        from = key + 1;
    }
    assert_eq!(count, watches.len());
    let known = model.iter().filter(is_watch);
    assert!(known.map(|(key, _)| key).eq(watches.iter().map(|(key, _)| key)));
}

/// Adds, removes and takes out waiters at random. Returns what is left.
fn live(many: &mut Many, maker: &mut Maker, model: &mut Vec<(Key, Waiter)>) {
    for _ in 0..maker.random.u8(..40) {
        match maker.random.u8(..10) {
            0 => {
                let first = (!model.is_empty()).then(|| model.remove(0).1);
                assert!(are_same(&Vec::from_iter(many.pop()), &Vec::from_iter(first)));
            }
            1 => {
                let key = maker.random.u64(..12);
                let at = model.iter().position(|(own, _)| *own == key);
                let known = at.map(|at| model.remove(at).1);
                assert!(are_same(&Vec::from_iter(many.remove(key)), &Vec::from_iter(known)));
            }
            2 if maker.random.bool() => {
                let (called, left): (Vec<_>, _) =
                    model.drain(..).partition(|(_, waiter)| !waiter.awaits());
                *model = left;
                let called: Vec<_> = called.into_iter().map(|(_, waiter)| waiter).collect();
                assert!(are_same(&many.take_callbacks(), &called));
            }
            3 if maker.random.bool() => {
                let mut count = 0;
                for (_, waiter) in &mut *model {
                    if let Waiter::Waker(waker) = waiter {
                        *waker = Waker::noop().clone();
                        count += 1;
                    }
                }
                assert_eq!(many.take_wakers().len(), count);
            }
            _ => {
                let waiter = maker.make();
                let own = copy(&waiter);
                model.push((many.push(waiter), own));
            }
        }
        assert!(model.is_sorted_by(|one, other| one.0 < other.0));
        check(many, model);
    }
}

#[test]
fn many_waiters_are_a_list_by_ascending_keys() {
    let random = fastrand::Rng::with_seed(5);
    let (held, waker) = (Rc::new(Nothing), Arc::new(Nothing));
    let mut maker = Maker { random, held: held.clone(), waker: waker.clone(), made: 0 };
    for life in 0..3_000 {
        let first = maker.make();
        let mut model = vec![(FIRST, copy(&first))];
        let mut many = Many::new(first);
        live(&mut many, &mut maker, &mut model);
        if life % 2 == 0 {
            let (mut awaiting, mut callbacks) = (Vec::new(), 0);
            many.take_awaiting(|waiter| awaiting.push(waiter), || callbacks += 1);
            let (known, called): (Vec<_>, Vec<_>) =
                model.into_iter().map(|(_, waiter)| waiter).partition(Waiter::awaits);
            assert!(are_same(&awaiting, &known));
            assert_eq!(callbacks, called.len());
            assert!(are_same(&Vec::from_iter(core::iter::from_fn(|| many.pop())), &called));
            assert!(many.is_empty());
        }
    }
    drop(maker);
    assert_eq!((Rc::strong_count(&held), Arc::strong_count(&waker)), (1, 1));
}
