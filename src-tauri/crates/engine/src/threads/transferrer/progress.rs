//! Progress: what people see of a transfer while it runs.

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_planner::Direction;
use tributary_remotes::Meter;
use tributary_repo::contents::ContentsError;

use super::Transferrer;
use crate::folder_facts::Fact;
use crate::state::places::PlaceRow;

/// Progress of a content smaller than this is over before anybody could look, bytes.
const WORTH_SHOWING: u64 = 1 << 20;

/// The name of a file that a content belongs to, if there is one.
pub(super) struct TreePathName(Option<TreePath>);

impl TreePathName {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(b"", |path| path.file_name())
    }
}

impl Transferrer {
    /// A file that the content belongs to, for people.
    pub(super) fn file_name(&self, key: &Key) -> TreePathName {
        let path = self.desk.here(|desk| desk.ledger.paths_of(key, 1).ok().and_then(|mut paths| paths.pop()));
        TreePathName(path)
    }

    /// Shows the bytes of a large content's transfer to or from a special remote.
    pub(super) async fn meter(&self, place: &PlaceRow, direction: Direction, key: &Key) -> Meter {
        let size = key.size();
        if size.is_some_and(|size| size < WORTH_SHOWING) {
            return Meter::silent();
        }
        let wanted = key.clone();
        let path = self.desk.with(move |desk| desk.ledger.paths_of(&wanted, 1)).await;
        let Some(path) = path.ok().and_then(|mut paths| paths.pop()) else { return Meter::silent() };
        let (facts, name) = (self.facts.clone(), place.name.clone());
        Meter::new(size, move |progress| {
            let transfer = (name.clone(), shown(direction), path.clone());
            let bytes = Some((progress.bytes_done, progress.bytes_total));
            facts.send(Fact::Progress { transfer, bytes }).ok();
        })
    }

    /// The transfer is over: nothing more is shown of it.
    pub(super) fn ended(&self, place: &PlaceRow, direction: Direction, key: &Key) {
        if key.size().is_some_and(|size| size < WORTH_SHOWING) {
            return;
        }
        if let TreePathName(Some(path)) = self.file_name(key) {
            let transfer = (place.name.clone(), shown(direction), path);
            self.facts.send(Fact::Progress { transfer, bytes: None }).ok();
        }
    }

    /// Runs a transfer with its bytes shown.
    pub(super) fn watched(
        &self,
        place: &PlaceRow,
        key: &Key,
        direction: Direction,
        name: &TreePathName,
        transfer: impl FnOnce(&tributary_repo::cancel::Meter<'_>) -> Result<(), ContentsError>,
    ) -> Result<(), ContentsError> {
        let (Some(path), false) = (&name.0, key.size().is_some_and(|size| size < WORTH_SHOWING)) else {
            return transfer(&tributary_repo::cancel::no_meter);
        };
        let (facts, place, path) = (self.facts.clone(), place.name.clone(), path.clone());
        let id = (place, shown(direction), path);
        let shown_id = id.clone();
        let meter = Meter::new(key.size(), move |progress| {
            let bytes = Some((progress.bytes_done, progress.bytes_total));
            facts.send(Fact::Progress { transfer: shown_id.clone(), bytes }).ok();
        });
        let moved = transfer(&|bytes| meter.advance(bytes));
        self.facts.send(Fact::Progress { transfer: id, bytes: None }).ok();
        moved
    }
}

fn shown(direction: Direction) -> tributary_status::Direction {
    match direction {
        Direction::Upload => tributary_status::Direction::Upload,
        Direction::Download => tributary_status::Direction::Download,
    }
}
