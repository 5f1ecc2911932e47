//! Contents to and from special remotes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_formats::key::Key;
use tributary_formats::logs::remote::RemoteConfig;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Direction, Failure, TransferResult};
use tributary_remotes::{ChunkSet, Download, LocalSettings, RemoteName, SpecialRemote, Unverifiable, Upload};
use tributary_repo::annex_branch::LogChange;
use tributary_repo::store::ObjectStore;

use super::chunk_logs::ChunkLogs;
use super::outcome::{Outcome, all, in_order, local_outcome, place_outcome, retrieve_outcome, store_outcome};
use super::{Transferrer, UNOPENED, no_room, settle_arrived};
use crate::parallel;
use crate::state::places::{PlaceRow, Reach};
use crate::threads::committer::chain;

impl Transferrer {
    pub(super) async fn upload_to_special(&self, place: &PlaceRow, keys: &[Key]) -> Vec<Outcome> {
        let (remote, store) = match self.both_ends(place).await {
            Ok(ends) => ends,
            Err((result, said)) => return all(keys, result, &said),
        };
        let mut uploads = Vec::new();
        let mut outcomes = BTreeMap::new();
        for key in keys {
            match store.locate(key) {
                Some(source) => {
                    let meter = self.meter(place, Direction::Upload, key).await;
                    uploads.push(Upload { key: key.clone(), source, meter });
                }
                None => {
                    outcomes.insert(key.clone(), (TransferResult::KeyGone, None));
                }
            }
        }
        let sent: Vec<Key> = uploads.iter().map(|upload| upload.key.clone()).collect();
        let results = remote.store_many(uploads).await;
        let flushed = remote.flush().await;
        for (key, result) in sent.into_iter().zip(results) {
            self.ended(place, Direction::Upload, &key);
            let outcome = match (result, &flushed) {
                (Ok(_), Err(error)) => place_outcome(error),
                (Ok(stored), Ok(())) => {
                    if let (Some(set), false) = (stored.chunks, stored.already_there) {
                        self.note_chunks(place, &key, set);
                    }
                    (TransferResult::Done, None)
                }
                (Err(error), _) => store_outcome(&error),
            };
            outcomes.insert(key, outcome);
        }
        in_order(keys, outcomes)
    }

    pub(super) async fn download_from_special(&self, place: &PlaceRow, keys: &[Key]) -> Vec<Outcome> {
        let (remote, store) = match self.both_ends(place).await {
            Ok(ends) => ends,
            Err((result, said)) => return all(keys, result, &said),
        };
        let mut outcomes = BTreeMap::new();
        let mut downloads = Vec::new();
        for key in keys {
            if store.contains(key).unwrap_or(false) {
                outcomes.insert(key.clone(), (TransferResult::Done, None));
            } else if let Some(outcome) = no_room(&store, key) {
                outcomes.insert(key.clone(), outcome);
            } else {
                match store.tmp_path(key) {
                    Ok(partial) => downloads.push(Download {
                        key: key.clone(),
                        partial,
                        unverifiable: Unverifiable::Accept,
                        meter: self.meter(place, Direction::Download, key).await,
                    }),
                    Err(error) => {
                        outcomes.insert(key.clone(), local_outcome(&error));
                    }
                }
            }
        }
        let asked: Vec<Key> = downloads.iter().map(|download| download.key.clone()).collect();
        let arrived = remote.retrieve_many(downloads).await;
        for key in &asked {
            self.ended(place, Direction::Download, key);
        }
        let (apply, wanted) = (self.apply.clone(), asked.clone());
        let placed = tokio::task::spawn_blocking(move || {
            let placed = parallel::map(&arrived, |result| match result {
                Ok(file) => match store.place(file.path(), file.key()) {
                    Ok(_) => (TransferResult::Done, None),
                    Err(error) => local_outcome(&error),
                },
                Err(error) => retrieve_outcome(error),
            });
            settle_arrived(&store, &apply, &wanted, placed)
        })
        .await
        .expect("placing does not panic");
        outcomes.extend(asked.into_iter().zip(placed));
        in_order(keys, outcomes)
    }

    /// The remote, once it is known to be the right one, and our store.
    async fn both_ends(
        &self,
        place: &PlaceRow,
    ) -> Result<(Arc<dyn SpecialRemote>, ObjectStore), (TransferResult, String)> {
        let remote = self.special(place).map_err(|said| (TransferResult::Failed(Failure::Person), said))?;
        let known = self.recognise(place, &remote).await;
        known.map_err(|said| (TransferResult::Failed(Failure::Unreachable), said))?;
        let unopened = || (TransferResult::Failed(Failure::Later), UNOPENED.to_owned());
        Ok((remote, self.store().ok_or_else(unopened)?))
    }

    /// The special remote of a place, made once.
    pub(crate) fn special(&self, place: &PlaceRow) -> Result<Arc<dyn SpecialRemote>, String> {
        if let Some(remote) = self.shared.remotes.lock().expect("no holder panics").get(&place.id) {
            return Ok(remote.clone());
        }
        let (uuid, config, settings) = self.settings(place)?;
        let remote: Arc<dyn SpecialRemote> =
            tributary_remotes::from_config(&uuid, &config, &settings).map_err(|error| chain(&error))?.into();
        self.shared.remotes.lock().expect("no holder panics").insert(place.id, remote.clone());
        Ok(remote)
    }

    /// What a special remote is made of.
    pub(super) fn settings(
        &self,
        place: &PlaceRow,
    ) -> Result<(RepoUuid, RemoteConfig, LocalSettings), String> {
        let (Reach::Special { config, directory }, Some(uuid)) = (&place.reach, &place.uuid) else {
            return Err("It is no special remote".into());
        };
        let repository = self.repositories.with(|repo| repo.uuid().clone()).map_err(|error| chain(&error))?;
        let settings = LocalSettings {
            name: RemoteName::new(&place.name),
            repository,
            directory: directory.clone(),
            marked: place.marked,
            cost: None,
            chunk_records: Arc::new(ChunkLogs {
                repositories: self.repositories.clone(),
                uuid: uuid.clone(),
            }),
        };
        Ok((uuid.clone(), config.clone(), settings))
    }

    fn note_chunks(&self, place: &PlaceRow, key: &Key, set: ChunkSet) {
        let Some(uuid) = place.uuid.clone() else { return };
        let change =
            LogChange::Chunks { key: key.clone(), uuid, chunk_size: set.chunk_size, count: set.count };
        self.shared.chunks.lock().expect("no holder panics").push(change);
    }
}
