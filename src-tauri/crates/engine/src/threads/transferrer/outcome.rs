//! Outcomes: how a transfer ended, for the planner and for a person.

use std::collections::BTreeMap;

use tributary_formats::key::Key;
use tributary_planner::{Direction, Failure, TransferResult};
use tributary_remotes::{FinishError, PlaceError, RetrieveError, StoreError};
use tributary_repo::contents::ContentsError;
use tributary_status::{Problem, ProblemCode};

use crate::state::places::PlaceRow;
use crate::state::problems::problem;
use crate::threads::committer::chain;

/// How a transfer ended, and what to tell a person when that is a fault.
pub(super) type Outcome = (TransferResult, Option<String>);

/// What a person is told of a transfer that failed.
pub(super) fn fault_at(
    place: &PlaceRow,
    direction: Direction,
    result: TransferResult,
    said: &str,
) -> Problem {
    let (code, hint) = match (result, direction) {
        (TransferResult::NoSpace, Direction::Upload) => {
            (ProblemCode::PlaceFull, "Make room there; it goes on by itself.")
        }
        (TransferResult::NoSpace, Direction::Download) => {
            (ProblemCode::DiskFull, "Make room on this computer; it goes on by itself.")
        }
        (TransferResult::Corrupt, _) => (
            ProblemCode::CorruptContent,
            "The damaged copy was not used. If another place has the file, it is fetched from there.",
        ),
        (TransferResult::Failed(Failure::Unreachable), _) => {
            (ProblemCode::PlaceUnreachable, "It is tried again by itself when it is back.")
        }
        (TransferResult::Failed(Failure::Never), _) => {
            (ProblemCode::PlaceChanged, "Remove this place and add it again, if what is there now is meant.")
        }
        _ => (ProblemCode::PlaceRefused, "It is tried again. Check that you may write there."),
    };
    // Special remotes name themselves; others say only what is wrong.
    let names_it = said.contains(place.name.as_str()) || code == ProblemCode::DiskFull;
    let sentence = if names_it { format!("{said}.") } else { format!("{}: {said}.", place.name) };
    let mut fault = problem(code, &place.name, sentence, hint);
    fault.needs_you =
        matches!(result, TransferResult::NoSpace | TransferResult::Failed(Failure::Never | Failure::Person));
    fault
}

/// The same outcome for all of a batch.
pub(super) fn all(keys: &[Key], result: TransferResult, said: &str) -> Vec<Outcome> {
    keys.iter().map(|_| (result, Some(said.to_owned()))).collect()
}

/// Outcomes in the order of the keys.
pub(super) fn in_order(keys: &[Key], mut outcomes: BTreeMap<Key, Outcome>) -> Vec<Outcome> {
    let lost = || (TransferResult::Failed(Failure::Later), None);
    keys.iter().map(|key| outcomes.remove(key).unwrap_or_else(lost)).collect()
}

/// A fault of this computer's disk.
pub(super) fn local_outcome(error: &std::io::Error) -> Outcome {
    let result = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => TransferResult::NoSpace,
        _ => TransferResult::Failed(Failure::Later),
    };
    (result, Some(format!("A file could not be written here: {error}")))
}

/// A fault of a place.
pub(super) fn place_outcome(error: &PlaceError) -> Outcome {
    let result = match error {
        PlaceError::Unreachable { .. } => TransferResult::Failed(Failure::Unreachable),
        PlaceError::Full { .. } => TransferResult::NoSpace,
        PlaceError::WrongPlace { .. } => TransferResult::Failed(Failure::Never),
        PlaceError::Denied { .. } => TransferResult::Failed(Failure::Person),
        PlaceError::Failed { .. } => TransferResult::Failed(Failure::Later),
    };
    (result, Some(chain(error)))
}

/// A fault of a store.
pub(super) fn store_outcome(error: &StoreError) -> Outcome {
    match error {
        StoreError::Place(place) => place_outcome(place),
        StoreError::SourceCorrupt { .. } => (TransferResult::KeyGone, Some(chain(error))),
        StoreError::SourceUnreadable { .. } | StoreError::Stopped { .. } => {
            (TransferResult::Failed(Failure::Later), Some(chain(error)))
        }
    }
}

/// A fault of a retrieval.
pub(super) fn retrieve_outcome(error: &RetrieveError) -> Outcome {
    match error {
        RetrieveError::Place(place) => place_outcome(place),
        RetrieveError::NotPresent { .. } => (TransferResult::SourceLacks, None),
        RetrieveError::Finish(FinishError::Corrupt { resumed: true, .. }) => {
            (TransferResult::Failed(Failure::Later), Some(chain(error)))
        }
        RetrieveError::WrongSize { .. } | RetrieveError::Finish(FinishError::Corrupt { .. }) => {
            (TransferResult::Corrupt, Some(chain(error)))
        }
        RetrieveError::Local(cause) => local_outcome(cause),
        RetrieveError::Finish(_) | RetrieveError::ChunkLog { .. } | RetrieveError::Stopped { .. } => {
            (TransferResult::Failed(Failure::Later), Some(chain(error)))
        }
    }
}

/// A fault of a git remote's contents.
pub(super) fn contents_outcome(error: &ContentsError) -> Outcome {
    let result = match error {
        ContentsError::Unreachable { .. } => TransferResult::Failed(Failure::Unreachable),
        ContentsError::OtherRepository { .. } | ContentsError::NoContents => {
            TransferResult::Failed(Failure::Never)
        }
        ContentsError::NotPresent { .. } => return (TransferResult::SourceLacks, None),
        ContentsError::Corrupt { .. } => TransferResult::Corrupt,
        ContentsError::SourceChanged { .. } => TransferResult::KeyGone,
        ContentsError::Auth { .. } => TransferResult::Failed(Failure::Person),
        ContentsError::Refused { .. } | ContentsError::Busy { .. } => TransferResult::Failed(Failure::Later),
        ContentsError::Full => TransferResult::NoSpace,
        ContentsError::Protocol { .. } | ContentsError::Local(_) | ContentsError::Record(_) => {
            TransferResult::Failed(Failure::Later)
        }
        ContentsError::Cancelled => return (TransferResult::Failed(Failure::Later), None),
    };
    (result, Some(chain(error)))
}
