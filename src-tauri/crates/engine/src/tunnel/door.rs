//! The door to the folders of this engine: what the host needs of them.

use std::sync::Arc;

use tributary_formats::uuid::RepoUuid;
use tributary_repo::cancel::Cancel;

use crate::folder_facts::Ask;
use crate::state::folders::Folders;
use crate::state::repositories::Repositories;

/// Finds a running folder by its repository.
#[derive(Clone)]
pub(crate) struct Door(Arc<Find>);

type Find = dyn Fn(&RepoUuid) -> Option<Inside> + Send + Sync;

/// A folder that is served.
pub(super) struct Inside {
    pub(super) repositories: Repositories,
    /// Ends what is under way when the folder stops.
    pub(super) cancel: Cancel,
    /// Told after a push.
    pub(super) pushed: Box<dyn Fn(Pushed) + Send>,
}

/// A guest pushed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The guest's repository.
    pub(crate) by: RepoUuid,
    /// Which refs moved, and where they are now.
    pub(crate) moved: Vec<(String, tributary_repo::Oid)>,
}

impl Door {
    /// The door to these folders.
    pub(crate) fn to(folders: Folders) -> Self {
        Self::new(move |uuid| {
            let has =
                |repositories: &Repositories| repositories.with(|repo| repo.uuid() == uuid).unwrap_or(false);
            let folder = folders.all().into_iter().find(|folder| has(&folder.repositories))?;
            let facts = folder.clone();
            Some(Inside {
                repositories: folder.repositories.clone(),
                cancel: folder.cancel.clone(),
                pushed: Box::new(move |pushed| facts.tell(Ask::PushedTo(pushed))),
            })
        })
    }

    pub(super) fn new(find: impl Fn(&RepoUuid) -> Option<Inside> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// The folder with this repository. Blocks.
    pub(super) fn open(&self, uuid: &RepoUuid) -> Option<Inside> {
        (self.0)(uuid)
    }
}
