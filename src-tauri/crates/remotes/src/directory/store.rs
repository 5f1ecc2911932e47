//! Storing: whole, or in chunks.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, ioctl_ficlone, openat};
use tributary_formats::{Key, KeyHasher};

use super::Shared;
use super::config::Settings;
use super::incoming::Incoming;
use super::layout::Layout;
use super::pinned::Pinned;
use super::place::{Place, error};
use super::writeback::Writeback;
use crate::chunks::{self, ChunkSet, Piece};
use crate::place_error::PlaceError;
use crate::remote::{StoreError, Stored, Upload};

/// Large enough that system calls do not matter, small enough to stay in the processor's cache.
const BUFFER: usize = 256 * 1024;
/// From here on it is worth asking the place for its free room before the work, and for shared blocks.
const LARGE: u64 = 1024 * 1024;

/// Stores a batch; the results are in the order of the uploads.
pub(super) fn store_all(shared: &Shared, uploads: &[Upload]) -> Vec<Result<Stored, StoreError>> {
    let mut buffer = vec![0; BUFFER];
    let store = |upload| {
        // Asked for each, for a drive may be pulled out in the middle of a batch; while nothing changes it is one stat.
        let place = shared.pinned.place(&shared.settings)?;
        let (settings, pinned) = (&shared.settings, &shared.pinned);
        let mut storing = Storing { place: &place, settings, pinned, upload, buffer: &mut buffer };
        storing.store()
    };
    uploads.iter().map(store).collect()
}

/// One upload.
struct Storing<'a> {
    place: &'a Place,
    settings: &'a Settings,
    pinned: &'a Pinned,
    upload: &'a Upload,
    buffer: &'a mut [u8],
}

