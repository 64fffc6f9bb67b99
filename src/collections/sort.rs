//! [`Sorter`] and [`sort_by_key`]: a stable sort by numbers, digit by digit, with a small part of the code of
//! the standard library's.

use alloc::vec::Vec;
use core::mem;

use super::SCARCE;

/// So few items are sorted where they stand.
const FEW: usize = 16;

/// Bits of a digit. The stack has a number for each of its values.
const DIGIT: u32 = if SCARCE { 4 } else { 8 };
const VALUES: usize = 1 << DIGIT;

/// Items to be sorted, each with its key.
pub(crate) struct Sorter<T> {
    items: Vec<(u64, T)>,
    /// Room for as many.
    spare: Vec<(u64, T)>,
}

impl<T: Copy> Sorter<T> {
    pub(crate) const fn new() -> Sorter<T> {
        Sorter { items: Vec::new(), spare: Vec::new() }
    }

    /// Makes room for `items`: up to so many, nothing is allocated.
    #[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
    pub(crate) fn reserve(
        &mut self,
        items: usize,
    ) -> Result<(), alloc::collections::TryReserveError> {
        self.items.try_reserve_exact(items)?;
        self.spare.try_reserve_exact(items)
    }

    #[inline]
    pub(crate) fn push(&mut self, key: u64, item: T) {
        self.items.push((key, item));
    }

    /// Takes the items out in the order of their keys. Those of equal keys are in the order in which they were
    /// pushed.
    pub(crate) fn drain_sorted(&mut self) -> impl ExactSizeIterator<Item = T> {
        let first = self.items.first().map_or(0, |first| first.0);
        let differs = self.items.iter().fold(0, |differs, item| differs | (item.0 ^ first));
        self.spare.clone_from(&self.items);
        for digit in (0..u64::BITS / DIGIT).filter(|&digit| value(differs, digit) != 0) {
            self.sort_by_digit(digit);
        }
        self.spare.clear();
        self.items.drain(..).map(|(_, item)| item)
    }

    fn sort_by_digit(&mut self, digit: u32) {
        // For each value how many items have it, and then where the next of these goes.
        let mut places = [0; VALUES];
        for item in &self.items {
            places[value(item.0, digit)] += 1;
        }
        let mut lower = 0;
        for place in &mut places {
            lower += mem::replace(place, lower);
        }
        for &item in &self.items {
            let place = &mut places[value(item.0, digit)];
            self.spare[*place] = item;
            *place += 1;
        }
        mem::swap(&mut self.items, &mut self.spare);
    }
}

fn value(key: u64, digit: u32) -> usize {
    (key >> (digit * DIGIT)) as usize % VALUES
}

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
        // The index is of one type for all items, and so is the code that sorts it.
        let mut sorter = Sorter::new();
        for (index, item) in items.iter().enumerate() {
            sorter.push(key(item), index);
        }
        let mut order: Vec<usize> = sorter.drain_sorted().collect();
        permute(items, &mut order);
    }
}

/// Moves to each place the item that stands at the place that `order` names.
fn permute<T>(items: &mut [T], order: &mut [usize]) {
    for start in 0..items.len() {
        let mut at = start;
        loop {
            // A place that is filled names itself.
            let from = mem::replace(&mut order[at], at);
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
