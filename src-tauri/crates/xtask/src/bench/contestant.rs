//! What is measured: a program that keeps two folders the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::process;
use crate::warden::Warden;

/// A program, not yet running.
pub trait Contestant {
    /// As the table's head has it.
    fn name(&self) -> &'static str;

    /// How the two sides reach each other, and which version it is.
    fn about(&self) -> String;

    /// Starts it on two empty folders below `folder`, connected and quiet.
    fn start(&self, folder: &Path, warden: &Warden) -> Result<Box<dyn Pair>>;
}

/// Two folders that a running program keeps the same.
pub trait Pair {
    /// The folder in which changes are made.
    fn here(&self) -> &Path;

    /// The folder in which they are awaited.
    fn there(&self) -> &Path;

    /// The process groups that serve the first folder.
    fn groups(&self) -> Vec<u32>;

    /// Returns when the program says that nothing is to do; one that says nothing is given some time.
    fn settle(&mut self, deadline: Instant) -> Result<()>;

    /// Bytes of content where they are kept between the two, for a program that has such a place.
    fn in_between(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Fills both folders with what `write` writes, in the quickest way that leaves them in sync.
    fn fill(&mut self, write: &dyn Fn(&Path) -> Result<()>, warden: &Warden, deadline: Instant)
    -> Result<()>;

    /// Stops the program for the first folder, starts it again, and tells how long it took until it had seen that
    /// nothing changed.
    fn restart(&mut self, warden: &Warden, deadline: Instant) -> Result<Restart>;
}

/// A start on files that are known.
#[derive(Debug, Clone, Copy)]
pub struct Restart {
    /// Until it was in sync.
    pub took: Duration,
    /// Bytes that the program read meanwhile, where it is still there to be asked.
    pub read: Option<u64>,
}

/// The time that a program which tells nothing gets to become quiet.
pub const QUIET: Duration = Duration::from_secs(3);

/// Two folders made new below `folder`.
pub fn two_folders(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let folders = (folder.join("a/Sync"), folder.join("b/Sync"));
    for folder in [&folders.0, &folders.1] {
        use crate::failure::Context as _;
        std::fs::create_dir_all(folder).context(|| format!("could not make {}", folder.display()))?;
    }
    Ok(folders)
}

/// Copies a folder's files to the other side, so that a program finds both the same.
pub fn copy_over(from: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from.join(".")).arg(to);
    process::output(&mut command).map(drop)
}

/// What is left until the deadline.
pub fn left(deadline: Instant) -> Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Failure::new("not within the limit")) } else { Ok(left) }
}
