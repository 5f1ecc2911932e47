//! What is put into a folder, and how its arrival in the other is seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Context, Failure, Result};

/// Files in one folder of a batch; what people have in a folder of photographs.
const IN_A_FOLDER: usize = 100;

/// Between two looks for a file that is not there yet: fine enough beside the times that are measured, and so seldom
/// that the looking does not take the processor from what is measured.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Bytes that no compression helps with, the same for the same seed (xorshift64*).
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// Noise of its own for each seed.
    pub fn new(seed: u64) -> Self {
        // Seeds in a row are spread out; zero would stay zero.
        Noise(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next `size` bytes, a multiple of eight.
    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.number().to_le_bytes());
        }
        bytes
    }
}

/// Many files of one size, in sub-folders of one folder.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Tells this batch from others: no two batches share a content.
    pub seed: u64,
    /// How many files.
    pub files: usize,
    /// Bytes in each, a multiple of eight.
    pub size: usize,
}

impl Batch {
    fn path(&self, top: &Path, file: usize) -> PathBuf {
        top.join(format!("part {:03}", file / IN_A_FOLDER)).join(format!("file {file:06}.bin"))
    }

    fn content(&self, file: usize) -> Vec<u8> {
        Noise::new(self.seed << 32 | file as u64).bytes(self.size)
    }

    /// Writes all files below `top`.
    pub fn write(&self, top: &Path) -> Result<()> {
        for file in 0..self.files {
            let path = self.path(top, file);
            if file % IN_A_FOLDER == 0 {
                let folder = path.parent().expect("it was joined to one just above");
                fs::create_dir_all(folder).context(|| format!("could not make {}", folder.display()))?;
            }
            fs::write(&path, self.content(file)).context(|| format!("could not write {}", path.display()))?;
        }
        Ok(())
    }

    /// Waits until every file stands below `top` with its size. Each is looked at until it is there, then the next: so
    /// the looking costs one `stat` a file in all.
    pub fn arrived(&self, top: &Path, deadline: Instant) -> Result<()> {
        (0..self.files).try_for_each(|file| sized(&self.path(top, file), self.size as u64, deadline))
    }

    /// Fails when a file below `top` has not the content that was written.
    pub fn verify(&self, top: &Path) -> Result<()> {
        for file in 0..self.files {
            let path = self.path(top, file);
            let found = fs::read(&path).context(|| format!("could not read {}", path.display()))?;
            if found != self.content(file) {
                return Err(Failure::new(format!("{} arrived with another content", path.display())));
            }
        }
        Ok(())
    }
}

/// Waits until a file of that size stands at `path`; links are followed.
pub fn sized(path: &Path, size: u64, deadline: Instant) -> Result<()> {
    until(deadline, || fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == size))
}

/// Waits until `content` can be read at `path`.
pub fn readable(path: &Path, content: &[u8], deadline: Instant) -> Result<()> {
    until(deadline, || fs::read(path).is_ok_and(|found| found == content))
}

/// Waits until nothing stands at `path`.
pub fn gone(path: &Path, deadline: Instant) -> Result<()> {
    until(deadline, || fs::symlink_metadata(path).is_err())
}

fn until(deadline: Instant, mut seen: impl FnMut() -> bool) -> Result<()> {
    while !seen() {
        if Instant::now() > deadline {
            return Err(Failure::new("not within the limit"));
        }
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Files and bytes below a folder: the time of walking it is a floor for every start.
pub fn walk(top: &Path) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let read = || format!("could not read {}", folder.display());
        for entry in fs::read_dir(&folder).context(read)? {
            let entry = entry.context(read)?;
            let found = entry.metadata().context(read)?;
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                bytes += found.len();
            }
        }
    }
    Ok((files, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_arrives_when_the_last_file_is_whole_and_is_verified_by_content() {
        let folder = crate::checkout::scratch("files-test").unwrap();
        let batch = Batch { seed: 7, files: 3, size: 16 };
        let soon = || Instant::now() + Duration::from_millis(20);
        batch.write(&folder).unwrap();
        batch.arrived(&folder, soon()).unwrap();
        batch.verify(&folder).unwrap();
        assert_eq!(walk(&folder).unwrap(), (3, 48));

        fs::write(batch.path(&folder, 2), [0; 16]).unwrap();
        batch.arrived(&folder, soon()).unwrap();
        assert!(batch.verify(&folder).is_err(), "the size is right, the content is not");

        fs::write(batch.path(&folder, 2), b"half").unwrap();
        assert!(batch.arrived(&folder, soon()).is_err(), "half a file has not arrived");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn batches_share_no_content() {
        let (one, other) = (Batch { seed: 1, files: 2, size: 8 }, Batch { seed: 2, files: 2, size: 8 });
        assert_ne!(one.content(0), one.content(1));
        assert_ne!(one.content(0), other.content(0));
        assert_eq!(one.content(1), one.content(1));
    }
}
