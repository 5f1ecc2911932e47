//! Moves: which of the paths that are gone were edited and moved in one go, as a pure function.
//!
//! A file that was moved is recognised by its content, which stands under another name. One that was edited as well is
//! not; but its inode is, or the folder it moved with.

use std::collections::{BTreeSet, HashMap};

use tributary_formats::tree_path::TreePath;

/// Device and inode number, in the widths of git's index.
pub(super) type Inode = (u32, u32);

/// A path that is gone, and where what it was is found now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    /// Its old name.
    pub from: TreePath,
    /// Its new name.
    pub to: TreePath,
}

/// Of `missing` (paths whose content is nowhere, with the inode each had), those that stand somewhere else edited: the
/// inode has another name (`inodes`), or a folder above was moved, as `known` moves or such an inode show, and the same
/// path below its new name is there.
pub(super) fn moved_and_edited(
    missing: &[(TreePath, Inode)],
    known: &[Move],
    inodes: &HashMap<Inode, TreePath>,
    there: impl Fn(&TreePath) -> bool,
) -> BTreeSet<TreePath> {
    let by_inode: Vec<_> = missing
        .iter()
        .filter_map(|(path, inode)| Some(Move { from: path.clone(), to: inodes.get(inode)?.clone() }))
        .collect();
    let folders: BTreeSet<_> = known.iter().chain(&by_inode).filter_map(folders_moved).collect();
    let mut found: BTreeSet<_> = by_inode.into_iter().map(|moved| moved.from).collect();
    for (path, _) in missing {
        let with_folder = folders.iter().any(|(from, to)| {
            let below = path.as_bytes().strip_prefix(from.as_slice());
            below.is_some_and(|below| TreePath::new([to, below].concat()).is_ok_and(|path| there(&path)))
        });
        if with_folder {
            found.insert(path.clone());
        }
    }
    found
}

/// The folder whose move explains the move of a file that kept its name: old and new, each with its final slash, or
/// empty where it is the top.
fn folders_moved(moved: &Move) -> Option<(Vec<u8>, Vec<u8>)> {
    let (from, to) = (moved.from.as_bytes(), moved.to.as_bytes());
    let same = from.iter().rev().zip(to.iter().rev()).take_while(|(a, b)| a == b).count();
    // Cut at a slash: what is the same must be whole names. A path that ends where the other has a slash is whole, too.
    let whole_here = |path: &[u8], at: usize| at == path.len() || path[path.len() - at - 1] == b'/';
    let at = (1..=same).rev().find(|&at| whole_here(from, at) && whole_here(to, at))?;
    Some((from[..from.len() - at].to_vec(), to[..to.len() - at].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> TreePath {
        TreePath::new(name.as_bytes()).expect("a good path")
    }

    fn moved(from: &str, to: &str) -> Move {
        Move { from: path(from), to: path(to) }
    }

    fn find(missing: &[(&str, u32)], known: &[Move], inodes: &[(u32, &str)], there: &[&str]) -> Vec<String> {
        let missing: Vec<_> = missing.iter().map(|(name, ino)| (path(name), (1, *ino))).collect();
        let inodes = inodes.iter().map(|(ino, name)| ((1, *ino), path(name))).collect();
        let there: BTreeSet<_> = there.iter().map(|name| path(name)).collect();
        let found = moved_and_edited(&missing, known, &inodes, |path| there.contains(path));
        found.iter().map(TreePath::to_string_lossy).collect()
    }

    #[test]
    fn an_inode_under_another_name_was_moved() {
        assert_eq!(find(&[("a", 7), ("b", 8)], &[], &[(7, "c")], &[]), ["a"]);
    }

    #[test]
    fn a_file_that_an_editor_replaced_moved_with_its_folder() {
        let known = [moved("old/x/1", "new/x/1")];
        let missing = [("old/x/2", 2), ("old/3", 3), ("old/4", 4), ("other/2", 5)];
        assert_eq!(find(&missing, &known, &[], &["new/x/2", "new/3", "new/2"]), ["old/3", "old/x/2"]);
    }

    #[test]
    fn the_edited_file_itself_shows_where_its_folder_went() {
        assert_eq!(find(&[("a/1", 1), ("a/2", 2)], &[], &[(1, "b/1")], &["b/2"]), ["a/1", "a/2"]);
    }

    #[test]
    fn a_folder_moved_up_or_down() {
        assert_eq!(find(&[("in/b", 1)], &[moved("in/a", "a")], &[], &["b"]), ["in/b"]);
        assert_eq!(find(&[("b", 1)], &[moved("a", "in/a")], &[], &["in/b"]), ["b"]);
    }

    #[test]
    fn a_file_with_a_new_name_tells_nothing_of_its_folder() {
        assert_eq!(find(&[("a/2", 2)], &[moved("a/1", "b/11")], &[], &["b/2"]), [""; 0]);
        assert_eq!(find(&[("a/2", 2)], &[moved("a/x1", "b/1")], &[], &["b/2"]), [""; 0]);
    }

    #[test]
    fn what_is_nowhere_is_deleted() {
        assert_eq!(find(&[("a/2", 2)], &[moved("a/1", "b/1")], &[(3, "c")], &["b/1"]), [""; 0]);
    }
}
