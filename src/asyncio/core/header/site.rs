//! [`Site`]: a place in the source, in half a word.
//!
//! **Site Invariant**: the address of a place was exposed before its site is made.
#![allow(unsafe_code)]

use core::panic::Location;
use core::ptr;

/// The distance of a place from [`ORIGIN`], which is none that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site(i32);

static ORIGIN: &Location<'static> = Location::caller();

impl Site {
    /// Of a place that is too far away, as one in another library may be.
    pub(crate) const ELSEWHERE: Site = Site(0);

    /// The site of `place`, which is elsewhere where it is too far away.
    #[inline(always)]
    pub(crate) fn of(place: &'static Location<'static>) -> Site {
        let distance = ptr::from_ref(place).expose_provenance().wrapping_sub(Site::origin());
        i32::try_from(distance as isize).map_or(Site::ELSEWHERE, Site)
    }

    /// The place, unless it is elsewhere.
    pub(crate) fn location(self) -> Option<&'static Location<'static>> {
        let address = Site::origin().wrapping_add_signed(self.0 as isize);
        // SAFETY: By the Site Invariant a place stands there.
        (self != Site::ELSEWHERE).then(|| unsafe { &*ptr::with_exposed_provenance(address) })
    }

    #[inline(always)]
    fn origin() -> usize {
        ptr::from_ref(ORIGIN).addr()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn site_leads_back_to_its_place() {
        let place = Location::caller();
        assert!(ptr::eq(Site::of(place).location().expect("a place of this program"), place));
        assert_eq!(Site::ELSEWHERE.location(), None);
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn site_of_a_distant_place_is_none() {
        let distant: &'static Location<'static> = Box::leak(Box::new(*Location::caller()));
        let is_near = ptr::from_ref(distant).addr().abs_diff(Site::origin()) < 1 << 31;
        assert_eq!(Site::of(distant) != Site::ELSEWHERE, is_near);
    }
}
