//! Announce: the folder's state as hints carry it.

use tributary_xmpp::hints;

use super::Conductor;
use crate::engine_facts::EngineFact;
use crate::state::desk::{Desk, DeskError};

impl Conductor {
    /// Publishes our state, also when it is no news: others may have missed it.
    pub(super) async fn announce(&self) {
        if let Some(state) = self.desk.with(folder_state).await {
            self.engine.send(EngineFact::Announce { folder: self.path.clone(), state }).ok();
        }
    }
}

/// Our tips, as hints speak of them.
pub(super) fn tips(desk: &mut Desk) -> Result<hints::Tips, DeskError> {
    let id =
        |oid: Option<tributary_repo::Oid>| oid.and_then(|oid| hints::ObjectId::from_bytes(oid.as_bytes()));
    let (branch, annex) = desk.tips()?;
    Ok(hints::Tips { branch: id(branch), annex: id(annex) })
}

pub(super) fn folder_state(desk: &mut Desk) -> Option<hints::FolderState> {
    let tips = tips(desk).ok()?;
    Some(hints::FolderState { repository: desk.repo.uuid().clone(), tips })
}
