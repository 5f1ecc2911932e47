//! A batch of git objects that are made in memory and reach the disk together: loose when they are few,
//! as one pack when they are many.
//!
//! The pack holds whole objects, no deltas: the search for deltas costs more than all the rest of a commit,
//! and housekeeping repacks later anyway. Format: git's `Documentation/gitformat-pack.txt`, version 2 of both files.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use git2::{ObjectType, OdbLookupFlags, Oid};
use tempfile::NamedTempFile;

mod loose;
mod pack;

/// Up to this many objects are written loose; more go into one pack.
pub const LOOSE_LIMIT: usize = 100;

/// Up to this many files are made durable one by one.
pub(crate) const FEW: usize = 16;

/// Objects that were made and are not on disk yet.
///
/// An object that is put in twice is kept once. Nothing can be read through git2 before
/// [`ObjectBatch::write`] returned, and no ref may name the objects before [`ObjectBatch::write_durably`] did.
#[derive(Debug, Default)]
pub struct ObjectBatch {
    objects: Vec<Made>,
    known: HashSet<Oid>,
}

#[derive(Debug)]
struct Made {
    oid: Oid,
    kind: ObjectType,
    data: Vec<u8>,
}

/// One entry of a tree object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeItem {
    /// File name, without any `/`.
    pub name: Vec<u8>,
    /// Git's mode, such as 0o100644 or 0o040000.
    pub mode: u32,
    /// The blob, tree or commit.
    pub oid: Oid,
}

/// Who made a commit, and when: git's `NAME <EMAIL> SECONDS OFFSET`.
pub type Signature = git2::Signature<'static>;

impl ObjectBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many different objects the batch holds.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether the batch holds nothing.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Adds a blob.
    pub fn blob(&mut self, data: Vec<u8>) -> Result<Oid, git2::Error> {
        self.add(ObjectType::Blob, data)
    }

    /// Adds a tree; the entries are put into git's order here.
    pub fn tree(&mut self, mut items: Vec<TreeItem>) -> Result<Oid, git2::Error> {
        items.sort_by(|a, b| a.order_bytes().cmp(b.order_bytes()));
        let mut data = Vec::with_capacity(items.iter().map(|item| item.name.len() + 28).sum());
        for item in &items {
            data.extend_from_slice(format!("{:o} ", item.mode).as_bytes());
            data.extend_from_slice(&item.name);
            data.push(0);
            data.extend_from_slice(item.oid.as_bytes());
        }
        self.add(ObjectType::Tree, data)
    }

    /// Adds a commit.
    pub fn commit(
        &mut self,
        tree: Oid,
        parents: &[Oid],
        author: &Signature,
        committer: &Signature,
        message: &[u8],
    ) -> Result<Oid, git2::Error> {
        let mut data = format!("tree {tree}\n").into_bytes();
        for parent in parents {
            data.extend_from_slice(format!("parent {parent}\n").as_bytes());
        }
        write_signature(&mut data, "author", author);
        write_signature(&mut data, "committer", committer);
        data.push(b'\n');
        data.extend_from_slice(message);
        if !message.ends_with(b"\n") {
            data.push(b'\n');
        }
        self.add(ObjectType::Commit, data)
    }

    /// Adds an object of any kind from its raw content.
    pub fn add(&mut self, kind: ObjectType, data: Vec<u8>) -> Result<Oid, git2::Error> {
        let oid = Oid::hash_object(kind, &data)?;
        if self.known.insert(oid) {
            self.objects.push(Made { oid, kind, data });
        }
        Ok(oid)
    }

    /// Writes all objects into the repository's object database; they can be read from then on.
    /// The batch is empty afterwards and can be used again.
    ///
    /// # Errors
    /// The batch keeps its objects when writing failed.
    pub fn write(&mut self, repo: &git2::Repository) -> Result<(), WriteError> {
        self.write_with(repo, Durability::Later)
    }

    /// As [`ObjectBatch::write`], and returns only when the objects would survive a loss of power. Contents that they
    /// name have to be durable before.
    pub fn write_durably(&mut self, repo: &git2::Repository) -> Result<(), WriteError> {
        self.write_with(repo, Durability::Durable)
    }

    fn write_with(&mut self, repo: &git2::Repository, durability: Durability) -> Result<(), WriteError> {
        let odb = repo.odb()?;
        // An object that is there is written twice when another process packed it a moment ago, and in a large batch,
        // where it costs less than to look for each: that is harmless.
        let is_new = |made: &&Made| {
            self.objects.len() > LOOSE_LIMIT || !odb.exists_ext(made.oid, OdbLookupFlags::NO_REFRESH)
        };
        let new: Vec<&Made> = self.objects.iter().filter(is_new).collect();
        let objects = repo.commondir().join("objects");
        let durable = durability == Durability::Durable;
        if durable && new.len() < self.objects.len() {
            // Some are there already. Git does not make its loose objects durable, and an earlier try of ours may have
            // ended before it did: which of them are is not known.
            rustix::fs::syncfs(File::open(&objects)?).map_err(io::Error::from)?;
        }
        if !new.is_empty() {
            let pending = if new.len() > LOOSE_LIMIT {
                pack::write(&objects, &new)?
            } else {
                loose::write(&objects, &new)?
            };
            // Twice: before the objects get their names, so that none is ever torn under its name (git would take it
            // for good and not write it again), and after, so that the names are there before any ref is.
            if durable {
                files_durable(&objects, pending.iter().map(|pending| pending.made.as_file()))?;
            }
            let mut dirs = BTreeSet::from([objects.clone()]);
            for file in pending {
                dirs.extend(file.name.parent().map(Path::to_owned));
                file.keep()?;
            }
            if durable {
                let dirs = dirs.iter().map(File::open).collect::<io::Result<Vec<_>>>()?;
                files_durable(&objects, dirs.iter())?;
            }
            odb.refresh()?;
        }
        self.objects.clear();
        self.known.clear();
        Ok(())
    }
}

