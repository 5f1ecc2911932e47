//! Contents to and from git remotes.

use tributary_formats::key::Key;
use tributary_planner::{Direction, Failure, TransferResult};
use tributary_repo::store::ObjectStore;

use super::git_contents::GitContents;
use super::outcome::{Outcome, all, contents_outcome, local_outcome};
use super::progress::TreePathName;
use super::{Transferrer, UNOPENED, no_room, settle_arrived};
use crate::state::places::PlaceRow;

impl Transferrer {
    pub(super) async fn with_git(
        &self,
        place: &PlaceRow,
        keys: &[Key],
        direction: Direction,
    ) -> Vec<Outcome> {
        let (this, place, keys) = (self.clone(), place.clone(), keys.to_vec());
        tokio::task::spawn_blocking(move || this.with_git_blocking(&place, &keys, direction))
            .await
            .expect("transfers do not panic")
    }

    fn with_git_blocking(&self, place: &PlaceRow, keys: &[Key], direction: Direction) -> Vec<Outcome> {
        let Some(store) = self.store() else {
            return all(keys, TransferResult::Failed(Failure::Later), UNOPENED);
        };
        let mut there = match GitContents::connect(place, &self.repositories, &self.cancel) {
            Ok(there) => there,
            Err(error) => {
                let (result, said) = contents_outcome(&error);
                return keys.iter().map(|_| (result, said.clone())).collect();
            }
        };
        let mut outcomes = Vec::new();
        for key in keys {
            let name = self.file_name(key);
            let outcome = match direction {
                Direction::Upload => match store.locate(key) {
                    None => (TransferResult::KeyGone, None),
                    Some(source) => {
                        let moved = self.watched(place, key, direction, &name, |meter| {
                            there.store(key, &source, name.as_bytes(), meter, &self.cancel)
                        });
                        moved.map_or_else(|error| contents_outcome(&error), |()| (TransferResult::Done, None))
                    }
                },
                Direction::Download => {
                    if store.contains(key).unwrap_or(false) {
                        (TransferResult::Done, None)
                    } else if let Some(outcome) = no_room(&store, key) {
                        outcome
                    } else {
                        self.download_from_git(place, &store, key, &name, &mut there)
                    }
                }
            };
            outcomes.push(outcome);
        }
        if direction == Direction::Upload {
            match there.finish() {
                Ok(()) => outcomes,
                Err(error) => {
                    // What is not known to be durable there is not on record.
                    let failed = contents_outcome(&error);
                    outcomes
                        .into_iter()
                        .map(
                            |outcome| {
                                if outcome.0 == TransferResult::Done { failed.clone() } else { outcome }
                            },
                        )
                        .collect()
                }
            }
        } else {
            settle_arrived(&store, &self.apply, keys, outcomes)
        }
    }

    fn download_from_git(
        &self,
        place: &PlaceRow,
        store: &ObjectStore,
        key: &Key,
        name: &TreePathName,
        there: &mut GitContents,
    ) -> Outcome {
        let tmp = match store.tmp_path(key) {
            Ok(tmp) => tmp,
            Err(error) => return local_outcome(&error),
        };
        let moved = self.watched(place, key, Direction::Download, name, |meter| {
            there.retrieve(key, &tmp, name.as_bytes(), meter, &self.cancel)
        });
        match moved {
            Err(error) => contents_outcome(&error),
            Ok(()) => match store.place(&tmp, key) {
                Ok(_) => (TransferResult::Done, None),
                Err(error) => local_outcome(&error),
            },
        }
    }
}
