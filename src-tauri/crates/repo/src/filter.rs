//! Our own `filter.annex.process`: lets plain `git add` and `git status` be right where git-annex is not installed.
//!
//! Git starts the program in the work tree's top and hands it one file after the other, all of a file before it takes
//! any of the answer. `clean` answers the pointer of an annexed file; `smudge` gives a pointer back as it is, which the
//! engine, or git-annex, fills. Protocol: git's long-running filter process, version 2 (gitattributes(5)).

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use git2::Oid;
use tempfile::SpooledTempFile;
use tributary_formats::branches::BRANCH_UPDATE;
use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_formats::pointer::{MAX_POINTER_SIZE, Pointer, format_pointer, parse_pointer};
use tributary_formats::tree_path::TreePath;

use crate::annex_branch::{LogChange, ReadError, UpdateError};
use crate::large_files::{AddRules, Candidate};
use crate::repository::Repository;
use crate::store::IngestError;

mod packet;

use packet::{PacketReader, PacketWriter};

/// Contents up to this size are kept in memory until git takes the answer, bytes.
const IN_MEMORY: usize = 1 << 20;

/// Git announces far fewer values for a file.
const MAX_HEADERS: usize = 64;

/// Why the filter ended before git hung up.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Git does not speak the protocol as it is known here.
    #[error("unexpected request from git: {0}")]
    Protocol(String),
    /// The pipe broke.
    #[error("the pipe to git broke")]
    Io(#[from] io::Error),
    /// The rules for adding files could not be read.
    #[error(transparent)]
    Rules(#[from] ReadError),
    /// What was taken in could not be put on record.
    #[error(transparent)]
    Record(#[from] UpdateError),
}

/// Why one file was not cleaned; git says that of the file and goes on.
#[derive(Debug, thiserror::Error)]
enum CleanError {
    #[error("data was appended to a pointer file, whose content is not here")]
    Appended,
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Git(#[from] git2::Error),
}

/// Serves git until it hangs up, then puts what was taken in on record. The repository is one of
/// [`Repository::open_remote`]: git filters in the midst of a merge, too.
///
/// # Errors
/// See [`FilterError`]. Trouble with one file is answered to git, and is no error here.
pub fn filter_process(
    repo: &Repository,
    from_git: &mut dyn Read,
    to_git: &mut dyn Write,
) -> Result<(), FilterError> {
    let mut session = Session {
        repo,
        rules: AddRules::load(repo)?,
        from_git: PacketReader::new(from_git),
        to_git: PacketWriter::new(to_git),
        taken: Vec::new(),
    };
    session.greet()?;
    let served = session.serve();
    // Also when git broke off: the contents are here.
    session.record()?;
    served
}

struct Session<'s> {
    repo: &'s Repository,
    rules: AddRules<'s>,
    from_git: PacketReader<'s>,
    to_git: PacketWriter<'s>,
    /// Keys whose content came in.
    taken: Vec<Key>,
}

impl Session<'_> {
    fn greet(&mut self) -> Result<(), FilterError> {
        let hello = self.from_git.lines(MAX_HEADERS)?.unwrap_or_default();
        if hello.first().is_none_or(|first| first != b"git-filter-client") || !has(&hello, "version=2") {
            return Err(protocol("no greeting of version 2"));
        }
        self.to_git.lines(&["git-filter-server", "version=2"])?;
        let offered = self.from_git.lines(MAX_HEADERS)?.unwrap_or_default();
        if !has(&offered, "capability=clean") || !has(&offered, "capability=smudge") {
            return Err(protocol("git offers no clean and smudge"));
        }
        Ok(self.to_git.lines(&["capability=clean", "capability=smudge"])?)
    }

    fn serve(&mut self) -> Result<(), FilterError> {
        while let Some(request) = self.from_git.lines(MAX_HEADERS)? {
            let value = |name: &[u8]| request.iter().find_map(|line| line.strip_prefix(name));
            let command = value(b"command=").ok_or_else(|| protocol("no command"))?;
            let path = value(b"pathname=").ok_or_else(|| protocol("no path"))?;
            let mut content = SpooledTempFile::new_in(IN_MEMORY, self.repo.annex_dir().join("othertmp"));
            self.from_git.content(&mut content)?;
            content.rewind()?;
            match command {
                b"smudge" => self.answer(&mut content)?,
                b"clean" => match TreePath::new(path) {
                    Ok(path) => match self.clean(&path, &mut content) {
                        Ok(Some(key)) => self.answer(&mut &format_pointer(&key)[..])?,
                        Ok(None) => self.answer(&mut content)?,
                        Err(error) => self.refuse(path.to_string_lossy().as_str(), &error)?,
                    },
                    Err(error) => self.refuse(&String::from_utf8_lossy(path), &error)?,
                },
                _ => return Err(protocol("an unknown command")),
            }
        }
        Ok(())
    }

    /// The key that goes into git instead of the content; None for the content itself, from its start.
    fn clean(&mut self, path: &TreePath, content: &mut SpooledTempFile) -> Result<Option<Key>, CleanError> {
        let size = content.seek(SeekFrom::End(0))?;
        content.rewind()?;
        if size <= MAX_POINTER_SIZE as u64 {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            content.rewind()?;
            match parse_pointer(&bytes) {
                Pointer::Key(key) => return Ok(Some(key)),
                Pointer::ContentAppended(_) => return Err(CleanError::Appended),
                Pointer::NotPointer => {}
            }
        }
        let indexed = self.in_index(path)?;
        if let Indexed::Annexed(key) = &indexed {
            // Unchanged, most often: the key stays, whatever its extension and backend.
            if let Some(mut hasher) = key.verifier()
                && key.size().is_none_or(|known| known == size)
            {
                io::copy(content, &mut HashInto(&mut hasher))?;
                content.rewind()?;
                if hasher.matches(key) {
                    return self.keep(path, content, Some(key.clone())).map(Some);
                }
            }
        }
        let file = Candidate { path, size };
        let annexed = match indexed {
            Indexed::Annexed(_) => true,
            Indexed::Git(blob) if blob == hash_blob(content, size)? => false,
            // Plain `git add` annexes only what it is told to.
            Indexed::Git(_) | Indexed::Nothing => self.rules.by_rule(file).unwrap_or(false),
        };
        if annexed { self.keep(path, content, None).map(Some) } else { Ok(None) }
    }

    /// Takes the content into the store, if it is not there. `known`: the key it is known to have.
    fn keep(
        &mut self,
        path: &TreePath,
        content: &mut SpooledTempFile,
        known: Option<Key>,
    ) -> Result<Key, CleanError> {
        let store = self.repo.store();
        if let Some(key) = known.filter(|key| store.locate(key).is_some()) {
            return Ok(key);
        }
        let backend = self.rules.backend_for(path);
        let (key, _, known) = store.ingest_stream(content, path.as_bytes(), &backend, false)?;
        if !known {
            self.taken.push(key.clone());
        }
        Ok(key)
    }

    fn in_index(&self, path: &TreePath) -> Result<Indexed, git2::Error> {
        let mut index = self.repo.git().index()?;
        // Git may have written it since the last file.
        index.read(false)?;
        let Some(entry) = index.get_path(std::path::Path::new(&os_path(path)), 0) else {
            return Ok(Indexed::Nothing);
        };
        let odb = self.repo.git().odb()?;
        let (size, _) = odb.read_header(entry.id)?;
        if size > MAX_POINTER_SIZE {
            return Ok(Indexed::Git(entry.id));
        }
        let key = parse_pointer(odb.read(entry.id)?.data()).key();
        Ok(key.map_or(Indexed::Git(entry.id), Indexed::Annexed))
    }

    fn answer(&mut self, content: &mut dyn Read) -> io::Result<()> {
        self.to_git.lines(&["status=success"])?;
        self.to_git.content(content)?;
        // An empty list: the status still holds now that all was sent.
        self.to_git.lines(&[])
    }

    fn refuse(&mut self, path: &str, error: &dyn std::error::Error) -> io::Result<()> {
        tracing::warn!(path, %error, "file not cleaned");
        self.to_git.lines(&["status=error"])
    }

    /// The contents are durable before the record says that they are here.
    fn record(&mut self) -> Result<(), FilterError> {
        if self.taken.is_empty() {
            return Ok(());
        }
        self.repo.store().sync()?;
        let here =
            |key| LogChange::Location { key, uuid: self.repo.uuid().clone(), status: LogStatus::Present };
        let changes: Vec<LogChange> = self.taken.drain(..).map(here).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.repo.annex_branch().update(&changes, now, BRANCH_UPDATE)?;
        Ok(())
    }
}

/// What git's index has at a path.
enum Indexed {
    Nothing,
    Annexed(Key),
    Git(Oid),
}

/// The id that git would give the content, which is at its start before and after.
fn hash_blob(content: &mut SpooledTempFile, size: u64) -> Result<Oid, CleanError> {
    use sha1::Digest;
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {size}\0"));
    let mut buffer = [0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    content.rewind()?;
    Ok(Oid::from_bytes(&hasher.finalize())?)
}

/// Lets `io::copy` feed a hasher.
struct HashInto<'h>(&'h mut tributary_formats::hasher::KeyHasher);

impl Write for HashInto<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn os_path(path: &TreePath) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(path.as_bytes().to_vec())
}

fn has(lines: &[Vec<u8>], wanted: &str) -> bool {
    lines.iter().any(|line| line == wanted.as_bytes())
}

fn protocol(what: &str) -> FilterError {
    FilterError::Protocol(what.to_owned())
}
