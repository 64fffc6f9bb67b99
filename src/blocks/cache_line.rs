//! [`CacheLine`]: what begins where a line of the cache does, where there are caches.

/// Has the size and the alignment of a line of the cache.
#[cfg_attr(
    not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")),
    repr(align(64))
)]
pub(super) struct CacheLine {
    _own: u64,
}
