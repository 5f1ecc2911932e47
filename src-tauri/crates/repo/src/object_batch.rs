//! A batch of git objects that are made in memory and reach the disk together: loose when they are few,
//! as one pack when they are many.
//!
//! The pack holds whole objects, no deltas: the search for deltas costs more than all the rest of a commit,
//! and housekeeping repacks later anyway. Format: git's `Documentation/gitformat-pack.txt`, version 2 of both files.

use std::collections::HashSet;

use git2::{ObjectType, Oid};

/// Up to this many objects are written loose; more go into one pack.
pub const LOOSE_LIMIT: usize = 100;

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
        let _ = &mut items;
        todo!()
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
        let _ = (tree, parents, author, committer, message);
        todo!()
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
        let _ = repo;
        todo!()
    }

    /// As [`ObjectBatch::write`], and returns only when everything written to this file system before,
    /// contents in the object store too, would survive a loss of power (one `syncfs`).
    pub fn write_durably(&mut self, repo: &git2::Repository) -> Result<(), WriteError> {
        let _ = repo;
        todo!()
    }
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
