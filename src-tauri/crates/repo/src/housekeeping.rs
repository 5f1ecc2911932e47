//! Keeping a repository's object database small: repacked by git itself, under its own locks.

use std::io;
use std::path::Path;

use crate::cancel::{Cancel, no_meter};
use crate::remote::RemoteError;
use crate::transport::process;

/// More packs than this, and the repository is repacked.
pub const PACK_LIMIT: usize = 50;
/// More loose objects than this, and the repository is repacked.
pub const LOOSE_LIMIT: usize = 6_000;

/// How many files an object database is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectFiles {
    /// Packs.
    pub packs: usize,
    /// Loose objects, estimated from one of the 256 directories as git does.
    pub loose: usize,
}

/// The directory that `git gc --auto` counts, too: ids are spread evenly over all.
const SAMPLE: &str = "17";
/// How many such directories there are.
const DIRECTORIES: usize = 256;

impl ObjectFiles {
    /// Looks at the repository whose git directory is `git_dir`, ours or one on a local path.
    pub fn count(git_dir: &Path) -> io::Result<ObjectFiles> {
        let objects = git_dir.join("objects");
        let packs = names(&objects.join("pack"))?;
        let packs = packs.iter().filter(|name| {
            let pack = name.strip_suffix(".pack");
            // Packs that somebody wants kept are not repacked.
            pack.is_some_and(|pack| !packs.contains(&format!("{pack}.keep")))
        });
        let is_object = |name: &&String| name.len() == 38 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let loose = names(&objects.join(SAMPLE))?.iter().filter(is_object).count();
        Ok(ObjectFiles { packs: packs.count(), loose: loose * DIRECTORIES })
    }

    /// Whether it is time to repack.
    pub fn too_many(&self) -> bool {
        self.packs > PACK_LIMIT || self.loose > LOOSE_LIMIT
    }
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Repacks when it is time; false when there was nothing to do. To be called when idle. No object is deleted, whether
/// something names it or not: others may be about to.
pub fn tidy(git_dir: &Path, cancel: &Cancel) -> Result<bool, RemoteError> {
    if !ObjectFiles::count(git_dir).map_err(RemoteError::local)?.too_many() {
        return Ok(false);
    }
    let mut command = process::git_command_at(git_dir);
    // A geometric repack joins small packs and loose objects, and leaves the large packs as they are.
    command.args(["-c", "pack.threads=1", "-c", "pack.windowMemory=64m"]);
    command.args(["repack", "-d", "-l", "-q", "--geometric=2"]);
    let ended = process::run(&mut command, &no_meter, cancel)?;
    if !ended.success {
        return Err(process::classify(&git_dir.to_string_lossy(), &ended.stderr));
    }
    Ok(true)
}