impl TreeItem {
    /// Git compares names as if a directory's ended in a slash.
    fn order_bytes(&self) -> impl Iterator<Item = u8> {
        let slash = (self.mode == 0o040000).then_some(b'/');
        self.name.iter().copied().chain(slash)
    }
}

/// When objects have to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    Durable,
    Later,
}

/// Makes these files, or directories, durable: each by itself when they are few, for others may have written much to
/// the same file system; else all with one `syncfs` of the file system that `dir` is on.
pub(crate) fn files_durable<'f>(
    dir: &Path,
    files: impl ExactSizeIterator<Item = &'f File>,
) -> io::Result<()> {
    if files.len() > FEW {
        return Ok(rustix::fs::syncfs(File::open(dir)?)?);
    }
    for file in files {
        file.sync_all()?;
    }
    Ok(())
}

/// A complete file under a temporary name in the directory of its final one.
struct Pending {
    made: NamedTempFile,
    name: PathBuf,
}

impl Pending {
    /// Gives the file its name. One that is there already has the same content and is replaced: should it be torn,
    /// by a loss of power in another program, it is whole from now on.
    fn keep(self) -> io::Result<()> {
        self.made.persist(&self.name)?;
        Ok(())
    }
}

/// A temporary file of the mode that git's objects have, with a name that git's own housekeeping removes after a crash.
fn temporary_in(dir: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o444)).tempfile_in(dir)
}

fn write_signature(data: &mut Vec<u8>, role: &str, who: &Signature) {
    let when = who.when();
    let (sign, minutes) = (if when.offset_minutes() < 0 { '-' } else { '+' }, when.offset_minutes().abs());
    data.extend_from_slice(role.as_bytes());
    data.push(b' ');
    data.extend(plain(who.name_bytes()));
    data.extend_from_slice(b" <");
    data.extend(plain(who.email_bytes()));
    let time = format!("> {} {sign}{:02}{:02}\n", when.seconds(), minutes / 60, minutes % 60);
    data.extend_from_slice(time.as_bytes());
}

/// A name without what would end its field or its line.
fn plain(name: &[u8]) -> impl Iterator<Item = u8> {
    let breaks = |b: &u8| matches!(b, b'<' | b'>') || b.is_ascii_control();
    name.iter().copied().filter(move |b| !breaks(b))
}

/// Why a batch of objects did not reach the disk.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object database refused.
    #[error("git objects could not be written")]
    Git(#[from] git2::Error),
    /// The file system refused: full, read-only or broken.
    #[error("a pack could not be written")]
    Io(#[from] std::io::Error),
}
