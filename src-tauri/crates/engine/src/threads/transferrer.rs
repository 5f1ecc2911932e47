//! Transferrer: moves contents between here and one place.
//!
//! Started by the conductor for the planner's `Upload` and `Download`; tells the end of each transfer as it is known,
//! a slice of the batch at a time, after what arrived is durable. A place has one lane in each direction, so that many
//! small contents share one visit and a large one does not fight with itself.

mod chunk_logs;
mod git;
mod git_contents;
mod mark;
mod outcome;
mod progress;
mod special;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use tributary_formats::key::Key;
use tributary_planner::{Direction, Failure, Input, PlaceId, TransferResult};
use tributary_remotes::SpecialRemote;
use tributary_repo::annex_branch::LogChange;
use tributary_repo::cancel::Cancel;
use tributary_repo::store::ObjectStore;

use self::outcome::{Outcome, fault_at, local_outcome};
use crate::folder_facts::{Fact, FactSender};
use crate::state::arrivals::Arrivals;
use crate::state::desk::DeskHandle;
use crate::state::facts;
use crate::state::places::{PlaceRow, Places, Reach};
use crate::state::problems::Deed;
use crate::state::repositories::Repositories;

/// Contents that are moved in one go: their ends are told together. One at a time over a network, so that each end is
/// told soon.
const SLICE_KEYS: usize = 256;

/// As `SLICE_KEYS`, where what counts is how often all wait for the disk: once a slice.
const SLICE_KEYS_IN_DIRECTORY: usize = 1024;

/// A slice ends early when its contents are this large together, bytes.
const SLICE_BYTES: u64 = 64 << 20;

/// What is said of a transfer when our own end is not there.
const UNOPENED: &str = "The repository cannot be opened";

/// The transferrer's wiring.
#[derive(Clone)]
pub(crate) struct Transferrer {
    pub(crate) repositories: Repositories,
    pub(crate) desk: DeskHandle,
    pub(crate) places: Places,
    pub(crate) facts: FactSender,
    pub(crate) apply: Arc<Arrivals>,
    pub(crate) cancel: Cancel,
    /// Ends transfers that `cancel` does not reach: those of special remotes.
    pub(crate) stop: CancellationToken,
    pub(crate) shared: Arc<Shared>,
}

/// Held by the one who moves contents that way.
type Lane = Arc<tokio::sync::Mutex<()>>;

/// What transfers share.
#[derive(Default)]
pub(crate) struct Shared {
    remotes: Mutex<BTreeMap<PlaceId, Arc<dyn SpecialRemote>>>,
    lanes: Mutex<BTreeMap<(PlaceId, Direction), Lane>>,
    /// Chunk log lines that have to be recorded before "present" is.
    chunks: Mutex<Vec<LogChange>>,
}

impl Shared {
    /// Takes the chunk log lines that wait to be recorded.
    pub(crate) fn take_chunks(&self) -> Vec<LogChange> {
        std::mem::take(&mut *self.chunks.lock().expect("no holder panics"))
    }

    /// Forgets what is kept of the remotes: their configuration changed.
    pub(crate) fn forget_remotes(&self) {
        self.remotes.lock().expect("no holder panics").clear();
    }

    fn lane(&self, place: PlaceId, direction: Direction) -> Lane {
        self.lanes.lock().expect("no holder panics").entry((place, direction)).or_default().clone()
    }
}

impl Transferrer {
    /// Moves contents and tells how each ended.
    pub(crate) async fn transfer(self, place: PlaceRow, direction: Direction, keys: Vec<Key>) {
        let lane = self.shared.lane(place.id, direction);
        let _turn = lane.lock().await;
        let most = match place.reach {
            Reach::Special { .. } => SLICE_KEYS_IN_DIRECTORY,
            Reach::Git(_) => SLICE_KEYS,
        };
        for slice in slices(keys, most) {
            let results = match direction {
                Direction::Upload => self.stop.run_until_cancelled(self.upload(&place, &slice)).await,
                Direction::Download => self.stop.run_until_cancelled(self.download(&place, &slice)).await,
            };
            // What was cut off goes on where it stopped, after the next start.
            let Some(results) = results else { return };
            self.tell(&place, direction, slice, results).await;
        }
    }

