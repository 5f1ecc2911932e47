//! The objects a merge reads and makes. What was made a moment ago can be read like what is on disk.

use std::collections::HashMap;

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::pointer::MAX_POINTER_SIZE;
use tributary_formats::tree_path::TreePath;

use super::MergeError;
use crate::commit::{blob_entry, link_entry, pointer_entry};
use crate::object_batch::{ObjectBatch, TreeItem};
use crate::tree::{Content, EntryMode, Node, TreeEntry, TreeError, TreeReader, content_of, meaning};

/// The repository's objects, and those of this merge that are not written yet.
pub(crate) struct MergeObjects<'r> {
    pub(crate) git: &'r git2::Repository,
    pub(crate) batch: ObjectBatch,
    pub(crate) trees: TreeReader<'r>,
    blobs: HashMap<Oid, Vec<u8>>,
}

impl<'r> MergeObjects<'r> {
    pub(crate) fn new(git: &'r git2::Repository) -> Result<Self, TreeError> {
        let trees = TreeReader::new(git)?;
        Ok(MergeObjects { git, batch: ObjectBatch::new(), trees, blobs: HashMap::new() })
    }

    pub(crate) fn content(&self, entry: TreeEntry) -> Result<Content, TreeError> {
        match self.blobs.get(&entry.oid) {
            Some(data) => {
                let data = (data.len() <= MAX_POINTER_SIZE).then_some(&**data);
                Ok(meaning(entry.mode, data.map_or(MAX_POINTER_SIZE, <[u8]>::len), data))
            }
            None => content_of(self.git, entry),
        }
    }

    /// A blob's bytes; None when it has more than `limit`.
    pub(crate) fn blob(&self, oid: Oid, limit: usize) -> Result<Option<Vec<u8>>, TreeError> {
        if let Some(data) = self.blobs.get(&oid) {
            return Ok((data.len() <= limit).then(|| data.clone()));
        }
        let broken = |source| TreeError::Object { oid, source };
        let odb = self.git.odb().map_err(broken)?;
        if odb.read_header(oid).map_err(broken)?.0 > limit {
            return Ok(None);
        }
        Ok(Some(odb.read(oid).map_err(broken)?.data().to_vec()))
    }

    pub(crate) fn make_blob(&mut self, mode: EntryMode, data: Vec<u8>) -> Result<TreeEntry, MergeError> {
        let entry = blob_entry(&mut self.batch, mode, data.clone())?;
        self.blobs.insert(entry.oid, data);
        Ok(entry)
    }

    pub(crate) fn make_pointer(&mut self, key: &Key, executable: bool) -> Result<TreeEntry, MergeError> {
        let entry = pointer_entry(&mut self.batch, key, executable)?;
        self.blobs.insert(entry.oid, tributary_formats::pointer::format_pointer(key));
        Ok(entry)
    }

    pub(crate) fn make_link(&mut self, key: &Key, path: &TreePath) -> Result<TreeEntry, MergeError> {
        let entry = link_entry(&mut self.batch, key, path)?;
        self.blobs.insert(entry.oid, key.link_target(path.depth()));
        Ok(entry)
    }

    /// Makes a directory's tree; None when it is empty.
    pub(crate) fn make_tree(&mut self, rows: Vec<(Vec<u8>, Node)>) -> Result<Option<Oid>, MergeError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let items: Vec<TreeItem> = rows
            .into_iter()
            .map(|(name, node)| match node {
                Node::Tree(oid) => TreeItem { name, mode: 0o040_000, oid },
                Node::Entry(entry) => TreeItem { name, mode: entry.mode.bits(), oid: entry.oid },
            })
            .collect();
        let oid = self.batch.tree(items.clone())?;
        self.trees.remember(oid, items);
        Ok(Some(oid))
    }
}
