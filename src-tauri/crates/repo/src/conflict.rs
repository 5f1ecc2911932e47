//! What happens to one path that both sides changed. Source: `annex-format` 6.4.

use git2::{MergeFileInput, MergeFileOptions};
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_formats::variant::{variant_path, variant_path_of_blob};

use crate::merge::MergeError;
use crate::merge::objects::MergeObjects;
use crate::tree::{Content, EntryMode, TreeEntry};

/// A path that both sides had changed in ways that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: TreePath,
    /// How it came about.
    pub kind: ConflictKind,
    /// Where the versions are now that could not keep the path; ordered.
    pub variants: Vec<TreePath>,
}

/// How a conflict came about. None of them depends on which side is called ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// Both wrote it; each version has a name of its own now.
    BothChanged,
    /// One changed it, the other deleted it: the changed version was kept.
    ChangedAndDeleted,
    /// One has an annexed file there, the other a file, link or repository in git, which keeps the path.
    AnnexedAndGit,
    /// One has a file there, the other a directory, which keeps the path.
    FileAndDirectory,
}

/// What becomes of a path.
pub(crate) enum Resolved {
    /// The sides fit together.
    Clean(Option<TreeEntry>),
    /// They do not.
    Conflict {
        kind: ConflictKind,
        /// What stays at the path.
        keeps: Option<TreeEntry>,
        /// What gets names of its own.
        displaced: Vec<Version>,
    },
}

/// A version that cannot keep its path.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) entry: TreeEntry,
    /// None: git holds the content.
    key: Option<Key>,
}

impl Version {
    pub(crate) fn of(
        objects: &mut MergeObjects<'_>,
        path: &TreePath,
        entry: TreeEntry,
    ) -> Result<Version, MergeError> {
        match objects.content(entry)? {
            Content::Annexed { key, locked } => Version::annexed(objects, path, entry, key, locked),
            _ => Ok(Version { entry, key: None }),
        }
    }

    fn annexed(
        objects: &mut MergeObjects<'_>,
        path: &TreePath,
        entry: TreeEntry,
        key: Key,
        locked: bool,
    ) -> Result<Version, MergeError> {
        // A variant lies beside the path, so the link is the same, unless somebody moved it without mending it.
        let entry = if locked { objects.make_link(&key, path)? } else { entry };
        Ok(Version { entry, key: Some(key) })
    }

    /// Orders versions of one path, whichever side they come from.
    pub(crate) fn identity(&self) -> (Vec<u8>, u32) {
        let name = match &self.key {
            Some(key) => key.to_bytes(),
            None => self.entry.oid.as_bytes().to_vec(),
        };
        (name, self.entry.mode.bits())
    }

    /// The name it gets beside `path`.
    pub(crate) fn variant_of(&self, path: &TreePath) -> TreePath {
        match &self.key {
            Some(key) => variant_path(path, key),
            None => variant_path_of_blob(path, &self.entry.oid.to_string()),
        }
    }
}

/// Resolves a path that holds no directory on either side, and that both sides changed in different ways.
pub(crate) fn resolve(
    objects: &mut MergeObjects<'_>,
    path: &TreePath,
    base: Option<TreeEntry>,
    ours: Option<TreeEntry>,
    theirs: Option<TreeEntry>,
) -> Result<Resolved, MergeError> {
    // Everything below treats its two sides alike; in a fixed order it cannot but do so.
    let (one, other) = if ours <= theirs { (ours, theirs) } else { (theirs, ours) };
    match (one, other) {
        (Some(one), Some(other)) => both_present(objects, path, base, one, other),
        // What the other side deleted was a directory of that name.
        (None, Some(new)) if base.is_none() => Ok(Resolved::Clean(Some(new))),
        (None, Some(changed)) => changed_and_deleted(objects, path, changed),
        (_, None) => Ok(Resolved::Clean(None)),
    }
}

fn changed_and_deleted(
    objects: &mut MergeObjects<'_>,
    path: &TreePath,
    changed: TreeEntry,
) -> Result<Resolved, MergeError> {
    let version = Version::of(objects, path, changed)?;
    let kind = ConflictKind::ChangedAndDeleted;
    Ok(match version.key {
        Some(_) => Resolved::Conflict { kind, keeps: None, displaced: vec![version] },
        // git-annex has no rule for files in git; a change is worth more than a deletion.
        None => Resolved::Conflict { kind, keeps: Some(changed), displaced: Vec::new() },
    })
}

