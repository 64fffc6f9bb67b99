//! [`advise`]: memory that the system maps in huge pages, where it has them.
//!
//! The crate rustix could ask for them too, by a module that takes longer to build than all of this folder.
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
        use core::ffi::{c_int, c_void};

        const MADV_HUGEPAGE: c_int = 14;

        unsafe extern "C" {
            fn madvise(addr: *mut c_void, length: usize, advice: c_int) -> c_int;
        }

        // SAFETY: as the caller says; the advice changes nothing that is stored there, and is refused where the system
        // knows of none such.
        let _ = unsafe { madvise(base.cast(), size, MADV_HUGEPAGE) };
    }
    #[cfg(not(all(feature = "std", target_os = "linux")))]
    let _ = (base, size);
}
