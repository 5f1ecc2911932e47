//! Whether the machine was started anew since the folder was last known to be whole.
//!
//! Linux gives each start of the machine an id (`/proc/sys/kernel/random/boot_id`). The one at which the folder was
//! whole is kept in `GITDIR/tributary/boot`.

use std::path::{Path, PathBuf};
use std::{fs, io};

const CURRENT: &str = "/proc/sys/kernel/random/boot_id";

/// The note of one folder.
#[derive(Debug)]
pub struct Boot {
    file: PathBuf,
    current: String,
    /// The note says something else.
    changed: bool,
}

impl Boot {
    /// Reads the note in the folder's state directory. A folder without one begins with this start of the machine.
    #[must_use]
    pub fn read(state: &Path) -> Boot {
        // Without an id no start can be told from another: then nothing counts as started anew.
        Self::read_as(state, fs::read_to_string(CURRENT).unwrap_or_default())
    }

    fn read_as(state: &Path, current: String) -> Boot {
        let file = state.join("boot");
        let noted = fs::read_to_string(&file).ok();
        let changed = noted.as_ref().is_some_and(|noted| *noted != current) && !current.is_empty();
        let boot = Boot { file, current, changed };
        if noted.is_none() {
            boot.write();
        }
        boot
    }

    /// Whether the machine was started since.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.changed
    }

    /// The folder is whole: from now on only another start counts.
    pub fn note(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.write();
        }
    }

    #[cfg(test)]
    pub(crate) fn pretend_new(&mut self) {
        self.changed = true;
    }

    fn write(&self) {
        // Without the note, files are looked at more closely once more than needed.
        let written: io::Result<()> = fs::write(&self.file, &self.current);
        if let Err(error) = written {
            tracing::debug!(%error, "the start of the machine is not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_start_counts_until_the_folder_is_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let read = |id: &str| Boot::read_as(dir.path(), id.to_owned());
        assert!(!read("1").is_new(), "a new folder");
        assert!(!read("1").is_new());
        assert!(read("2").is_new());
        let mut boot = read("2");
        assert!(boot.is_new(), "nobody said that it is whole");
        boot.note();
        assert!(!boot.is_new() && !read("2").is_new());
        assert!(!read("").is_new(), "a system without ids");
    }
}
