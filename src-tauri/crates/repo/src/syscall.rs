//! The two system calls that no safe crate offers: open-file-description locks and leases.
//!
//! `unsafe` stands here because `fcntl` takes a pointer, or an integer, according to its command; each call below
//! passes what its command asks for, and a file descriptor that is borrowed for the time of the call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `F_SETSIG`, which the libc crate lacks: which signal tells of a broken lease (`fcntl.h`, the same on all processors).
const F_SETSIG: libc::c_int = 10;

/// How a whole file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// Many may hold it.
    Shared,
    /// One holds it.
    Exclusive,
}

/// Takes a record lock over the whole file that belongs to this open file description, so that two threads of one
/// process exclude each other too, and closing another descriptor of the same file does not release it. It
/// conflicts with the POSIX locks of git-annex. With `wait`, sleeps until it is free; else `WouldBlock`.
pub(crate) fn lock_whole_file(file: impl AsFd, kind: LockKind, wait: bool) -> io::Result<()> {
    // An all-zero `flock` is a lock from offset 0 to the end, with the process id 0 that the kernel asks for.
    // SAFETY: every field is a plain integer.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = match kind {
        LockKind::Shared => libc::F_RDLCK as libc::c_short,
        LockKind::Exclusive => libc::F_WRLCK as libc::c_short,
    };
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    loop {
        // SAFETY: the descriptor is borrowed for the call, `lock` outlives it and is only read.
        let done = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, &lock) };
        if done == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // POSIX allows either for a lock that somebody else holds.
            Some(libc::EACCES | libc::EAGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
            _ => return Err(error),
        }
    }
}

/// Whether any process, this one included, holds the file open for writing: the kernel refuses a read lease then.
///
/// # Errors
/// `Unsupported` where leases cannot be had: another owner, a network file system.
pub(crate) fn has_writer(file: impl AsFd) -> io::Result<bool> {
    let fd = file.as_fd().as_raw_fd();
    // Should somebody open the file for writing while the lease is held, the kernel tells us by a signal; the
    // default one would end the process, SIGURG is ignored.
    // SAFETY: both commands take an integer, and the descriptor is borrowed for the calls.
    let taken = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0 && libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) == 0
    };
    if !taken {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EAGAIN) => Ok(true),
            Some(libc::EACCES | libc::EINVAL | libc::EPERM | libc::ENOTSUP) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            _ => Err(error),
        };
    }
    // SAFETY: as above. A lease that cannot be given back ends when the descriptor is closed.
    unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
    Ok(false)
}
