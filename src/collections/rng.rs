//! [`Rng`]: numbers that follow from a seed, by the generator "splitmix64".

use core::cell::Cell;

/// The same seed gives the same numbers again.
#[derive(Default)]
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    /// Starts anew from `seed`.
    pub(crate) fn seed(&self, seed: u64) {
        self.0.set(seed);
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        mixed(state)
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Puts `things` in a random order.
    pub(crate) fn shuffle<T>(&self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
    }
}

/// A number in which each bit depends on each of `number`'s: splitmix64's last step.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let rng = Rng::default();
        rng.seed(1_234_567);
        let numbers = [rng.next(), rng.next(), rng.next()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn shuffle_keeps_all_things() {
        let rng = Rng::default();
        let mut things: [usize; 50] = core::array::from_fn(|index| index);
        rng.shuffle(&mut things);
        assert!(!things.is_sorted());
        things.sort_unstable();
        assert_eq!(things, core::array::from_fn(|index| index));
    }
}
