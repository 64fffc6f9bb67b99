//! Futures and tasks against a model: set, cancel, await, drop, panic.

use std::cell::RefCell;

use arbitrary::Unstructured;

use super::common::below;

#[path = "../../tests/models/futures.rs"]
mod futures;

pub(crate) fn bytes(data: &[u8]) {
    let data = RefCell::new(Unstructured::new(data));
    let mut choose = |count| below(&mut data.borrow_mut(), count);
    futures::live(&mut choose, || !data.borrow().is_empty());
}
