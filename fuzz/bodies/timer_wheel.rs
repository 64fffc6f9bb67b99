//! The timer wheel against a sorted map: jumps, far deadlines, cancels, keys that are used again.

use std::cell::RefCell;

use arbitrary::Unstructured;

use super::common::below;

#[path = "../../tests/models/wheel.rs"]
mod wheel;

use wheel::{Asked, Ends};

pub(crate) fn bytes(data: &[u8]) {
    let data = RefCell::new(Unstructured::new(data));
    let mut choose = |count| below(&mut data.borrow_mut(), count);
    let crowded = choose(2) == 0;
    let asked = if choose(2) == 0 { Asked::Always } else { Asked::Seldom };
    let ends = if choose(2) == 0 { Ends::Expired } else { Ends::Drained };
    wheel::live(&mut choose, || !data.borrow().is_empty(), crowded, asked, ends);
}
