//! The stat data by which a version of a file is recognised without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What `lstat` says of one file; times as (seconds, nanoseconds) since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStat {
    /// Device.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of names the inode has.
    pub nlink: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last change of the content.
    pub mtime: (i64, u32),
    /// Last change of content, name or permissions.
    pub ctime: (i64, u32),
}

impl FileStat {
    /// The same inode with the same content and no change of any kind in between, as far as stat data tells.
    pub fn same_version(&self, other: &FileStat) -> bool {
        self.same_content(other) && self.ctime == other.ctime
    }

    /// As [`FileStat::same_version`], but a rename or a change of permissions, which moves ctime only, is let pass.
    pub fn same_content(&self, other: &FileStat) -> bool {
        self.dev == other.dev
            && self.ino == other.ino
            && self.size == other.size
            && self.mtime == other.mtime
            && self.kind() == other.kind()
    }

    /// A plain file.
    pub fn is_file(&self) -> bool {
        self.kind() == libc::S_IFREG
    }

    /// A directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == libc::S_IFDIR
    }

    /// A symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind() == libc::S_IFLNK
    }

    /// Its owner may execute it: what git records as 100755.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// git-annex's inode cache: `INODE SIZE SECONDS FRACTION` of mtime. FRACTION is the digits behind the decimal
    /// point without zeros at their end, so empty for a whole second. Seen in 10.20230126 and 10.20261026.
    pub fn inode_cache(&self) -> String {
        let fraction = format!("{:09}", self.mtime.1);
        format!("{} {} {} {}", self.ino, self.size, self.mtime.0, fraction.trim_end_matches('0'))
    }

    fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }
}

impl From<&Metadata> for FileStat {
    fn from(meta: &Metadata) -> Self {
        // The nanoseconds are below 10^9, so they fit whatever type the system gives them.
        let nanos = |n: i64| u32::try_from(n).unwrap_or(0);
        FileStat {
            dev: meta.dev(),
            ino: meta.ino(),
            mode: meta.mode(),
            uid: meta.uid(),
            gid: meta.gid(),
            nlink: meta.nlink(),
            size: meta.size(),
            mtime: (meta.mtime(), nanos(meta.mtime_nsec())),
            ctime: (meta.ctime(), nanos(meta.ctime_nsec())),
        }
    }
}

impl From<&rustix::fs::Stat> for FileStat {
    fn from(stat: &rustix::fs::Stat) -> Self {
        let nanos = |n| u32::try_from(n).unwrap_or(0);
        FileStat {
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            // The type differs from processor to processor.
            #[allow(clippy::useless_conversion)]
            nlink: stat.st_nlink.into(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: (stat.st_mtime, nanos(stat.st_mtime_nsec)),
            ctime: (stat.st_ctime, nanos(stat.st_ctime_nsec)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, FileTimes};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn inode_caches_as_git_annex_writes_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "12345").unwrap();
        let ino = fs::metadata(&path).unwrap().ino();
        // Of files that were touched to these times and added by git-annex, with its rows read by sqlite3.
        for (nanos, fraction) in
            [(12_345, "000012345"), (563_721_700, "5637217"), (12_000_000, "012"), (0, "")]
        {
            let time = UNIX_EPOCH + Duration::new(1_577_836_800, nanos);
            File::open(&path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
            let stat = FileStat::from(&fs::metadata(&path).unwrap());
            assert_eq!(stat.inode_cache(), format!("{ino} 5 1577836800 {fraction}"));
        }
    }
}
