//! `annex/othertmp`: where files are made that get their name by a rename.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::lock::FileLock;

/// Our files' names start so: what a crash left can be told from git-annex's.
pub(crate) const PREFIX: &str = "tributary-";

/// The directory, while the shared lock tells git-annex not to clean it.
#[derive(Debug)]
pub(crate) struct OtherTmp {
    dir: PathBuf,
    _lock: FileLock,
}

impl OtherTmp {
    /// Locks the directory, and makes it when missing.
    pub(crate) fn open(annex_dir: &Path) -> io::Result<OtherTmp> {
        let dir = annex_dir.join("othertmp");
        let lock = match FileLock::shared(&annex_dir.join("othertmp.lck")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(annex_dir)?;
                FileLock::shared(&annex_dir.join("othertmp.lck"))?
            }
            lock => lock?,
        };
        Ok(OtherTmp { dir, _lock: lock })
    }

    /// A new file of this mode, less the umask; deleted unless it gets a name.
    pub(crate) fn file(&self, mode: u32) -> io::Result<NamedTempFile> {
        self.made(|dir| {
            let mut file = tempfile::Builder::new();
            file.prefix(PREFIX).permissions(Permissions::from_mode(mode)).tempfile_in(dir)
        })
    }

    /// Something else that is made at a free path, such as a link; deleted unless it gets a name.
    pub(crate) fn make(&self, mut make: impl FnMut(&Path) -> io::Result<()>) -> io::Result<TempPath> {
        self.made(|dir| Ok(tempfile::Builder::new().prefix(PREFIX).make_in(dir, &mut make)?.into_temp_path()))
    }

    /// Deletes what a crash left of ours, unless somebody works in the directory.
    pub(crate) fn clean_up(annex_dir: &Path) -> io::Result<()> {
        let Some(_alone) = FileLock::try_exclusive(&annex_dir.join("othertmp.lck"))? else { return Ok(()) };
        let entries = match fs::read_dir(annex_dir.join("othertmp")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn made<T>(&self, mut make: impl FnMut(&Path) -> io::Result<T>) -> io::Result<T> {
        match make(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.dir)?;
                make(&self.dir)
            }
            made => made,
        }
    }
}
