//! Files that one side renamed, without changing them, while the other side changed them: the change follows the file.
//!
//! Git's own merge does the same with renames of equal blobs, and git-annex with it. Renames with changes on the same
//! side are not looked for: pointers of different contents have nothing in common.

use std::collections::{BTreeMap, HashMap, HashSet};

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;

use super::MergeError;
use super::objects::MergeObjects;
use crate::tree::{Content, EntryMode, TreeDelta, TreeEntry, diff_with};

/// A file that goes on under another name.
#[derive(Debug)]
pub(crate) struct Rename {
    pub(crate) from: TreePath,
    pub(crate) to: TreePath,
    /// What is at the new name after the merge.
    pub(crate) entry: TreeEntry,
}

pub(crate) fn find_renames(
    objects: &mut MergeObjects<'_>,
    base: Option<Oid>,
    ours: Option<Oid>,
    theirs: Option<Oid>,
) -> Result<Vec<Rename>, MergeError> {
    if base.is_none() {
        return Ok(Vec::new());
    }
    let ours = diff_with(&objects.trees, base, ours)?;
    let theirs = diff_with(&objects.trees, base, theirs)?;
    let mut renames = renamed_by(objects, &ours, &theirs)?;
    renames.extend(renamed_by(objects, &theirs, &ours)?);
    Ok(renames)
}

/// What makes two files the same: the blob, or for locked files, whose links change with the directory, the key.
#[derive(PartialEq, Eq, Hash, Clone)]
enum Same {
    Blob(bool, Oid),
    Key(Key),
}

fn renamed_by(
    objects: &mut MergeObjects<'_>,
    renamer: &[TreeDelta],
    changer: &[TreeDelta],
) -> Result<Vec<Rename>, MergeError> {
    let changed: BTreeMap<&TreePath, TreeEntry> =
        changer.iter().filter_map(|delta| Some((&delta.path, delta.old.and(delta.new)?))).collect();
    let gone: Vec<(&TreePath, TreeEntry, TreeEntry)> = renamer
        .iter()
        .filter(|delta| delta.new.is_none())
        .filter_map(|delta| Some((&delta.path, delta.old?, *changed.get(&delta.path)?)))
        .collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let touched: HashSet<&TreePath> = changer.iter().map(|delta| &delta.path).collect();
    let mut new_names: HashMap<Same, Vec<(&TreePath, TreeEntry)>> = HashMap::new();
    for delta in renamer {
        if let (None, Some(new)) = (delta.old, delta.new)
            && !touched.contains(&delta.path)
        {
            new_names.entry(identity(objects, new)?).or_default().push((&delta.path, new));
        }
    }

    let mut renames = Vec::new();
    for (from, old, changed) in gone {
        let Some(candidates) = new_names.get_mut(&identity(objects, old)?) else { continue };
        let Some(at) = the_one(from, candidates) else { continue };
        let (to, new) = candidates.remove(at);
        if let Some(entry) = entry_at_new_name(objects, to, old, new, changed)? {
            renames.push(Rename { from: from.clone(), to: to.clone(), entry });
        }
    }
    Ok(renames)
}

fn identity(objects: &MergeObjects<'_>, entry: TreeEntry) -> Result<Same, MergeError> {
    if entry.mode == EntryMode::Link
        && let Content::Annexed { key, .. } = objects.content(entry)?
    {
        return Ok(Same::Key(key));
    }
    Ok(Same::Blob(entry.mode.is_file(), entry.oid))
}

/// Several equal files came: the one that kept its file name is meant, if any.
fn the_one(from: &TreePath, candidates: &[(&TreePath, TreeEntry)]) -> Option<usize> {
    if candidates.len() == 1 {
        return Some(0);
    }
    let mut same = candidates.iter().enumerate().filter(|(_, (to, _))| to.file_name() == from.file_name());
    let first = same.next()?;
    same.next().is_none().then_some(first.0)
}

/// The changed content, with the executable bit of whichever side changed it. None where the kinds do not fit.
fn entry_at_new_name(
    objects: &mut MergeObjects<'_>,
    to: &TreePath,
    old: TreeEntry,
    new: TreeEntry,
    changed: TreeEntry,
) -> Result<Option<TreeEntry>, MergeError> {
    if changed.mode == EntryMode::Link {
        return Ok(match objects.content(changed)? {
            Content::Annexed { key, .. } => Some(objects.make_link(&key, to)?),
            _ => Some(changed),
        });
    }
    let all_files = [old, new, changed].iter().all(|entry| entry.mode.is_file());
    if !all_files {
        return Ok((new.mode == old.mode).then_some(changed));
    }
    let mode = if new.mode == old.mode { changed.mode } else { new.mode };
    Ok(Some(TreeEntry { mode, oid: changed.oid }))
}
