//! The mark of a place that others set up: looked for, made when the place proves to be the right one, and remembered.
//!
//! git-annex marks no directory, so one that it set up cannot be told from the bare mount point of a drive that is away
//! until it was seen to hold what is on record there.

use std::sync::Arc;

use tributary_remotes::SpecialRemote;

use super::Transferrer;
use crate::folder_facts::{Ask, Fact};
use crate::state::places::{PlaceRow, note_mark};
use crate::threads::committer::chain;

/// So many of the contents on record are asked for before a place is taken for empty.
const SAMPLE: u32 = 8;

impl Transferrer {
    /// Makes sure that a place is the one that it is on record to be, before anything is read or written there. Says why
    /// it is not. Once a place is known to bear its mark, the remote itself sees to that.
    pub(super) async fn recognise(
        &self,
        place: &PlaceRow,
        remote: &Arc<dyn SpecialRemote>,
    ) -> Result<(), String> {
        // The row may be older than a mark that was found meanwhile.
        if place.marked || self.places.row(place.id).is_none_or(|row| row.marked) {
            return Ok(());
        }
        // What fails here fails in the transfer itself, which knows what to make of it.
        let Ok(probed) = remote.probe().await else { return Ok(()) };
        if probed.marked {
            self.remember_mark(place).await;
            return Ok(());
        }
        let uuid = remote.uuid().clone();
        let sample = self.desk.with(move |desk| desk.ledger.some_keys_at(&uuid, SAMPLE)).await;
        let sample = sample.map_err(|error| chain(&error))?;
        if sample.is_empty() {
            // A new place: nothing could be missed.
            return Ok(());
        }
        let asked = remote.check_present_many(sample).await;
        if asked.iter().any(|there| matches!(there, Ok(true))) {
            if probed.writable && self.make_mark(place).await {
                self.remember_mark(place).await;
            }
            return Ok(());
        }
        if asked.iter().any(Result::is_err) {
            return Ok(());
        }
        Err(format!(
            "{} is empty, and it is on record to hold files: its drive is not mounted, or it was emptied (then add it \
             again)",
            place.url()
        ))
    }

    /// Marks the place as this remote's. False when that failed: then it is recognised by its contents again.
    async fn make_mark(&self, place: &PlaceRow) -> bool {
        let (this, place) = (self.clone(), place.clone());
        let made = tokio::task::spawn_blocking(move || {
            let (uuid, config, settings) = this.settings(&place)?;
            tributary_remotes::initialise(&uuid, &config, &settings).map_err(|error| chain(&error))
        });
        match made.await.expect("marking does not panic") {
            Ok(()) => true,
            Err(error) => {
                tracing::info!(error, "a place could not be marked");
                false
            }
        }
    }

    async fn remember_mark(&self, place: &PlaceRow) {
        let (repositories, name) = (self.repositories.clone(), place.name.clone());
        let noted =
            tokio::task::spawn_blocking(move || repositories.with(|repo| note_mark(repo, &name))).await;
        match noted.expect("writing the configuration does not panic") {
            Ok(Ok(())) => {
                self.facts.send(Fact::Ask(Ask::PlacesChanged)).ok();
            }
            Ok(Err(error)) => tracing::warn!(%error, "a mark could not be remembered"),
            Err(error) => tracing::warn!(%error, "a mark could not be remembered"),
        }
    }
}
