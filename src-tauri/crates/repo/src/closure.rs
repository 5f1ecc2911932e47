//! The objects that one repository has and another lacks, walked from the tips that are wanted, checked and copied.
//!
//! What the receiver's refs reach is complete there and is not walked. An object that is there by itself proves
//! nothing about what it names: an interrupted fetch of another program may have left it.

use std::collections::{HashMap, HashSet};

use git2::{ObjectType, OdbLookupFlags, Oid};
use tributary_formats::tree_path::TreePath;

use crate::cancel::{Cancel, Meter};
use crate::object_batch::{ObjectBatch, TreeItem};
use crate::tree::{EntryMode, Node, parse_tree};

/// More objects than this are left to git's own programs. Measured with git 2.47: 1,000 objects take us half the time
/// that `git push` takes, 10,000 twice as long, since git copies what is compressed already.
pub(crate) const MAX_OBJECTS: usize = 30_000;
/// More bytes than this, likewise: git holds none of them in memory.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// More paths than this in one directory tree are not a folder but an attack: a few small trees that name each other
/// many times over can stand for any number of paths.
const MAX_PATHS: u64 = 20_000_000;

/// What a walk came to.
#[derive(Debug)]
pub(crate) enum Copied {
    /// All objects that were missing are in the batch.
    All(ObjectBatch),
    /// There are more than should be held in memory.
    TooMany,
}

/// Why a walk stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClosureError {
    /// The giving side lacks an object, or has it broken.
    #[error("git object {oid} cannot be read")]
    Missing {
        oid: Oid,
        #[source]
        source: git2::Error,
    },
    /// An object that git would not have made, or that could write outside a folder.
    #[error("git object {oid} is refused: {why}")]
    Hostile { oid: Oid, why: String },
    /// The receiving side cannot be read.
    #[error("the receiving repository cannot be read")]
    Receiver(#[source] git2::Error),
    #[error("cancelled")]
    Cancelled,
}

/// Gathers what `to` lacks of the histories of `tips`, all of which `from` has. Every tree is checked on the way.
pub(crate) fn copy_missing(
    from: &git2::Repository,
    to: &git2::Repository,
    tips: &[Oid],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Copied, ClosureError> {
    let mut walk = Walk::new(from, to, meter, cancel)?;
    walk.copy = Some(ObjectBatch::new());
    if !walk.run(tips)? {
        return Ok(Copied::TooMany);
    }
    Ok(Copied::All(walk.copy.take().expect("set above")))
}

/// Checks objects that are in `git` already but that no ref reaches yet: what a transport of libgit2 brought.
pub(crate) fn check_received(
    git: &git2::Repository,
    tips: &[Oid],
    cancel: &Cancel,
) -> Result<(), ClosureError> {
    let mut walk = Walk::new(git, git, &crate::cancel::no_meter, cancel)?;
    walk.run(tips).map(drop)
}

struct Walk<'w> {
    from: git2::Odb<'w>,
    from_repository: &'w git2::Repository,
    to: git2::Odb<'w>,
    known: Known<'w>,
    /// Where copies go; None when objects are only checked.
    copy: Option<ObjectBatch>,
    /// Trees walked, each less those beside it, and how many paths were left. With others beside it, the same tree is
    /// another walk: a version that came back is in the child less what its parent has, and in the root as a whole.
    trees: HashMap<(Oid, Vec<Oid>), u64>,
    blobs: HashSet<Oid>,
    bytes: u64,
    meter: &'w Meter<'w>,
    cancel: &'w Cancel,
}

impl<'w> Walk<'w> {
    fn new(
        from: &'w git2::Repository,
        to: &'w git2::Repository,
        meter: &'w Meter<'w>,
        cancel: &'w Cancel,
    ) -> Result<Self, ClosureError> {
        let source = from.odb().map_err(|source| ClosureError::Missing { oid: Oid::ZERO_SHA1, source })?;
        Ok(Walk {
            from: source,
            from_repository: from,
            to: to.odb().map_err(ClosureError::Receiver)?,
            known: Known::of(to).map_err(ClosureError::Receiver)?,
            copy: None,
            trees: HashMap::new(),
            blobs: HashSet::new(),
            bytes: 0,
            meter,
            cancel,
        })
    }

