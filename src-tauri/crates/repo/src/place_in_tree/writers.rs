//! Who has a file open for writing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::syscall;

/// Whether some process has the file open for writing, or mapped so: asked of the kernel by a lease, and where it
/// gives none (another owner, a network file system) of the list of open files of this user's processes.
pub(super) fn has_writer(file: &File) -> io::Result<bool> {
    match syscall::has_writer(file) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(listed_writer(file)?),
        answer => answer,
    }
}

/// Looks through `/proc/*/fd`. Processes that end meanwhile, or belong to others, are passed over.
fn listed_writer(file: &File) -> io::Result<bool> {
    let wanted = file.metadata()?;
    for process in fs::read_dir("/proc")?.flatten() {
        let is_process = process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let Ok(open) = fs::read_dir(process.path().join("fd")) else { continue };
        if !is_process {
            continue;
        }
        for fd in open.flatten() {
            let same = fd.path().metadata().is_ok_and(|m| m.ino() == wanted.ino() && m.dev() == wanted.dev());
            if same && may_write(&process.path().join("fdinfo").join(fd.file_name())) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The line `flags:` of an open file is octal; its lowest two bits are the access mode.
fn may_write(fdinfo: &Path) -> bool {
    let info = fs::read_to_string(fdinfo).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_writer_is_seen_as_long_as_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "x").unwrap();
        let reader = File::open(&path).unwrap();
        for ask in [has_writer, listed_writer] {
            assert!(!ask(&reader).unwrap(), "only readers");
            let writer = OpenOptions::new().append(true).open(&path).unwrap();
            assert!(ask(&reader).unwrap(), "a writer is there");
            drop(writer);
            assert!(!ask(&reader).unwrap(), "the writer has gone");
        }
    }
}
