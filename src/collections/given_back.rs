//! [`GivenBack`]: numbers of a count that were given back, so that those made after them are lower.

use alloc::vec::Vec;

/// At least so many places are noted before those that nothing needs are looked for.
const LEAST: usize = 64;

/// The numbers that were given back, each the highest of its time.
#[derive(Default)]
pub(crate) struct GivenBack {
    /// A number, and how many were given back up to it. Only the last of those that stand side by side is noted:
    /// nothing has the numbers between.
    places: Vec<(u64, u64)>,
    /// With more places it is time for [`forget`](GivenBack::forget).
    most: usize,
}

impl GivenBack {
    /// Gives `number` back, which is higher than all before; one that was the last already is not given back again.
    /// Returns true if it is time for [`forget`](GivenBack::forget).
    pub(crate) fn add(&mut self, number: u64) -> bool {
        match self.places.last_mut() {
            Some((last, _)) if *last == number => {}
            Some((last, count)) if *last + 1 == number => (*last, *count) = (number, *count + 1),
            Some((_, count)) => {
                let count = *count + 1;
                self.places.push((number, count));
            }
            None => self.places.push((number, 1)),
        }
        self.places.len() > self.most.max(LEAST)
    }

    /// Returns how many of the numbers below `number` were given back.
    pub(crate) fn below(&self, number: u64) -> u64 {
        let behind = self.places.partition_point(|(place, _)| *place < number);
        behind.checked_sub(1).map_or(0, |at| self.places[at].1)
    }

    /// Forgets the places that tell nothing of the numbers `in_use`, which are sorted, or of later ones.
    pub(crate) fn forget(&mut self, in_use: &[u64]) {
        let mut kept = Vec::new();
        let mut places = self.places.iter().copied().peekable();
        while let Some(place) = places.next() {
            let next = places.peek().map_or(u64::MAX, |next| next.0);
            let above = in_use.partition_point(|number| *number <= place.0);
            if next == u64::MAX || in_use.get(above).is_some_and(|number| *number <= next) {
                kept.push(place);
            }
        }
        self.most = 2 * kept.len();
        self.places = kept;
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn given_back_numbers_lower_those_above_them() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut own, mut model) = (GivenBack::default(), BTreeSet::new());
        let mut in_use = Vec::new();
        for number in 1..4_000 {
            if rng.u8(..3) == 0 {
                in_use.push(number);
            } else {
                model.insert(number);
                let is_time = own.add(number);
                assert_eq!(own.add(number), is_time);
                if is_time {
                    in_use.retain(|_| rng.u8(..4) == 0);
                    own.forget(&in_use);
                    assert!(own.places.len() <= in_use.len() + 1);
                }
            }
            for &number in in_use.iter().chain([&(number + 1)]) {
                assert_eq!(own.below(number), model.range(..number).count() as u64);
            }
        }
    }
}
