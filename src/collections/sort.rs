//! [`sort_by_key`]: a stable sort with a small part of the code of the standard library's.

use alloc::collections::BinaryHeap;
use core::mem;

/// So few items are sorted where they stand.
const FEW: usize = 16;

/// Sorts `items` by `key`. Those of equal keys keep their order.
pub(crate) fn sort_by_key<T>(items: &mut [T], key: impl Fn(&T) -> u64) {
    if items.len() <= FEW {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && key(&items[at - 1]) > key(&items[at]) {
                items.swap(at - 1, at);
                at -= 1;
            }
        }
    } else if !items.is_sorted_by_key(&key) {
        // The pair is of one type for all items, and so is the code that sorts it.
        let order: BinaryHeap<(u64, usize)> = items.iter().map(key).zip(0..).collect();
        permute(items, &mut order.into_sorted_vec());
    }
}

/// Moves to each place the item that stands at the place that `order` names.
fn permute<T>(items: &mut [T], order: &mut [(u64, usize)]) {
    for start in 0..items.len() {
        let mut at = start;
        loop {
            // A place that is filled names itself.
            let from = mem::replace(&mut order[at].1, at);
            if from == start {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn sort_by_key_is_the_stable_sort_of_any_length() {
        let mut random = fastrand::Rng::with_seed(3);
        for length in (0..3 * FEW).chain([1_000]) {
            for keys in [1, 3, 50, u64::MAX] {
                let items = (0..length).map(|at| (random.u64(..keys), at));
                let mut sorted: Vec<_> = items.collect();
                let mut expected = sorted.clone();
                expected.sort_by_key(|item| item.0);
                sort_by_key(&mut sorted, |item| item.0);
                assert_eq!(sorted, expected);
            }
        }
    }
}
