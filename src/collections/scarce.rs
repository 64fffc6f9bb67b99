//! [`SCARCE`]: targets with kilobytes of memory.

/// True where memory is scarce: tables and pages are small, and grow in smaller steps there.
pub(crate) const SCARCE: bool = cfg!(any(target_os = "none", target_pointer_width = "16"));
