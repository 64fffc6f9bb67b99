//! lilos. Its tasks are futures on the stack.

use core::array;
use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;

use cortex_m::peripheral::SYST;
use lilos::exec::{ALL_TASKS, run_tasks};
use lilos::time::{Millis, initialize_sys_tick, sleep_for};

async fn sleeps(milliseconds: u64) -> Infallible {
    loop {
        sleep_for(Millis(milliseconds)).await;
        crate::slept();
    }
}

pub fn run(mut clock: SYST) -> ! {
    initialize_sys_tick(&mut clock, crate::CLOCK_HZ);
    let mut tasks: [_; crate::TASKS + 3] =
        array::from_fn(|at| sleeps(crate::PERIODS.get(at).copied().unwrap_or(crate::HOUR)));
    let mut at = tasks.iter_mut();
    let mut tasks: [Pin<&mut dyn Future<Output = Infallible>>; crate::TASKS + 3] =
        array::from_fn(|_| {
            // SAFETY: The array is never moved again, nor dropped: the executor doesn't return.
            let task = unsafe { Pin::new_unchecked(at.next().unwrap()) };
            task as _
        });
    run_tasks(&mut tasks, ALL_TASKS)
}
