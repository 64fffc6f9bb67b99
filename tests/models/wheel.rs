//! A timer wheel and what it should be, a map sorted by (deadline, made), through operations that a
//! random number generator or a fuzzer chooses.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use callsoon::__parts::{TimerKey, TimerWheel};

/// 2^36 milliseconds in nanoseconds: where wheels of six levels and 1 ms ticks end.
pub(crate) const DAYS_795: u64 = (1 << 36) * 1_000_000;

/// The next time at which a slot of this width begins.
pub(crate) fn next_edge(now: u64, width: u64) -> Option<u64> {
    (now / width).checked_add(1)?.checked_mul(width)
}

/// Times the machine may have been up for: none, a day, 12 days, 795 days, 292 years, and to
/// within a moment of the end.
pub(crate) fn uptimes() -> [u64; 6] {
    const DAY: u64 = 86_400_000_000_000;
    [0, DAY, 12 * DAY, DAYS_795, 1 << 63, u64::MAX - (1 << 20)]
}

pub(crate) fn wheel_at<T>(present: u64) -> TimerWheel<T> {
    let mut wheel = TimerWheel::new();
    wheel.expire(present, &mut Vec::new());
    wheel
}

pub(crate) fn expired<T>(wheel: &mut TimerWheel<T>, now: u64) -> Vec<(u64, T)> {
    let mut due = Vec::new();
    wheel.expire(now, &mut due);
    due
}

/// Counts the drops of its kind.
pub(crate) struct Payload {
    pub(crate) id: u64,
    pub(crate) drops: Rc<Cell<u64>>,
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
    }
}

/// A wheel and what it should be: a map sorted by (deadline, made).
struct Twins<'a> {
    wheel: TimerWheel<Payload>,
    model: BTreeMap<(u64, u64), TimerKey>,
    dead: Vec<TimerKey>,
    now: u64,
    /// The longest step of time. Unlimited, time would be near its end within a few steps.
    reach: u64,
    made: u64,
    drops: Rc<Cell<u64>>,
    /// A number below the one that it is given.
    choose: &'a mut dyn FnMut(u64) -> u64,
}

impl Twins<'_> {
    fn new(choose: &mut dyn FnMut(u64) -> u64) -> Twins<'_> {
        let now = uptimes()[choose(6) as usize];
        Twins {
            wheel: wheel_at(now),
            model: BTreeMap::new(),
            dead: Vec::new(),
            now,
            reach: u64::MAX >> choose(60),
            made: 0,
            drops: Rc::default(),
            choose,
        }
    }

    /// A number of random length.
    fn length(&mut self) -> u64 {
        (self.choose)(u64::MAX) >> (self.choose)(64)
    }

    /// A time that is likely to be an edge: near the present, near some level's boundary, very
    /// far away, or that of a timer there is.
    fn moment(&mut self) -> u64 {
        let width = 1u64 << (6 * (self.choose)(11));
        let nudge = (self.choose)(3);
        let now = self.now;
        match (self.choose)(10) {
            0 => now,
            1 => now.saturating_sub(self.length()),
            2 => now.saturating_add(nudge),
            3 => now.saturating_add(width - 1).saturating_add(nudge),
            4 => next_edge(now, width).map_or(now, |edge| (edge - 1).saturating_add(nudge)),
            5 => now.saturating_add(DAYS_795 - 1 + nudge),
            6 if (self.choose)(4) == 0 => u64::MAX - nudge,
            7 | 8 => self.pick().map_or(now, |(when, _)| when),
            _ => now.saturating_add(self.length() >> 4),
        }
    }

    /// Some pending timer: the earliest, the last, or the next after a random time.
    fn pick(&mut self) -> Option<(u64, u64)> {
        let after = self.now.saturating_add(self.length() >> 4);
        match (self.choose)(4) {
            0 => self.model.keys().next().copied(),
            1 => self.model.keys().next_back().copied(),
            _ => self.model.range((after, 0)..).next().map(|(&timer, _)| timer),
        }
    }

    fn insert(&mut self) {
        let when = self.moment();
        let id = self.made;
        self.made += 1;
        let key = self.wheel.insert(when, Payload { id, drops: self.drops.clone() });
        self.model.insert((when, id), key);
    }

    fn cancel(&mut self) {
        let Some(timer) = self.pick() else { return };
        let key = self.model.remove(&timer).unwrap();
        let payload = self.wheel.cancel(key).expect("it is pending");
        assert_eq!(payload.id, timer.1);
        self.dead.push(key);
    }

    fn cancel_dead(&mut self) {
        if !self.dead.is_empty() {
            let key = self.dead[(self.choose)(self.dead.len() as u64) as usize];
            assert!(self.wheel.cancel(key).is_none());
        }
    }

    fn expire(&mut self, now: u64) {
        let due = expired(&mut self.wheel, now);
        self.now = self.now.max(now);
        for (when, payload) in due {
            let (timer, key) = self.model.pop_first().expect("no more than there were");
            assert_eq!((when, payload.id), timer);
            assert!(when <= now);
            self.dead.push(key);
        }
        assert!(self.model.keys().next().is_none_or(|&(when, _)| when > now));
    }

    /// All that can be asked; `exactly` asks for the exact deadline too, which refreshes what the
    /// wheel knows.
    fn check(&mut self, exactly: bool) {
        let next = self.model.keys().next().map(|&(when, _)| when);
        let bound = self.wheel.earliest_bound();
        assert!(bound <= next && bound.is_some() == next.is_some());
        if exactly {
            assert_eq!(self.wheel.next_deadline(), next);
            assert_eq!(self.wheel.earliest_bound(), next);
        }
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        // Whatever is not pending was dropped, here and not inside, and nothing else was.
        assert_eq!(self.drops.get() + self.model.len() as u64, self.made);
    }

    fn step(&mut self, crowded: bool) {
        let look = !crowded || (self.choose)(8) == 0;
        let now = match (self.choose)(if look { 16 } else { 11 }) {
            0..6 => return self.insert(),
            6..10 => return self.cancel(),
            10 => return self.cancel_dead(),
            11 | 12 => {
                let next = self.model.keys().next().map_or(self.now, |&(when, _)| when);
                next.saturating_sub((self.choose)(2))
            }
            13 => self.now.saturating_add(self.length()),
            14 => self.now.saturating_sub(self.length()),
            _ => self.moment(),
        };
        if now.saturating_sub(self.now) <= self.reach {
            self.expire(now);
        }
    }
}

/// The frequency of calls for a wheel's exact deadline, which refresh what it knows: remains of
/// cancelled timers are found both at once and much later.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Asked {
    Always,
    Seldom,
}

/// The way in which a wheel ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    Expired,
    Drained,
}

/// Steps a wheel as long as `goes_on` returns true, and compares it with its model after each step.
pub(crate) fn live(
    choose: &mut dyn FnMut(u64) -> u64,
    mut goes_on: impl FnMut() -> bool,
    crowded: bool,
    asked: Asked,
    ends: Ends,
) {
    let mut twins = Twins::new(choose);
    while goes_on() {
        twins.step(crowded);
        let exactly = asked == Asked::Always || (twins.choose)(16) == 0;
        twins.check(exactly);
    }
    match ends {
        Ends::Expired => twins.expire(u64::MAX),
        Ends::Drained => {
            let mut all = Vec::new();
            twins.wheel.drain(&mut all);
            let drained: Vec<_> = all.iter().map(|(when, payload)| (*when, payload.id)).collect();
            assert!(drained.iter().eq(twins.model.keys()));
            twins.model.clear();
        }
    }
    twins.check(true);
}
