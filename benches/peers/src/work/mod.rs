//! The workloads, each written once over [`Rt`]. What happens on one thread is measured in CPU
//! time of the process: what else runs on the machine takes no part.

mod memory;
mod settled;
mod tasks;
mod threads;
mod timers;

use crate::{
    measure::{Figures, Repeat},
    rt::Rt,
};

pub const NAMES: &[&str] = &[
    "spawn_join",
    "self_wake",
    "yield_ring",
    "wake_chain",
    "ping_pong",
    "call_soon",
    "timer_cancel",
    "timer_fire",
    "sleep_cancel",
    "sleep_fire",
    "with_timeout",
    "stream_results",
    "hold",
    "offload",
    "offload_many",
    "parked_task",
    "pending_timer",
    "sleeping_task",
];

/// Runs a workload; nothing where the contender can't.
pub fn run<R: Rt>(workload: &str, n: u64, repeat: Repeat) -> Option<Figures> {
    let figures = match workload {
        "spawn_join" => R::run(move |h| tasks::spawn_join::<R>(h, n, repeat)),
        "self_wake" if R::FAIR_YIELD => R::run(move |h| tasks::self_wake::<R>(h, n, repeat)),
        "yield_ring" if R::FAIR_YIELD => R::run(move |h| tasks::yield_ring::<R>(h, n, repeat)),
        "wake_chain" => R::run(move |h| tasks::wake_chain::<R>(h, n, repeat)),
        "ping_pong" => R::run(move |h| tasks::ping_pong::<R>(h, n, repeat)),
        "call_soon" if R::HAS_CALL_SOON => R::run(move |h| tasks::call_soon::<R>(h, n, repeat)),
        "timer_cancel" if R::HAS_TIMERS => R::run(move |h| timers::cancel::<R>(h, n, repeat)),
        "timer_fire" if R::HAS_TIMERS => R::run(move |h| timers::fire::<R>(h, n, repeat)),
        "sleep_cancel" if R::HAS_TIMERS && R::CAN_CANCEL => {
            R::run(move |h| timers::sleep_cancel::<R>(h, n, repeat))
        }
        "sleep_fire" if R::HAS_TIMERS => R::run(move |h| timers::sleep_fire::<R>(h, n, repeat)),
        "with_timeout" if R::HAS_TIMERS => R::run(move |h| tasks::with_timeout::<R>(h, n, repeat)),
        "stream_results" => R::run(move |h| tasks::stream_results::<R>(h, n, repeat)),
        "hold" => R::run(move |h| tasks::hold::<R>(h, n, repeat)),
        "offload" if R::HAS_OFFLOAD => R::run(move |h| threads::offload::<R>(h, n, repeat)),
        "offload_many" if R::HAS_OFFLOAD => {
            R::run(move |h| threads::offload_many::<R>(h, n, repeat))
        }
        "parked_task" => R::run(move |h| memory::parked_task::<R>(h, n)),
        "pending_timer" if R::HAS_TIMERS => R::run(move |h| memory::pending_timer::<R>(h, n)),
        "sleeping_task" if R::HAS_TIMERS => R::run(move |h| memory::sleeping_task::<R>(h, n)),
        _ => return None,
    };
    Some(figures)
}
