//! The door to the folders of this engine: what the host needs of them.

use std::sync::Arc;

use tokio::sync::mpsc;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::cancel::Cancel;

use super::NoticeCall;
use crate::folder_facts::Ask;
use crate::state::folders::Folders;
use crate::state::repositories::Repositories;

/// Finds a running folder by its repository, and takes notices.
#[derive(Clone)]
pub(crate) struct Door {
    find: Arc<Find>,
    notices: Option<mpsc::Sender<NoticeCall>>,
}

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
        Self { find: Arc::new(find), notices: None }
    }

    /// The same, where somebody hears what paired devices say.
    pub(crate) fn hearing(self, notices: mpsc::Sender<NoticeCall>) -> Self {
        Self { notices: Some(notices), ..self }
    }

    /// Who hears what paired devices say.
    pub(super) fn notices(&self) -> Option<&mpsc::Sender<NoticeCall>> {
        self.notices.as_ref()
    }

    /// The folder with this repository. Blocks.
    pub(super) fn open(&self, uuid: &RepoUuid) -> Option<Inside> {
        (self.find)(uuid)
    }
}
