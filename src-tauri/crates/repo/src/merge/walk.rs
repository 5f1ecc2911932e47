//! The three-way walk: base, ours and theirs side by side, opening only directories that both sides changed.

use std::collections::{BTreeMap, HashSet};

use git2::Oid;
use tributary_formats::tree_path::TreePath;

use super::MergeError;
use super::objects::MergeObjects;
use super::rename::{Rename, find_renames};
use crate::commit::change_nodes;
use crate::conflict::{Conflict, ConflictKind, Resolved, Version, resolve, same_content};
use crate::tree::{Node, TreeEntry, checked, push_name};

/// The outcome of merging two trees.
#[derive(Debug)]
pub(crate) struct MergedTree {
    /// None: empty.
    pub(crate) tree: Option<Oid>,
    pub(crate) conflicts: Vec<Conflict>,
}

/// Merges two trees that came from `base`. Exchanging `ours` and `theirs` changes nothing.
pub(crate) fn merge_trees(
    objects: &mut MergeObjects<'_>,
    base: Option<Oid>,
    ours: Option<Oid>,
    theirs: Option<Oid>,
) -> Result<MergedTree, MergeError> {
    let renames = find_renames(objects, base, ours, theirs)?;
    let moved_away = renames.iter().map(|rename| rename.from.clone()).collect();
    let mut walk = Walk { objects, moved_away, displaced: Vec::new(), conflicts: Vec::new() };
    let tree = walk.dir(&mut Vec::new(), [base, ours, theirs])?;
    walk.finish(tree, &renames)
}

struct Walk<'o, 'r> {
    objects: &'o mut MergeObjects<'r>,
    /// Paths whose file one side renamed and the other changed: it goes on under the new name.
    moved_away: HashSet<TreePath>,
    /// Versions that could not keep their path, with the place of their conflict in `conflicts`.
    displaced: Vec<(usize, Version)>,
    conflicts: Vec<Conflict>,
}

impl Walk<'_, '_> {
    /// Merges a directory; None when nothing is left in it.
    fn dir(&mut self, path: &mut Vec<u8>, trees: [Option<Oid>; 3]) -> Result<Option<Oid>, MergeError> {
        let mut rows = Vec::new();
        for (name, [base, ours, theirs]) in self.objects.trees.align(trees)? {
            let merged = if ours == theirs || base == theirs {
                ours
            } else if base == ours {
                theirs
            } else {
                let parent = path.len();
                push_name(path, &name);
                let merged = self.both_changed(path, base, ours, theirs)?;
                path.truncate(parent);
                merged
            };
            rows.extend(merged.map(|node| (name, node)));
        }
        self.objects.make_tree(rows)
    }

    fn both_changed(
        &mut self,
        path: &mut Vec<u8>,
        base: Option<Node>,
        ours: Option<Node>,
        theirs: Option<Node>,
    ) -> Result<Option<Node>, MergeError> {
        let here = checked(path)?;
        let entry = |node: Option<Node>| node.and_then(Node::entry);
        let tree = |node: Option<Node>| node.and_then(Node::tree);
        if tree(ours).is_none() && tree(theirs).is_none() {
            return self.entry(here, entry(base), entry(ours), entry(theirs)).map(|e| e.map(Node::Entry));
        }

        let displaced_before = self.displaced.len();
        let dir = self.dir(path, [tree(base), tree(ours), tree(theirs)])?;
        // Versions that get a variant's name keep the directory alive, although they are not in it yet.
        let dir_stays = dir.is_some() || self.displaced.len() > displaced_before;
        match entry(ours).or(entry(theirs)) {
            Some(file) if dir_stays => {
                let version = Version::of(self.objects, &here, file)?;
                self.conflict(here, ConflictKind::FileAndDirectory, vec![version]);
            }
            Some(file) => return Ok(Some(Node::Entry(file))),
            None => {}
        }
        Ok(dir.map(Node::Tree))
    }

    fn entry(
        &mut self,
        path: TreePath,
        base: Option<TreeEntry>,
        ours: Option<TreeEntry>,
        theirs: Option<TreeEntry>,
    ) -> Result<Option<TreeEntry>, MergeError> {
        if self.moved_away.contains(&path) {
            return Ok(None);
        }
        match resolve(self.objects, &path, base, ours, theirs)? {
            Resolved::Clean(entry) => Ok(entry),
            Resolved::Conflict { kind, keeps, displaced } => {
                self.conflict(path, kind, displaced);
                Ok(keeps)
            }
        }
    }

    fn conflict(&mut self, path: TreePath, kind: ConflictKind, displaced: Vec<Version>) {
        let at = self.conflicts.len();
        self.conflicts.push(Conflict { path, kind, variants: Vec::new() });
        self.displaced.extend(displaced.into_iter().map(|version| (at, version)));
    }

    /// Puts renamed files and displaced versions into the tree.
    fn finish(mut self, tree: Option<Oid>, renames: &[Rename]) -> Result<MergedTree, MergeError> {
        let mut added: BTreeMap<TreePath, TreeEntry> =
            renames.iter().map(|rename| (rename.to.clone(), rename.entry)).collect();
        let mut displaced = std::mem::take(&mut self.displaced);
        // In an order that does not depend on which side is called ours.
        displaced.sort_by(|(a, v), (b, w)| {
            (&self.conflicts[*a].path, v.identity()).cmp(&(&self.conflicts[*b].path, w.identity()))
        });
        for (at, version) in displaced {
            let (path, entry) = self.place(tree, &added, &self.conflicts[at].path.clone(), &version)?;
            added.insert(path.clone(), entry);
            self.conflicts[at].variants.push(path);
        }
        for conflict in &mut self.conflicts {
            conflict.variants.sort();
        }
        self.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
        if added.is_empty() {
            return Ok(MergedTree { tree, conflicts: self.conflicts });
        }
        let changes = added.iter().map(|(path, entry)| (path, Some(Node::Entry(*entry))));
        let MergeObjects { trees, batch, .. } = self.objects;
        let tree = change_nodes(trees, batch, tree, changes)?;
        Ok(MergedTree { tree, conflicts: self.conflicts })
    }

    /// The variant's name and entry. When another content has that name already it gets the longer form.
    fn place(
        &mut self,
        tree: Option<Oid>,
        added: &BTreeMap<TreePath, TreeEntry>,
        path: &TreePath,
        version: &Version,
    ) -> Result<(TreePath, TreeEntry), MergeError> {
        let mut name = version.variant_of(path);
        for _ in 0..LONGER_NAMES {
            let there = match added.get(&name) {
                Some(entry) => Some(Node::Entry(*entry)),
                None => match tree {
                    Some(tree) => self.objects.trees.node_at(tree, &name)?,
                    None => None,
                },
            };
            match there {
                None => break,
                Some(Node::Entry(entry)) => {
                    if let Some(both) = same_content(self.objects, &name, entry, version.entry)? {
                        return Ok((name, both));
                    }
                }
                Some(Node::Tree(_)) => {}
            }
            name = version.variant_of(&name);
        }
        // The last form spells the version's identity out again and again: nobody has another file of that name.
        Ok((name, version.entry))
    }
}

/// The second form holds the whole key or id, so a third is needed only against somebody who makes such names.
const LONGER_NAMES: usize = 4;
