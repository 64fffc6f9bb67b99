//! Many futures at once, and deadlines: `gather`, `shield`, `wait`, `as_completed`, `wait_for`,
//! `timeout`, task groups. Turns and traces are those of CPython 3.13. Time is virtual.

#[path = "../asyncio/driver.rs"]
#[allow(dead_code)]
mod driver;
#[path = "../support/mod.rs"]
mod support;

mod parts;

mod as_completed;
mod dropping;
mod gather;
mod gather_kinds;
mod loops;
mod shield;
mod task_group;
mod task_group_errors;
mod timeout;
mod timeout_scopes;
mod turns;
mod wait;
mod wait_for;