    /// False when it became too much to copy.
    fn run(&mut self, tips: &[Oid]) -> Result<bool, ClosureError> {
        let mut seen: HashSet<Oid> = HashSet::new();
        let mut next: Vec<Oid> = tips.to_vec();
        while let Some(oid) = next.pop() {
            if !seen.insert(oid) || self.known.reach(oid) {
                continue;
            }
            if self.cancel.is_cancelled() {
                return Err(ClosureError::Cancelled);
            }
            let commit = self
                .from_repository
                .find_commit(oid)
                .map_err(|source| ClosureError::Missing { oid, source })?;
            let mut beside = Vec::new();
            for parent in commit.parent_ids() {
                let parent = self
                    .from_repository
                    .find_commit(parent)
                    .map_err(|source| ClosureError::Missing { oid: parent, source })?;
                beside.push(parent.tree_id());
                next.push(parent.id());
            }
            self.tree(commit.tree_id(), &beside, 0)?;
            self.object(oid, ObjectType::Commit)?;
            if self.is_too_much() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_too_much(&self) -> bool {
        self.copy.as_ref().is_some_and(|batch| batch.len() > MAX_OBJECTS || self.bytes > MAX_BYTES)
    }

    /// Walks a tree, less what the trees beside it (those of the parents, at the same path) have just so: that is
    /// known, or walked with the parent. Returns how many paths are left.
    fn tree(&mut self, oid: Oid, beside: &[Oid], depth: usize) -> Result<u64, ClosureError> {
        if beside.contains(&oid) {
            return Ok(0);
        }
        let whole = (oid, Vec::new());
        let this = (oid, beside.to_vec());
        if let Some(paths) = self.trees.get(&whole).or_else(|| self.trees.get(&this)) {
            return Ok(*paths);
        }
        if depth > MAX_DEPTH {
            return Err(ClosureError::Hostile { oid, why: "directories are nested too deeply".to_owned() });
        }
        let items = self.items(oid)?;
        check_tree(&items).map_err(|why| ClosureError::Hostile { oid, why })?;
        let mut others: Vec<HashMap<Vec<u8>, Node>> = Vec::new();
        for other in beside {
            let rows = self.items(*other)?;
            others.push(rows.into_iter().map(|item| (item.name.clone(), Node::of(&item))).collect());
        }

        let mut paths: u64 = 0;
        for item in &items {
            let node = Node::of(item);
            let same_name: Vec<Node> =
                others.iter().filter_map(|rows| rows.get(&item.name).copied()).collect();
            if same_name.contains(&node) {
                continue;
            }
            paths = paths.saturating_add(match node {
                Node::Tree(sub) => {
                    let subs: Vec<Oid> = same_name.into_iter().filter_map(Node::tree).collect();
                    self.tree(sub, &subs, depth + 1)?
                }
                Node::Entry(entry) => {
                    if entry.mode != EntryMode::Submodule && self.blobs.insert(entry.oid) {
                        self.object(entry.oid, ObjectType::Blob)?;
                    }
                    1
                }
            });
            if paths > MAX_PATHS {
                return Err(ClosureError::Hostile { oid, why: "it stands for too many paths".to_owned() });
            }
            if self.is_too_much() {
                // The caller sees it too, and gives up: nothing of this is used.
                return Ok(paths);
            }
        }
        // Behind what it names, so that the batch is written in an order in which nothing dangles.
        self.object(oid, ObjectType::Tree)?;
        self.trees.insert(this, paths);
        Ok(paths)
    }

    fn items(&self, oid: Oid) -> Result<Vec<TreeItem>, ClosureError> {
        let object = self.from.read(oid).map_err(|source| ClosureError::Missing { oid, source })?;
        let parsed = (object.kind() == ObjectType::Tree).then(|| parse_tree(object.data())).flatten();
        parsed.ok_or_else(|| ClosureError::Hostile { oid, why: "it is not a well-formed tree".to_owned() })
    }

    /// Takes an object along when the receiver lacks it.
    fn object(&mut self, oid: Oid, kind: ObjectType) -> Result<(), ClosureError> {
        let Some(batch) = &mut self.copy else {
            // Nothing to copy, but it has to be there: what a ref names must be complete.
            return match kind {
                ObjectType::Blob if !self.from.exists(oid) => {
                    let source = git2::Error::from_str("the object is missing");
                    Err(ClosureError::Missing { oid, source })
                }
                _ => Ok(()),
            };
        };
        if self.to.exists_ext(oid, OdbLookupFlags::NO_REFRESH) {
            return Ok(());
        }
        let object = self.from.read(oid).map_err(|source| ClosureError::Missing { oid, source })?;
        let size = object.len() as u64;
        let added = (object.kind() == kind).then(|| batch.add(kind, object.data().to_vec()));
        // Hashed again by the batch, so what is copied is what its name says.
        match added {
            Some(Ok(copied)) if copied == oid => {}
            Some(Err(source)) => return Err(ClosureError::Missing { oid, source }),
            _ => return Err(ClosureError::Hostile { oid, why: "it is not what its name says".to_owned() }),
        }
        self.bytes += size;
        (self.meter)(size);
        Ok(())
    }
}

/// Deeper than any path of 4,095 bytes can be.
const MAX_DEPTH: usize = 2_048;

/// The commits that a repository's refs reach.
struct Known<'r> {
    repository: &'r git2::Repository,
    tips: HashSet<Oid>,
}

impl<'r> Known<'r> {
    fn of(repository: &'r git2::Repository) -> Result<Self, git2::Error> {
        let mut tips = HashSet::new();
        for reference in repository.references()? {
            // One that is broken, or names something else than a commit, reaches nothing that counts here.
            if let Ok(commit) = reference.and_then(|reference| reference.peel_to_commit()) {
                tips.insert(commit.id());
            }
        }
        Ok(Known { repository, tips })
    }

