//! What a folder holds, to be compared with what another holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// What stands at one path.
#[derive(Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Bytes.
        size: u64,
        /// SHA-256 of the content.
        sha256: [u8; 32],
    },
    /// A symbolic link, and its target.
    Link(Vec<u8>),
    /// Something else (a socket, a pipe, a device).
    Other,
}

impl Entry {
    /// The entry of a file with this content.
    pub fn file(content: &[u8], executable: bool) -> Self {
        Entry::File { executable, size: content.len() as u64, sha256: Sha256::digest(content).into() }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::File { executable, size, sha256 } => {
                let kind = if *executable { "executable" } else { "file" };
                // Four bytes tell contents apart for a reader; the comparison uses all.
                let digest = u32::from_be_bytes([sha256[0], sha256[1], sha256[2], sha256[3]]);
                write!(f, "{kind} of {size} bytes, sha256 {digest:08x}…")
            }
            Entry::Link(target) => write!(f, "link to {}", target.escape_ascii()),
            Entry::Other => f.write_str("neither file nor link"),
        }
    }
}

/// Paths relative to the top, as bytes with `/` between components; folders are not listed.
pub type Snapshot = BTreeMap<Vec<u8>, Entry>;

/// Reads a folder, without the `.git` at its top.
///
/// # Panics
///
/// When something in it cannot be read.
#[track_caller]
pub fn snapshot(dir: &Path) -> Snapshot {
    try_snapshot(dir).unwrap_or_else(|cause| panic!("cannot read {}: {cause}", dir.display()))
}

/// As [`snapshot`], of a folder that somebody changes meanwhile.
///
/// # Errors
///
/// When something in it cannot be read: mostly it was just replaced or moved, and a later look tells.
pub fn try_snapshot(dir: &Path) -> io::Result<Snapshot> {
    let mut found = Snapshot::new();
    read_into(&mut found, dir, b"")?;
    Ok(found)
}

fn read_into(found: &mut Snapshot, dir: &Path, prefix: &[u8]) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if prefix.is_empty() && name == ".git" {
            continue;
        }
        let path = [prefix, name.as_bytes()].concat();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_into(found, &entry.path(), &[&path, &b"/"[..]].concat())?;
        } else if kind.is_symlink() {
            found.insert(path, Entry::Link(fs::read_link(entry.path())?.into_os_string().into_vec()));
        } else if kind.is_file() {
            match read_file(&entry.path()) {
                // It was removed since it was listed: a folder that is being synced is read too.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                read => {
                    found.insert(path, read?);
                }
            }
        } else {
            found.insert(path, Entry::Other);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> io::Result<Entry> {
    let mut file = File::open(path)?;
    let executable = file.metadata()?.permissions().mode() & 0o100 != 0;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
    Ok(Entry::File { executable, size, sha256: hasher.finalize().into() })
}

/// What differs between two snapshots, a line for each path; empty when they are equal.
pub fn differences(left: &Snapshot, right: &Snapshot) -> String {
    let paths: BTreeSet<&Vec<u8>> = left.keys().chain(right.keys()).collect();
    let mut text = String::new();
    for path in paths {
        let name = path.escape_ascii();
        // Writing to a string does not fail.
        let _ = match (left.get(path), right.get(path)) {
            (Some(left), Some(right)) if left == right => Ok(()),
            (Some(left), Some(right)) => {
                writeln!(text, "{name}: {left:?} on the left, {right:?} on the right")
            }
            (Some(left), None) => writeln!(text, "{name}: only on the left: {left:?}"),
            (None, Some(right)) => writeln!(text, "{name}: only on the right: {right:?}"),
            (None, None) => Ok(()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_content_kind_and_executable_bit() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("sub/.git")).expect("mkdir");
        fs::create_dir(at(".git")).expect("mkdir");
        fs::write(at(".git/config"), "x").expect("write");
        fs::write(at("sub/.git/config"), "x").expect("write");
        fs::write(at("a"), "1").expect("write");
        std::os::unix::fs::symlink("a", at("link")).expect("symlink");
        let before = snapshot(dir.path());
        let paths: Vec<_> = before.keys().map(|path| path.escape_ascii().to_string()).collect();
        assert_eq!(paths, ["a", "link", "sub/.git/config"], "only the .git at the top is left out");
        assert_eq!(before[&b"a"[..]], Entry::file(b"1", false));
        assert_eq!(differences(&before, &snapshot(dir.path())), "");

        fs::set_permissions(at("a"), fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::remove_file(at("link")).expect("remove");
        fs::write(at("b\n"), "2").expect("write");
        let changes = differences(&before, &snapshot(dir.path()));
        let lines: Vec<_> =
            changes.lines().map(|line| line.split(' ').take(4).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["a: file of 1", "b\\n: only on the", "link: only on the"], "{changes}");
    }
}
