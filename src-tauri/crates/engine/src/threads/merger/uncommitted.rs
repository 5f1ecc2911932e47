//! What a person changed, and nobody committed yet, where a merge is about to change something.
//!
//! The watcher may not have told of it yet: it changed a moment ago, or while the folder rested or the engine was off. So
//! the paths that the merge concerns are looked at themselves; that costs what the merge costs anyway.

use tributary_formats::tree_path::TreePath;
use tributary_repo::place_in_tree::Found;
use tributary_repo::stat::FileStat;
use tributary_repo::tree::TreeDelta;

use crate::state::desk::{Desk, DeskError};
use crate::threads::scan;

/// The paths of local changes that meet these differences: at the same path, above it, or below it.
pub(super) fn uncommitted(desk: &mut Desk, deltas: &[TreeDelta]) -> Result<Vec<TreePath>, DeskError> {
    let mut paths = Vec::new();
    for delta in deltas {
        let path = &delta.path;
        match desk.work.look(path).map_err(DeskError::WorkTree)? {
            Found::Nothing if is_expected(desk, path) => paths.push(path.clone()),
            Found::Nothing => {}
            Found::There(stat) if stat.is_dir() => {
                if is_expected(desk, path) {
                    paths.push(path.clone());
                } else if delta.new.is_some() {
                    paths.extend(below(desk, path));
                }
            }
            Found::There(stat) if is_changed(desk, path, &stat)? => paths.push(path.clone()),
            Found::There(_) => {}
            Found::InTheWay(file, stat) => {
                // What the index has below a file is gone as well.
                let gone = is_expected(desk, path).then(|| path.clone());
                let changed = is_changed(desk, &file, &stat)?.then_some(file);
                paths.extend(changed.into_iter().chain(gone));
            }
        }
    }
    paths.sort_unstable();
    paths.dedup();
    Ok(paths)
}

/// Whether a file should stand there.
fn is_expected(desk: &Desk, path: &TreePath) -> bool {
    !desk.placing.contains(path) && desk.index.get(path.as_bytes()).is_some_and(|entry| !entry.skip_worktree)
}

/// Whether a file is neither what the index says, nor an older version that stands until the merged one is placed.
fn is_changed(desk: &Desk, path: &TreePath, stat: &FileStat) -> Result<bool, DeskError> {
    if desk.placing.contains(path) || desk.index.get(path.as_bytes()).is_some_and(|entry| entry.matches(stat))
    {
        return Ok(false);
    }
    let standing = desk.ledger.standing(path)?;
    Ok(!standing.and_then(|standing| standing.known).is_some_and(|known| known.same_version(stat)))
}

/// Local changes below a directory where others have a file.
fn below(desk: &mut Desk, dir: &TreePath) -> Vec<TreePath> {
    let top = desk.repo.work_dir().to_owned();
    // A directory that cannot be read keeps its path for now: what is in it is not known.
    let Ok(walk) = scan::walk(&top, Some(dir), &mut |_| {}) else { return vec![] };
    let differences = scan::differences_below(desk, dir, walk.found);
    differences.changed.into_iter().chain(differences.gone).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tributary_repo::tree::{EntryMode, TreeEntry};

    use super::*;
    use crate::state::desk::scene::{Scene, key, path};

    /// What meets a change that others made, or a deletion.
    fn met(scene: &mut Scene, name: &str, deleted: bool) -> Vec<TreePath> {
        let id = tributary_repo::Oid::from_bytes(&[1; 20]).unwrap();
        let theirs = TreeEntry { mode: EntryMode::File, oid: id };
        let delta = TreeDelta { path: path(name), old: None, new: (!deleted).then_some(theirs) };
        uncommitted(&mut scene.desk, &[delta]).unwrap()
    }

    fn at(scene: &Scene, name: &str) -> PathBuf {
        scene.desk.repo.work_dir().join(name)
    }

    #[test]
    fn what_is_as_it_was_committed_meets_nothing() {
        let mut scene = Scene::new();
        scene.commit("committed", 1);
        scene.merge(&[("dir/arriving", Some(key(2)))]);
        fs::create_dir(at(&scene, "empty")).unwrap();
        for name in ["committed", "new", "new/er", "dir/arriving", "empty", "empty/new"] {
            assert_eq!(met(&mut scene, name, false), [], "{name}");
        }
    }

    #[test]
    fn what_was_edited_added_or_deleted_is_met() {
        let mut scene = Scene::new();
        for (name, version) in [("edited", 1), ("deleted", 2), ("exchanged", 3)] {
            scene.commit(name, version);
        }
        scene.merge(&[("arriving", Some(key(4)))]);
        for name in ["edited", "added", "arriving"] {
            fs::write(at(&scene, name), "by a person").unwrap();
        }
        fs::remove_file(at(&scene, "deleted")).unwrap();
        fs::remove_file(at(&scene, "exchanged")).unwrap();
        fs::create_dir(at(&scene, "exchanged")).unwrap();
        for name in ["edited", "added", "arriving", "deleted", "exchanged"] {
            assert_eq!(met(&mut scene, name, false), [path(name)], "{name}");
            assert_eq!(met(&mut scene, name, true), [path(name)], "{name}, which others deleted");
        }
        scene.desk.placing.insert(path("arriving"));
        assert_eq!(met(&mut scene, "arriving", false), [], "that is the applier's");
    }

    #[test]
    fn files_and_directories_in_each_others_way_are_met() {
        let mut scene = Scene::new();
        scene.commit("dir", 1);
        fs::remove_file(at(&scene, "dir")).unwrap();
        fs::write(at(&scene, "file"), "where others have a directory").unwrap();
        fs::create_dir(at(&scene, "dir")).unwrap();
        fs::write(at(&scene, "dir/new"), "where others have a file").unwrap();
        fs::create_dir(at(&scene, "added")).unwrap();
        fs::write(at(&scene, "added/new"), "where others have a file").unwrap();
        assert_eq!(met(&mut scene, "file/theirs", false), [path("file")]);
        assert_eq!(met(&mut scene, "file/deep/theirs", false), [path("file")]);
        assert_eq!(met(&mut scene, "dir", false), [path("dir")]);
        assert_eq!(met(&mut scene, "added", false), [path("added/new")]);
        assert_eq!(met(&mut scene, "added", true), [], "it stays");
    }

    #[test]
    fn an_old_version_that_stands_until_the_new_one_is_here_is_no_change() {
        let mut scene = Scene::new();
        scene.commit("file", 1);
        scene.merge(&[("file", Some(key(2)))]);
        assert_eq!(met(&mut scene, "file", false), []);
        scene.merge(&[("file", None)]);
        assert_eq!(met(&mut scene, "file", false), [], "nor is one that is to be removed");
        fs::write(at(&scene, "file"), "by a person").unwrap();
        assert_eq!(met(&mut scene, "file", false), [path("file")]);
    }
}
