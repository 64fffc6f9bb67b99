//! Photons' helpers as their users see them: what each promises, what is left of it afterwards,
//! and what it makes of misuse. Time is virtual, and whole traces are asserted.

#[path = "../asyncio/driver.rs"]
#[allow(dead_code)]
mod driver;
#[path = "../support/mod.rs"]
mod support;

mod parts;

mod catching;
mod child_of_future;
mod display;
mod futures;
mod memory;
mod queue;
mod resettable_future;
mod result_streamer;
mod results;
mod scopes;
mod stop_generator;
mod streamed_errors;
mod sync_queue;
mod task_holder;
mod ticker;
mod ticker_timing;
mod timeout;
mod transfer;
mod waiting;
