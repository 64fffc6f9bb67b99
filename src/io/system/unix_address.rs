//! Addresses of Unix sockets. A path that begins with a zero byte is an abstract name, as in Python: Linux
//! and Android have those, and no file stands for them.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use rustix::net::SocketAddrUnix;

/// Returns the name, if `path` is an abstract one.
pub(crate) fn abstract_name(path: &Path) -> Option<&[u8]> {
    let has_names = cfg!(any(target_os = "linux", target_os = "android"));
    path.as_os_str().as_bytes().strip_prefix(b"\0").filter(|_| has_names)
}

/// The address at `path`, for calls of the standard library.
pub(crate) fn unix_address(path: &Path) -> io::Result<SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = abstract_name(path) {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(path)
}

/// The address at `path`, for calls of rustix.
pub(crate) fn system_address(path: &Path) -> rustix::io::Result<SocketAddrUnix> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = abstract_name(path) {
        return SocketAddrUnix::new_abstract_name(name);
    }
    SocketAddrUnix::new(path)
}
