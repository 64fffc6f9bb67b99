//! [`advise`]: memory that the system maps in huge pages, where it has them.
#![allow(unsafe_code)]

/// Has the system map memory that was just allocated in huge pages, as far as it lies in whole ones: a page fault
/// for each then, where there would be hundreds. A system that doesn't do so goes on as it was.
///
/// # Safety
///
/// The memory was allocated with this size, and nothing else uses it.
pub(super) unsafe fn advise(base: *mut u8, size: usize) {
    #[cfg(all(feature = "std", target_os = "linux"))]
    {
        use rustix::mm::{Advice, madvise};
        // SAFETY: as the caller says; the advice changes nothing that is stored there.
        let _ = unsafe { madvise(base.cast(), size, Advice::LinuxHugepage) };
    }
    #[cfg(not(all(feature = "std", target_os = "linux")))]
    let _ = (base, size);
}
