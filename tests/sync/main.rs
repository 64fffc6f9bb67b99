//! Locks, events, conditions, semaphores, barriers and queues as their users see them: which
//! task is served, in which order, and what becomes of a wake if its task ends before it runs.
//!
//! Time is virtual throughout.

#[path = "../support/mod.rs"]
mod support;

mod by_hand;

mod barrier;
mod barrier_states;
mod bound;
mod condition;
mod condition_cancelled;
mod condition_scope;
mod event;
mod lock;
mod queue;
mod queue_orders;
mod schedules;
mod semaphore;
