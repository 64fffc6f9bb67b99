//! Random operations on futures and tasks against the model of `tests/models/futures.rs`, which a
//! fuzzer uses too.

#[path = "../models/futures.rs"]
mod futures;

#[test]
fn callbacks_tasks_and_reports_come_in_the_models_order() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut left = 0..400;
        futures::live(&mut |count| random.u64(0..count), || left.next().is_some());
    }
}