fn both_present(
    objects: &mut MergeObjects<'_>,
    path: &TreePath,
    base: Option<TreeEntry>,
    one: TreeEntry,
    other: TreeEntry,
) -> Result<Resolved, MergeError> {
    if let Some(entry) = bits_and_content_apart(base, one, other) {
        return Ok(Resolved::Clean(Some(entry)));
    }
    if let Some(entry) = same_content(objects, path, one, other)? {
        return Ok(Resolved::Clean(Some(entry)));
    }
    let (kind, keeps, displaced) = match (objects.content(one)?, objects.content(other)?) {
        (Content::Annexed { .. }, Content::Annexed { .. }) => {
            let displaced = vec![Version::of(objects, path, one)?, Version::of(objects, path, other)?];
            (ConflictKind::BothChanged, None, displaced)
        }
        (Content::Annexed { .. }, _) => {
            (ConflictKind::AnnexedAndGit, Some(other), vec![Version::of(objects, path, one)?])
        }
        (_, Content::Annexed { .. }) => {
            (ConflictKind::AnnexedAndGit, Some(one), vec![Version::of(objects, path, other)?])
        }
        // A repository inside cannot be renamed without its name in .gitmodules.
        (Content::Submodule, Content::Submodule) => (ConflictKind::BothChanged, Some(other), Vec::new()),
        (Content::Submodule, _) => {
            (ConflictKind::AnnexedAndGit, Some(one), vec![Version::of(objects, path, other)?])
        }
        (_, Content::Submodule) => {
            (ConflictKind::AnnexedAndGit, Some(other), vec![Version::of(objects, path, one)?])
        }
        _ => {
            if let Some(entry) = merge_texts(objects, base, one, other)? {
                return Ok(Resolved::Clean(Some(entry)));
            }
            let displaced = vec![Version::of(objects, path, one)?, Version::of(objects, path, other)?];
            (ConflictKind::BothChanged, None, displaced)
        }
    };
    Ok(Resolved::Conflict { kind, keeps, displaced })
}

/// One entry for two of the same annexed content: unlocked unless both are locked, executable if either is. None when
/// their contents differ.
pub(crate) fn same_content(
    objects: &mut MergeObjects<'_>,
    path: &TreePath,
    one: TreeEntry,
    other: TreeEntry,
) -> Result<Option<TreeEntry>, MergeError> {
    if one == other {
        return Ok(Some(one));
    }
    match (objects.content(one)?, objects.content(other)?) {
        (Content::Annexed { key, locked: a }, Content::Annexed { key: same, locked: b }) if key == same => {
            let executable = [one, other].iter().any(|entry| entry.mode == EntryMode::Executable);
            let entry = if a && b {
                objects.make_link(&key, path)?
            } else {
                objects.make_pointer(&key, executable)?
            };
            Ok(Some(entry))
        }
        _ => Ok(None),
    }
}

/// Where at most one side changed the content, and at most one the executable bit. Only plain files have both.
fn bits_and_content_apart(base: Option<TreeEntry>, one: TreeEntry, other: TreeEntry) -> Option<TreeEntry> {
    if !one.mode.is_file() || !other.mode.is_file() {
        return None;
    }
    let base = base.filter(|base| base.mode.is_file());
    let oid = match base {
        _ if one.oid == other.oid => one.oid,
        Some(base) if base.oid == one.oid => other.oid,
        Some(base) if base.oid == other.oid => one.oid,
        _ => return None,
    };
    Some(TreeEntry { mode: merged_mode(base, one, other), oid })
}

/// The executable bit of the side that changed it; without a common version, executable if either is.
fn merged_mode(base: Option<TreeEntry>, one: TreeEntry, other: TreeEntry) -> EntryMode {
    match base {
        _ if one.mode == other.mode => one.mode,
        Some(base) if base.mode == one.mode => other.mode,
        Some(_) => one.mode,
        None => EntryMode::Executable,
    }
}

/// Larger files are not merged line by line: nobody wrote them by hand.
const MAX_TEXT: usize = 1 << 20;
/// As git: a NUL in the first bytes means that it is no text.
const TEXT_PROBE: usize = 8000;

/// Merges two versions of a text line by line; None when they overlap, or are no texts.
fn merge_texts(
    objects: &mut MergeObjects<'_>,
    base: Option<TreeEntry>,
    one: TreeEntry,
    other: TreeEntry,
) -> Result<Option<TreeEntry>, MergeError> {
    let Some(base) = base else { return Ok(None) };
    if ![base, one, other].iter().all(|entry| entry.mode.is_file()) {
        return Ok(None);
    }
    let mut texts = Vec::new();
    for entry in [base, one, other] {
        match objects.blob(entry.oid, MAX_TEXT)? {
            Some(text) if !text[..text.len().min(TEXT_PROBE)].contains(&0) => texts.push(text),
            _ => return Ok(None),
        }
    }
    let [mut a, mut b, mut c] = [MergeFileInput::new(), MergeFileInput::new(), MergeFileInput::new()];
    a.content(&texts[0]);
    b.content(&texts[1]);
    c.content(&texts[2]);
    let merged = git2::merge_file(&a, &b, &c, Some(&mut MergeFileOptions::new()))?;
    if !merged.is_automergeable() {
        return Ok(None);
    }
    let mode = merged_mode(Some(base), one, other);
    objects.make_blob(mode, merged.content().to_vec()).map(Some)
}
