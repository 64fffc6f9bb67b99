//! [`Sorter`]: a stable sort by numbers, digit by digit, with a small part of the code of
//! the standard library's.

use alloc::vec::Vec;
use core::mem;

use super::SCARCE;

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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_sorter_is_the_stable_sort_of_any_length() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut sorter = Sorter::new();
        for length in (0..50).chain([1_000]) {
            for keys in [1, 3, 50, u64::MAX] {
                let items = (0..length).map(|at| (random.u64(..keys), at));
                let mut expected: Vec<_> = items.collect();
                for &(key, at) in &expected {
                    sorter.push(key, (key, at));
                }
                expected.sort_by_key(|item| item.0);
                assert!(sorter.drain_sorted().eq(expected));
            }
        }
    }
}
