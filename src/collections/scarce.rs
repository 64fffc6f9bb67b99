//! [`SCARCE`]: targets with kilobytes of memory; and [`CacheLine`], of which these have none.

/// True where memory is scarce: tables and pages are small, and grow in smaller steps there. So it is, for tests
/// on other machines, under `--cfg callsoon_scarce`.
pub(crate) const SCARCE: bool =
    cfg!(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"));

/// Has the size and the alignment of a line of the cache.
#[cfg_attr(
    not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")),
    repr(align(64))
)]
pub(crate) struct CacheLine {
    _own: u64,
}
