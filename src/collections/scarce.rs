//! [`SCARCE`]: targets with kilobytes of memory.

/// True where memory is scarce: tables and pages are small, and grow in smaller steps there. So it is, for tests
/// on other machines, under `--cfg callsoon_scarce`.
pub(crate) const SCARCE: bool =
    cfg!(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"));
