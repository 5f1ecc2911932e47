//! Acts: one placement, move or removal in the work tree.

use std::collections::BTreeMap;

use tributary_repo::keysdb;
use tributary_repo::place_in_tree::{Expected, PlaceError, Placed, Removed, WorkTree};
use tributary_repo::repository::OpenError;
use tributary_repo::stat::FileStat;

use super::rounds::{Act, Task};
use crate::state::repositories::Repositories;

/// What became of a task.
pub(super) enum Done {
    Placed(FileStat),
    Removed,
    /// The person's edit stands there.
    Edited,
    /// A file stands where a directory belongs, or the other way round.
    InTheWay,
    NotPossible,
    /// Tried again at the next waking.
    Failed(PlaceError),
}

/// The work tree, or why it cannot be used.
type Work = Result<std::io::Result<WorkTree>, OpenError>;

/// Removes the folders that moves left empty, each looked at once.
pub(super) fn clear_behind(work: &Work, tasks: &[Task]) {
    let Ok(Ok(work)) = work else { return };
    let left = tasks.iter().filter_map(|task| match &task.act {
        Act::Move { from, .. } => Some((from.parent()?, from)),
        _ => None,
    });
    for from in left.collect::<BTreeMap<_, _>>().into_values() {
        if let Err(error) = work.remove_empty_parents(from) {
            // An empty folder too many does no harm.
            tracing::debug!(%error, "a folder that may be empty stays");
        }
    }
}

/// Does one task, unless what stands there is not what was known.
pub(super) fn act(work: &Work, task: &Task) -> Done {
    let work = match work {
        Ok(Ok(work)) => work,
        Ok(Err(error)) => {
            return Done::Failed(PlaceError::Io(std::io::Error::new(error.kind(), error.to_string())));
        }
        Err(error) => return Done::Failed(PlaceError::Io(std::io::Error::other(error.to_string()))),
    };
    let path = &task.standing.path;
    let expected = task.standing.known.map_or(Expected::Absent, Expected::Version);
    let placed = match &task.act {
        Act::Nothing => return Done::Removed,
        Act::Remove => {
            let Some(known) = task.standing.known else { return Done::Removed };
            return match work.remove_known(path, known) {
                Ok(Removed::Done | Removed::AlreadyGone) => Done::Removed,
                Ok(Removed::EditedMeanwhile) => Done::Edited,
                Err(error) => Done::Failed(error),
            };
        }
        Act::Move { from, known, executable, .. } => {
            work.rename_known(from, path, *known).and_then(|placed| match placed {
                Placed::Done(stat) if stat.is_executable() != *executable => {
                    work.set_executable(path, *executable, stat)
                }
                other => Ok(other),
            })
        }
        Act::File { object, executable, .. } => work.place_file(path, object, *executable, expected),
        Act::Bytes { content, executable } => work.place_bytes(path, content, *executable, expected),
        Act::Link { target } => work.place_link(path, target, expected),
    };
    match placed {
        Ok(Placed::Done(stat)) => Done::Placed(stat),
        Ok(Placed::EditedMeanwhile) => Done::Edited,
        Ok(Placed::InTheWay { .. }) => Done::InTheWay,
        Err(PlaceError::NameNotPossible(_)) => Done::NotPossible,
        Err(error) => Done::Failed(error),
    }
}

/// Tells git-annex which files keep their key under a name that has another extension; else it would take them in anew as
/// soon as git reads them again.
pub(super) fn tell_git_annex(repositories: &Repositories, placed: &[(Done, Task)]) {
    let files: Vec<_> = placed
        .iter()
        .filter_map(|(done, task)| match (done, &task.act) {
            (Done::Placed(stat), Act::File { key, .. } | Act::Move { key, .. }) => {
                Some((task.standing.path.clone(), key.clone(), *stat))
            }
            _ => None,
        })
        .collect();
    match repositories.with(|repo| keysdb::record_renamed(repo, &files)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "git-annex is not told of renamed files"),
        Err(error) => tracing::info!(%error, "git-annex is not told of renamed files"),
    }
}
