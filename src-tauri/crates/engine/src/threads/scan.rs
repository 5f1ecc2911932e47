//! The walk through a folder: what is there, and where that is not what the index says. Stat data only.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use tributary_formats::tree_path::TreePath;
use tributary_repo::index::IndexEntry;
use tributary_repo::stat::FileStat;

use crate::state::desk::Desk;

/// What a walk met.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Files and links, in no order.
    pub found: Vec<(TreePath, FileStat)>,
    /// What is not synced: sockets, devices, nested repositories, names that cannot be in a tree.
    pub odd: Vec<TreePath>,
}

/// Walks the folder, or what is below a directory of it. `enter` is called with each directory before it is read, so
/// that a watch set there misses nothing.
///
/// # Errors
/// When the starting directory cannot be read; one below that cannot be read is left out, and an entry that vanishes
/// meanwhile is not there.
pub(super) fn walk(top: &Path, below: Option<&TreePath>, enter: &mut dyn FnMut(&Path)) -> io::Result<Walk> {
    let mut walk = Walk::default();
    let start = below.map_or_else(|| top.to_owned(), |path| full_path(top, path));
    enter(&start);
    let first = match std::fs::read_dir(&start) {
        Ok(first) => first,
        Err(error) if below.is_some() && error.kind() == io::ErrorKind::NotFound => return Ok(walk),
        Err(error) => return Err(error),
    };
    let mut open = vec![first];
    while let Some(dir) = open.last_mut() {
        let Some(entry) = dir.next() else {
            open.pop();
            continue;
        };
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if path.parent() == Some(top) && entry.file_name() == ".git" {
            continue;
        }
        let Some(name) = tree_path(top, &path) else {
            // A `.git` deeper down belongs to a nested repository, which was not entered; others cannot be named.
            continue;
        };
        let Ok(meta) = entry.metadata() else { continue };
        let kind = meta.file_type();
        if kind.is_dir() {
            if path.join(".git").symlink_metadata().is_ok() {
                walk.odd.push(name);
                continue;
            }
            enter(&path);
            open.extend(std::fs::read_dir(&path));
        } else if kind.is_file() || kind.is_symlink() {
            walk.found.push((name, FileStat::from(&meta)));
        } else {
            walk.odd.push(name);
        }
    }
    Ok(walk)
}

/// Paths that are not as the index says.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Found otherwise.
    pub changed: Vec<TreePath>,
    /// Not found although they should be there.
    pub gone: Vec<TreePath>,
}

/// Compares what was found in the whole folder with the index.
pub(super) fn differences(desk: &mut Desk, mut found: Vec<(TreePath, FileStat)>) -> Differences {
    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    let mut found = found.into_iter().peekable();
    for (path, entry) in desk.index.iter() {
        while let Some((new, _)) = found.next_if(|(new, _)| new.as_bytes() < path) {
            changed.push(new);
        }
        match found.next_if(|(there, _)| there.as_bytes() == path) {
            Some((there, stat)) if !entry.matches(&stat) => changed.push(there),
            Some(_) => {}
            None => gone.extend(missing(desk, path, entry)),
        }
    }
    changed.extend(found.map(|(new, _)| new));
    Differences { changed, gone }
}

/// A path of the index that was not found, if it should be there. One that the applier is placing just now may have been
/// there already, and gone again: it is looked at when the applier is done with it.
fn missing(desk: &Desk, path: &[u8], entry: &IndexEntry) -> Option<TreePath> {
    let path = TreePath::new(path).ok()?;
    (!entry.skip_worktree || desk.placing.contains(&path)).then_some(path)
}

/// As [`differences`], of what is below a directory. It may not be the directory that the index knows: one that was moved
/// away, or that came and lost files before it was watched, says nothing of what is missing in it.
pub(super) fn differences_below(
    desk: &mut Desk,
    below: &TreePath,
    found: Vec<(TreePath, FileStat)>,
) -> Differences {
    let there: HashSet<&[u8]> = found.iter().map(|(path, _)| path.as_bytes()).collect();
    let under = desk.index.under(below.as_bytes()).filter(|(path, _)| !there.contains(path));
    let gone = under.filter_map(|(path, entry)| missing(desk, path, entry)).collect();
    let unlike = |(path, stat): &(TreePath, FileStat)| {
        !desk.index.get(path.as_bytes()).is_some_and(|entry| entry.matches(stat))
    };
    let changed = found.into_iter().filter(unlike).map(|(path, _)| path).collect();
    Differences { changed, gone }
}

/// The path below the top; `None` for what is not below it or cannot be in a tree (such as `.git`).
pub(super) fn tree_path(top: &Path, path: &Path) -> Option<TreePath> {
    TreePath::new(path.strip_prefix(top).ok()?.as_os_str().as_bytes()).ok()
}

/// Where a path of the folder is on this machine.
pub(super) fn full_path(top: &Path, path: &TreePath) -> PathBuf {
    top.join(std::ffi::OsString::from_vec(path.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_leaves_out_git_and_nested_repositories() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        for sub in [".git/x", "a/b", "nested/.git"] {
            std::fs::create_dir_all(top.join(sub)).unwrap();
        }
        for file in [".git/f", "a/b/f", "nested/f", "-dash"] {
            std::fs::write(top.join(file), "x").unwrap();
        }
        std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
        let mut entered = Vec::new();
        let walk = walk(top, None, &mut |dir| entered.push(dir.to_owned())).unwrap();
        let mut found: Vec<_> = walk.found.iter().map(|(path, _)| path.to_string_lossy()).collect();
        found.sort();
        assert_eq!(found, ["-dash", "a/b/f"]);
        let mut odd: Vec<_> = walk.odd.iter().map(TreePath::to_string_lossy).collect();
        odd.sort();
        assert_eq!(odd, ["nested", "socket"]);
        assert!(
            !entered.iter().any(|dir| dir.ends_with(".git")),
            "git's own writing would wake us all the time"
        );
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_and_no_empty_folder() {
        assert!(walk(Path::new("/nowhere/at/all"), None, &mut |_| {}).is_err());
    }
}
