//! Retrieving: whole, or from chunks, from where the temporary file stands.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use tributary_formats::Key;

use super::Shared;
use super::config::Settings;
use super::layout::Layout;
use super::place::{Place, error};
use crate::chunks::{self, ChunkSet};
use crate::meter::Meter;
use crate::partial::{PartialContent, VerifiedFile};
use crate::remote::{CheckError, Download, RetrieveError};

/// As in [`super::store`].
const BUFFER: usize = 256 * 1024;
/// From here on it is worth asking the file system for shared blocks.
const LARGE: u64 = 1024 * 1024;

/// Retrieves a batch; the results are in the order of the downloads.
pub(super) fn retrieve_all(
    shared: &Shared,
    downloads: &[Download],
) -> Vec<Result<VerifiedFile, RetrieveError>> {
    let settings = &shared.settings;
    let mut buffer = vec![0; BUFFER];
    let mut opened = None;
    let retrieve = |download: &Download| {
        let place = match &opened {
            Some(place) => place,
            // Each download is owed its own error, so each asks for itself.
            None => opened.insert(settings.open_place()?),
        };
        retrieve(place, settings, download, &mut buffer)
    };
    downloads.iter().map(retrieve).collect()
}

fn retrieve(
    place: &Place,
    settings: &Settings,
    download: &Download,
    buffer: &mut [u8],
) -> Result<VerifiedFile, RetrieveError> {
    let Download { key, partial, unverifiable, meter } = download;
    let mut content = PartialContent::open(partial, key, *unverifiable).map_err(RetrieveError::Local)?;
    meter.set(content.len());
    let mut retrieving =
        Retrieving { place, settings, key, content: &mut content, meter, buffer, wrong_size: false };
    // What an earlier try completed only has to be verified.
    if retrieving.content.lacking() != Some(0) || key.size() == Some(0) {
        retrieving.fetch()?;
    }
    Ok(content.finish()?)
}

struct Retrieving<'a> {
    place: &'a Place,
    settings: &'a Settings,
    key: &'a Key,
    content: &'a mut PartialContent,
    meter: &'a Meter,
    buffer: &'a mut [u8],
    /// Something was there that cannot be the content.
    wrong_size: bool,
}

impl Retrieving<'_> {
    /// Tries the form in which contents are stored now first, and the chunk log only when it matters. All forms hold the
    /// same bytes, so the next one goes on where the last one failed.
    fn fetch(&mut self) -> Result<(), RetrieveError> {
        let own_set = self.settings.own_set(self.key);
        if own_set.is_none() && self.whole()? {
            return Ok(());
        }
        let recorded = self.settings.chunk_sets(self.key).map_err(|unknown| match unknown {
            CheckError::Place(place) => RetrieveError::Place(place),
            CheckError::ChunkLog { key, source } => RetrieveError::ChunkLog { key, source },
        })?;
        // Chunks whose record has not arrived yet are worth a try too: what they give is verified.
        let own_set = own_set.filter(|own| !recorded.contains(own));
        for set in recorded.into_iter().chain(own_set) {
            if self.chunks(set)? {
                return Ok(());
            }
        }
        if self.settings.own_set(self.key).is_some() && self.whole()? {
            return Ok(());
        }
        let (remote, key) = (self.settings.name.clone(), self.key.clone());
        Err(if self.wrong_size {
            RetrieveError::WrongSize { remote, key }
        } else {
            RetrieveError::NotPresent { remote, key }
        })
    }

    /// Appends from the whole file; `false` when it is not there.
    fn whole(&mut self) -> Result<bool, RetrieveError> {
        let Some((file, size)) = self.open(self.key, self.key.size())? else { return Ok(false) };
        if size > LARGE
            && self.content.is_empty()
            && self.content.clone_from(&file).map_err(RetrieveError::Local)?
        {
            self.meter.set(size);
            return Ok(true);
        }
        self.append(&file, self.content.len(), size)?;
        Ok(true)
    }

    /// Appends from the chunks of a set; `false` when one of them is not there.
    fn chunks(&mut self, set: ChunkSet) -> Result<bool, RetrieveError> {
        let first = self.content.len() / set.chunk_size + 1;
        for piece in chunks::pieces(self.key, set, first.min(set.count)) {
            let Some((file, size)) = self.open(&piece.key, piece.size)? else { return Ok(false) };
            self.append(&file, self.content.len().saturating_sub(piece.start), size)?;
        }
        Ok(true)
    }

    /// Opens the file of a key or chunk, and says how many bytes it has; `None` when it is not there, or has another
    /// size than it should.
    fn open(&mut self, key: &Key, size: Option<u64>) -> Result<Option<(File, u64)>, RetrieveError> {
        for layout in [Layout::of(key), Layout::mixed(key)] {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = match openat(self.place, &layout.file, flags, Mode::empty()) {
                Ok(file) => File::from(file),
                // A link has no business there.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(errno) => return Err(error(self.settings, errno).into()),
            };
            let metadata = file.metadata().map_err(|cause| error(self.settings, cause))?;
            if metadata.is_file() && size.is_none_or(|size| size == metadata.len()) {
                return Ok(Some((file, metadata.len())));
            }
            self.wrong_size = true;
        }
        Ok(None)
    }

    /// Appends the bytes of `file` from `at` to `end`.
    fn append(&mut self, file: &File, mut at: u64, end: u64) -> Result<(), RetrieveError> {
        while at < end {
            if self.meter.stopped() {
                return Err(RetrieveError::Stopped { key: self.key.clone() });
            }
            let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(self.buffer.len());
            let read = match file.read_at(&mut self.buffer[..want], at) {
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(error(self.settings, cause).into()),
            };
            self.content.append(&self.buffer[..read]).map_err(|cause| match cause.kind() {
                io::ErrorKind::FileTooLarge => {
                    RetrieveError::WrongSize { remote: self.settings.name.clone(), key: self.key.clone() }
                }
                _ => RetrieveError::Local(cause),
            })?;
            at += read as u64;
            self.meter.advance(read as u64);
        }
        Ok(())
    }
}
