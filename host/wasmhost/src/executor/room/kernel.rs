//! What a room asks of the kernel that no safe library asks here: namespaces and mounts.
//! Nothing else in the process is unsafe.

use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::{CStr, CString, c_ulong};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;

/// Moves this thread into new namespaces.
#[allow(unsafe_code)]
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: descriptors stay common to all threads, of which there is one.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

/// A mount, or a change to one.
#[derive(Clone, Copy, Default)]
pub(super) struct Mount<'a> {
    /// What is mounted.
    pub(super) from: Option<&'a Path>,
    /// The kind of file system.
    pub(super) kind: Option<&'static CStr>,
    /// `MS_…` of the system.
    pub(super) flags: c_ulong,
    /// Options of the file system.
    pub(super) options: &'a str,
}

impl Mount<'_> {
    /// Mounts it at a path.
    #[allow(unsafe_code)]
    pub(super) fn at(self, to: &Path) -> io::Result<()> {
        let text = |path: &Path| CString::new(path.as_os_str().as_bytes());
        let from = self.from.map(text).transpose()?;
        let (to, options) = (text(to)?, CString::new(self.options)?);
        let from = from.as_deref().map_or(null(), CStr::as_ptr);
        let kind = self.kind.map_or(null(), CStr::as_ptr);
        // SAFETY: each pointer is null or that of a text which ends with NUL and lives
        // until the call is over.
        let done =
            unsafe { libc::mount(from, to.as_ptr(), kind, self.flags, options.as_ptr().cast()) };
        match done {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
