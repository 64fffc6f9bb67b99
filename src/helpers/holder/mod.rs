//! [`TaskHolder`]: `held` (a task in it), `held_tasks` (its list), `holder_wait` (a round of waits).

mod held;
mod held_tasks;
mod holder_wait;
mod task_holder;

pub use task_holder::TaskHolder;