    async fn tell(
        &self,
        place: &PlaceRow,
        direction: Direction,
        keys: Vec<Key>,
        results: Vec<(TransferResult, Option<String>)>,
    ) {
        let fault = results.iter().find_map(|(result, said)| Some((*result, said.clone()?)));
        let fault = fault.map(|(result, said)| fault_at(place, direction, result, &said));
        let deed = match direction {
            Direction::Upload => Deed::Upload,
            Direction::Download => Deed::Download,
        };
        self.facts.send(Fact::Went { place: place.name.clone(), deed, fault }).ok();
        let here: Vec<Key> = if direction == Direction::Download { keys.clone() } else { vec![] };
        let mut inputs: Vec<Input> = keys
            .into_iter()
            .zip(results)
            .map(|(key, (result, _))| {
                // Another drive under the same name may be exchanged for the right one: tried again when the place
                // comes up, or a person asks.
                let result = match result {
                    TransferResult::Failed(Failure::Never) => TransferResult::Failed(Failure::Person),
                    other => other,
                };
                Input::TransferEnded { place: place.id, direction, key, result }
            })
            .collect();
        if !here.is_empty() {
            let places = self.places.clone();
            let arrived = here.clone();
            let tell = self.facts.clone();
            let looked_up = self.desk.with(move |desk| {
                let contents = facts::of_keys(desk, &places, &here, false);
                let failed = contents.map(|contents| inputs.push(Input::Contents(contents))).err();
                // At the desk, so that no older truth comes after it.
                tell.send(Fact::Planner(inputs)).ok();
                failed
            });
            if let Some(error) = looked_up.await {
                tracing::warn!(%error, "what arrived could not be looked up");
            }
            self.apply.contents(arrived);
        } else {
            self.facts.send(Fact::Planner(inputs)).ok();
        }
    }

    async fn upload(&self, place: &PlaceRow, keys: &[Key]) -> Vec<Outcome> {
        match &place.reach {
            Reach::Special { .. } => self.upload_to_special(place, keys).await,
            Reach::Git(_) => self.with_git(place, keys, Direction::Upload).await,
        }
    }

    async fn download(&self, place: &PlaceRow, keys: &[Key]) -> Vec<Outcome> {
        match &place.reach {
            Reach::Special { .. } => self.download_from_special(place, keys).await,
            Reach::Git(_) => self.with_git(place, keys, Direction::Download).await,
        }
    }

    fn store(&self) -> Option<ObjectStore> {
        self.repositories.with(tributary_repo::Repository::store).ok()
    }
}

/// Cuts a batch into slices, of at most so many contents and so many bytes.
fn slices(keys: Vec<Key>, most: usize) -> Vec<Vec<Key>> {
    let mut slices = vec![vec![]];
    let mut bytes = 0;
    for key in keys {
        let size = key.size().unwrap_or(0);
        let last = slices.last_mut().expect("there is always one");
        if !last.is_empty() && (last.len() == most || bytes + size > SLICE_BYTES) {
            slices.push(vec![key]);
            bytes = size;
        } else {
            last.push(key);
            bytes += size;
        }
    }
    slices.retain(|slice| !slice.is_empty());
    slices
}

/// What arrived can be placed at once; it counts as arrived, and is recorded, only when it would survive a loss of power.
fn settle_arrived(
    store: &ObjectStore,
    apply: &Arrivals,
    keys: &[Key],
    outcomes: Vec<Outcome>,
) -> Vec<Outcome> {
    let done = keys.iter().zip(&outcomes).filter(|(_, (result, _))| *result == TransferResult::Done);
    let arrived: Vec<Key> = done.map(|(key, _)| key.clone()).collect();
    apply.contents(arrived.clone());
    match store.make_durable(arrived.iter()) {
        Ok(()) => outcomes,
        Err(error) => outcomes
            .into_iter()
            .map(|outcome| if outcome.0 == TransferResult::Done { local_outcome(&error) } else { outcome })
            .collect(),
    }
}

/// Refuses a content that does not fit, the reserve counted, before the disk is full.
fn no_room(store: &ObjectStore, key: &Key) -> Option<Outcome> {
    let size = key.size()?;
    let free = store.free_space().ok()?;
    (size > free).then(|| {
        let said =
            format!("A file of {size} bytes does not fit on this computer: {free} bytes are free beside the reserve (annex.diskreserve)");
        (TransferResult::NoSpace, Some(said))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_by_count_and_by_size() {
        let key = |n: u64, size: u64| Key::parse(format!("SHA256-s{size}--{n:064x}").as_bytes()).unwrap();
        let small: Vec<_> = (0..600).map(|n| key(n, 1)).collect();
        assert_eq!(slices(small, 256).iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
        let large: Vec<_> = (0..3).map(|n| key(n, SLICE_BYTES)).collect();
        assert_eq!(slices(large, 256).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        assert!(slices(vec![], 256).is_empty());
    }
}
