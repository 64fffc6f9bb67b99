//! Work for threads: time as it passes, for the answer is waited for, and CPU time of all threads.

use std::time::Instant;

use crate::{
    measure::{Figures, Repeat, Repetitions, cpu_time, each, each_cpu},
    rt::Rt,
};

/// `n` round trips, one after the other.
pub(super) async fn offload<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let (mut all, mut cpu) = (Repetitions::new(repeat), Repetitions::new(repeat));
    R::start_threads(h).await;
    while all.more() {
        let (start, cpu_start) = (Instant::now(), cpu_time());
        for i in 0..n {
            assert_eq!(R::offload(h, move || i).await, i);
        }
        all.push(each(start, n));
        cpu.push(each_cpu(cpu_start, n));
    }
    vec![("ns", all.median()), ("cpu", cpu.median())]
}

/// `n` at the same time.
pub(super) async fn offload_many<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let (mut all, mut cpu) = (Repetitions::new(repeat), Repetitions::new(repeat));
    R::start_threads(h).await;
    while all.more() {
        let (start, cpu_start) = (Instant::now(), cpu_time());
        let answers: Vec<_> = (0..n).map(|i| R::offload(h, move || i)).collect();
        let mut sum = 0;
        for answer in answers {
            sum += answer.await;
        }
        assert_eq!(sum, n * (n - 1) / 2);
        all.push(each(start, n));
        cpu.push(each_cpu(cpu_start, n));
    }
    vec![("ns", all.median()), ("cpu", cpu.median())]
}