impl Storing<'_> {
    fn store(&mut self) -> Result<Stored, StoreError> {
        match self.settings.own_set(&self.upload.key) {
            Some(set) => self.store_chunks(set),
            None => self.store_whole(),
        }
    }

    fn store_whole(&mut self) -> Result<Stored, StoreError> {
        let key = &self.upload.key;
        let layout = Layout::of(key);
        if self.has(&layout, key.size())? {
            self.upload.meter.advance(key.size().unwrap_or(0));
            return Ok(Stored { chunks: None, already_there: true });
        }
        let mut source = Source::open(self.upload)?;
        self.room_for(source.size)?;
        let already_there = self.write(&mut source, &layout, None)?;
        Ok(Stored { chunks: None, already_there })
    }

    /// Stores the chunks that are lacking. The content is verified as a whole before the last chunk gets its name, so
    /// that a set is never complete with bytes that are not the key's; for the same reason the chunks of a set that is
    /// not complete are compared, not believed.
    fn store_chunks(&mut self, set: ChunkSet) -> Result<Stored, StoreError> {
        let key = self.upload.key.clone();
        let mut complete = true;
        for piece in chunks::pieces(&key, set, 1) {
            if !self.has(&Layout::of(&piece.key), piece.size)? {
                complete = false;
                break;
            }
        }
        let stored = Stored { chunks: Some(set), already_there: complete };
        if complete {
            self.upload.meter.advance(key.size().unwrap_or(0));
            return Ok(stored);
        }
        let mut source = Source::open(self.upload)?;
        self.room_for(source.size)?;
        for piece in chunks::pieces(&key, set, 1) {
            let layout = Layout::of(&piece.key);
            if !self.same_chunk(&mut source, &layout, &piece)? {
                self.write(&mut source, &layout, Some(&piece))?;
            }
        }
        Ok(stored)
    }

    /// Whether the chunk is there with the source's bytes; then the source is past it, else where it was.
    fn same_chunk(
        &mut self,
        source: &mut Source,
        layout: &Layout,
        piece: &Piece,
    ) -> Result<bool, StoreError> {
        // The last one is only there when another upload of the same content has just ended; then it is written again.
        let last = piece.size.is_some_and(|size| piece.start + size == source.size);
        if last || !self.has(layout, piece.size)? {
            return Ok(false);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let chunk =
            openat(self.place, &layout.file, flags, Mode::empty()).map_err(|errno| self.at_place(errno))?;
        let chunk = File::from(chunk);
        let size = piece.size.unwrap_or(0);
        let mut there = vec![0; self.buffer.len()];
        let (mut at, before) = (0, source.clone_state());
        while at < size {
            let want = usize::try_from(size - at).unwrap_or(usize::MAX).min(there.len());
            chunk.read_exact_at(&mut there[..want], at).map_err(|cause| self.at_place(cause))?;
            if source.peek(&mut self.buffer[..want], self.upload)? != want
                || self.buffer[..want] != there[..want]
            {
                source.restore(before);
                return Ok(false);
            }
            source.take(&self.buffer[..want]);
            at += want as u64;
        }
        self.upload.meter.advance(size);
        Ok(true)
    }

    /// Whether the file is there, with the right size: one that was cut off by a power failure is not.
    fn has(&self, layout: &Layout, size: Option<u64>) -> Result<bool, StoreError> {
        let there = self.place.file_size(&layout.file).map_err(|cause| self.at_place(cause))?;
        let has = there.is_some_and(|there| size.is_none_or(|size| size == there));
        if has {
            // Whoever stored it may have ended before it was durable.
            self.pinned.note(layout);
        }
        Ok(has)
    }

    /// A large content is refused before its first byte when there is no room for it.
    fn room_for(&self, size: u64) -> Result<(), StoreError> {
        let full = size > LARGE && self.place.free_space().map_err(|cause| self.at_place(cause))? < size;
        let no_room = || PlaceError::Full {
            remote: self.settings.name.clone(),
            source: io::Error::new(io::ErrorKind::StorageFull, "there is less room than the content needs"),
        };
        if full { Err(no_room().into()) } else { Ok(()) }
    }

    /// Writes what the source has from its position on (a piece of it, or all) and gives it its final name. Says whether
    /// somebody else was faster.
    fn write(
        &mut self,
        source: &mut Source,
        layout: &Layout,
        piece: Option<&Piece>,
    ) -> Result<bool, StoreError> {
        let mut incoming =
            Incoming::open(self.place, self.settings, layout).map_err(|cause| self.at_place(cause))?;
        let start = piece.map_or(0, |piece| piece.start);
        let size = piece.map_or(self.upload.key.size(), |piece| piece.size);
        let end = size.map(|size| start + size);
        // The upload that we waited for has stored and verified the same content. Of chunks only its caller knows that.
        if incoming.waited() && piece.is_none() && self.has(layout, size)? {
            incoming.discard();
            self.upload.meter.advance(source.size);
            return Ok(true);
        }
        match self.fill(source, &mut incoming, start, end) {
            Ok(()) => {}
            Err(error) => {
                // A full drive is not to be kept full by what is not even there; and wrong bytes are of no use.
                if matches!(
                    error,
                    StoreError::Place(PlaceError::Full { .. }) | StoreError::SourceCorrupt { .. }
                ) {
                    incoming.discard();
                }
                return Err(error);
            }
        }
        if end.is_none_or(|end| self.upload.key.size().is_none_or(|size| end == size)) && !source.is_right() {
            incoming.discard();
            return Err(StoreError::SourceCorrupt { key: self.upload.key.clone() });
        }
        incoming.finish(layout).map_err(|cause| self.at_place(cause))?;
        self.pinned.note(layout);
        Ok(false)
    }

    /// Brings the file to what the source has between `start` and `end`.
    fn fill(
        &mut self,
        source: &mut Source,
        incoming: &mut Incoming<'_>,
        start: u64,
        end: Option<u64>,
    ) -> Result<(), StoreError> {
        if incoming.len() == 0 && start == 0 && end == Some(source.size) && source.size > LARGE {
            // Shared blocks cost nothing; what they hold is still hashed, as anything that is stored.
            if ioctl_ficlone(&mut *incoming.file(), &source.file).is_ok() {
                return source.hash_up_to(source.size, self.buffer, self.upload);
            }
        }
        self.keep_equal_start(source, incoming, end)?;
        let mut writeback = Writeback::default();
        loop {
            let want = source.want(end, self.buffer.len());
            let read = source.peek(&mut self.buffer[..want], self.upload)?;
            if read == 0 {
                break;
            }
            incoming.file().write_all(&self.buffer[..read]).map_err(|cause| self.at_place(cause))?;
            writeback.wrote(incoming.file(), read).map_err(|cause| self.at_place(cause))?;
            source.take(&self.buffer[..read]);
            self.upload.meter.advance(read as u64);
        }
        writeback.wait().map_err(|cause| self.at_place(cause))?;
        match end {
            Some(end) if source.position < end => {
                Err(StoreError::SourceCorrupt { key: self.upload.key.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Keeps as much of what an earlier try left as is equal to the source; a power failure may have left anything.
    fn keep_equal_start(
        &mut self,
        source: &mut Source,
        incoming: &mut Incoming<'_>,
        end: Option<u64>,
    ) -> Result<(), StoreError> {
        if incoming.len() == 0 {
            return Ok(());
        }
        let mut there = vec![0; self.buffer.len()];
        let mut kept = 0;
        while kept < incoming.len() {
            let want = source.want(end, self.buffer.len());
            let want = want.min(usize::try_from(incoming.len() - kept).unwrap_or(want));
            if want == 0 {
                break;
            }
            let compared = incoming.file().read_exact(&mut there[..want]);
            compared.map_err(|cause| self.at_place(cause))?;
            if source.peek(&mut self.buffer[..want], self.upload)? != want
                || self.buffer[..want] != there[..want]
            {
                break;
            }
            source.take(&self.buffer[..want]);
            self.upload.meter.advance(want as u64);
            kept += want as u64;
        }
        let cut = |file: &mut File| {
            file.set_len(kept)?;
            file.seek(SeekFrom::Start(kept))
        };
        cut(incoming.file()).map_err(|cause| self.at_place(cause))?;
        Ok(())
    }

    fn at_place(&self, cause: impl Into<io::Error>) -> StoreError {
        error(self.settings, cause).into()
    }
}

/// The content here, read once from start to end and hashed on the way.
struct Source {
    file: File,
    size: u64,
    position: u64,
    hasher: Option<KeyHasher>,
    key: Key,
    modified: Option<std::time::SystemTime>,
}

impl Source {
    fn open(upload: &Upload) -> Result<Self, StoreError> {
        let open = || {
            let file = File::open(&upload.source)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the content is no regular file"));
            }
            Ok((file, metadata))
        };
        let (file, metadata) = open().map_err(|cause| unreadable(upload, cause))?;
        let key = upload.key.clone();
        if key.size().is_some_and(|size| size != metadata.len()) {
            return Err(StoreError::SourceCorrupt { key });
        }
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Source { file, size, position: 0, hasher: key.verifier(), key, modified })
    }

    /// How much to read next on the way to `end`.
    fn want(&self, end: Option<u64>, most: usize) -> usize {
        let left = end.map_or(u64::MAX, |end| end.saturating_sub(self.position));
        usize::try_from(left).unwrap_or(most).min(most)
    }

    /// Reads what comes next without taking it: as much as fits, or all that is left.
    fn peek(&self, buffer: &mut [u8], upload: &Upload) -> Result<usize, StoreError> {
        if upload.meter.stopped() {
            return Err(StoreError::Stopped { key: self.key.clone() });
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], self.position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(unreadable(upload, cause)),
            }
        }
        Ok(filled)
    }

    /// Takes the bytes that come next.
    fn take(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.position += bytes.len() as u64;
    }

    /// Takes all up to `end`, for bytes that are at the place already.
    fn hash_up_to(&mut self, end: u64, buffer: &mut [u8], upload: &Upload) -> Result<(), StoreError> {
        loop {
            let want = self.want(Some(end), buffer.len());
            let read = self.peek(&mut buffer[..want], upload)?;
            if read == 0 {
                return Ok(());
            }
            self.take(&buffer[..read]);
            upload.meter.advance(read as u64);
        }
    }

    /// Where it stands, to go back there.
    fn clone_state(&self) -> (u64, Option<KeyHasher>) {
        (self.position, self.hasher.clone())
    }

    fn restore(&mut self, (position, hasher): (u64, Option<KeyHasher>)) {
        self.position = position;
        self.hasher = hasher;
    }

    /// Whether all that was taken is the key's content. A key without a hash is right when its file did not change while
    /// it was read.
    fn is_right(&mut self) -> bool {
        match self.hasher.take() {
            Some(hasher) => hasher.matches(&self.key),
            None => self.file.metadata().is_ok_and(|now| {
                now.len() == self.position && now.len() == self.size && now.modified().ok() == self.modified
            }),
        }
    }
}

fn unreadable(upload: &Upload, source: io::Error) -> StoreError {
    StoreError::SourceUnreadable { key: upload.key.clone(), source }
}