    fn reach(&self, commit: Oid) -> bool {
        if self.tips.contains(&commit) {
            return true;
        }
        self.repository.find_commit(commit).is_ok()
            && self.tips.iter().any(|tip| self.repository.graph_descendant_of(*tip, commit).unwrap_or(false))
    }
}

/// Refuses what git's own fsck refuses, as far as it could do harm here.
fn check_tree(items: &[TreeItem]) -> Result<(), String> {
    let mut names = HashSet::with_capacity(items.len());
    for item in items {
        let shown = item.name.escape_ascii();
        // A single component: a slash inside would pass as a path of two.
        if item.name.contains(&b'/') {
            return Err(format!("the name {shown} has a slash"));
        }
        TreePath::new(&item.name).map_err(|cause| format!("the name {shown}: {cause}"))?;
        if !names.insert(item.name.as_slice()) {
            return Err(format!("the name {shown} is there twice"));
        }
        if item.oid.is_zero() {
            return Err(format!("{shown} names nothing"));
        }
        let link = EntryMode::from_bits(item.mode) == Some(EntryMode::Link);
        if link && item.name.eq_ignore_ascii_case(b".gitmodules") {
            return Err(format!("{shown} is a symbolic link"));
        }
    }
    let sorted = items.windows(2).all(|pair| order(&pair[0]).lt(order(&pair[1])));
    if sorted { Ok(()) } else { Err("its names are out of order".to_owned()) }
}

/// Git compares names as if a directory's ended in a slash.
fn order(item: &TreeItem) -> impl Iterator<Item = u8> {
    let slash = EntryMode::from_bits(item.mode).is_none().then_some(b'/');
    item.name.iter().copied().chain(slash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::no_meter;

    /// Commits one file `a` below a folder, with and without a file `b` beside it, one on top of the other.
    fn history(git: &git2::Repository, with_b: &[bool]) -> Oid {
        let who = git2::Signature::now("t", "t@example.org").unwrap();
        let (a, b) = (git.blob(b"a").unwrap(), git.blob(b"b").unwrap());
        let mut tip: Option<Oid> = None;
        for with_b in with_b {
            let mut inner = git.treebuilder(None).unwrap();
            inner.insert("a", a, 0o100644).unwrap();
            if *with_b {
                inner.insert("b", b, 0o100644).unwrap();
            }
            let mut top = git.treebuilder(None).unwrap();
            top.insert("folder", inner.write().unwrap(), 0o040000).unwrap();
            let tree = git.find_tree(top.write().unwrap()).unwrap();
            let parent = tip.map(|tip| git.find_commit(tip).unwrap());
            let parents: Vec<_> = parent.iter().collect();
            tip = Some(git.commit(None, &who, &who, "x", &tree, &parents).unwrap());
        }
        tip.unwrap()
    }

    #[test]
    fn what_was_added_and_taken_away_again_is_copied_whole() {
        for with_b in [&[false, true, false][..], &[false, true, false, true, false], &[true, false, true]] {
            let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let [from, to] = [0, 1].map(|n: usize| git2::Repository::init_bare(dirs[n].path()).unwrap());
            let tip = history(&from, with_b);
            let copied = copy_missing(&from, &to, &[tip], &no_meter, &Cancel::new()).unwrap();
            let Copied::All(mut batch) = copied else { panic!("it is little") };
            batch.write(&to).unwrap();
            let mut walk = to.revwalk().unwrap();
            walk.push(tip).unwrap();
            for commit in walk {
                let tree = to.find_commit(commit.unwrap()).unwrap().tree().unwrap();
                tree.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
                    assert!(to.odb().unwrap().exists(entry.id()), "{:?} of {with_b:?}", entry.name());
                    git2::TreeWalkResult::Ok
                })
                .unwrap();
            }
        }
    }
}
