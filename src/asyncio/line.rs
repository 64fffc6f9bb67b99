//! [`Line`]: things in the order of their coming, any of which may leave.
//!
//! **Place Invariant**: places go up from the front of the line to its end, so a place is found by
//! halving. Who leaves from the middle leaves a gap; the front is never a gap, and no more than
//! half of a line that is not short are gaps.

use alloc::collections::VecDeque;

/// Where a thing stands: counted from the first that ever came, and nobody else's ever.
pub(super) type Place = u64;

/// Lines as short as this may be all gaps, but for the front.
const SHORT: usize = 16;

pub(super) struct Line<T> {
    entries: VecDeque<(Place, Option<T>)>,
    /// The place of what comes next.
    next: Place,
    gaps: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line { entries: VecDeque::new(), next: 0, gaps: 0 }
    }
}

impl<T> Line<T> {
    pub(super) fn push(&mut self, thing: T) -> Place {
        let place = self.next;
        self.next += 1;
        self.entries.push_back((place, Some(thing)));
        place
    }

    /// Takes out what stands at `place`, to be dropped where nothing is borrowed.
    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        let thing = if self.entries.front()?.0 == place {
            let first = self.entries.pop_front();
            first.and_then(|(_, thing)| thing)
        } else {
            let at = self.entries.binary_search_by_key(&place, |entry| entry.0).ok()?;
            let thing = self.entries[at].1.take();
            self.gaps += usize::from(thing.is_some());
            thing
        };
        if self.gaps > 0 {
            self.close_gaps();
        }
        thing
    }

    fn close_gaps(&mut self) {
        while let Some((_, None)) = self.entries.front() {
            self.entries.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > SHORT && self.gaps * 2 > self.entries.len() {
            self.entries.retain(|entry| entry.1.is_some());
            self.gaps = 0;
        }
    }

    /// The place of what comes next.
    pub(super) fn next_place(&self) -> Place {
        self.next
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0).map(|(_, thing)| thing)
    }

    /// What stands at `place` or behind it.
    pub(super) fn iter_from(&self, place: Place) -> impl Iterator<Item = (Place, &T)> {
        let start = match self.entries.front() {
            Some((front, _)) if *front < place => {
                self.entries.partition_point(|entry| entry.0 < place)
            }
            _ => 0,
        };
        self.entries.range(start..).filter_map(|(place, thing)| Some((*place, thing.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn it_is_an_ordered_map_of_places_and_its_gaps_stay_few() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut line = Line::default();
        let mut model = BTreeMap::new();
        for step in 0..20_000 {
            if random.bool() && model.len() < 300 {
                model.insert(line.push(step), step);
            } else {
                let place = random.u64(..line.next_place().max(1));
                assert_eq!(line.remove(place), model.remove(&place));
            }
            if random.u8(..8) == 0 {
                let from = random.u64(..=line.next_place());
                let seen: Vec<_> =
                    line.iter_from(from).map(|(place, thing)| (place, *thing)).collect();
                let known: Vec<_> =
                    model.range(from..).map(|(place, thing)| (*place, *thing)).collect();
                assert_eq!(seen, known);
            }
            assert_eq!(line.len(), model.len());
            assert_eq!(line.is_empty(), model.is_empty());
            assert!(line.gaps <= SHORT.max(line.entries.len() / 2), "too many gaps");
        }
    }
}
