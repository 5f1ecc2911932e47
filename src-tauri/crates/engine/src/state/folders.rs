//! The running folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::folder::Folder;
use crate::folder_facts::Ask;

/// The running folders, by where they are.
#[derive(Clone, Default)]
pub(crate) struct Folders(Arc<RwLock<BTreeMap<PathBuf, Arc<Folder>>>>);

impl Folders {
    /// All that run.
    pub(crate) fn all(&self) -> Vec<Arc<Folder>> {
        self.0.read().expect("no writer panics").values().cloned().collect()
    }

    /// The folder at this path.
    pub(crate) fn get(&self, path: &Path) -> Option<Arc<Folder>> {
        self.0.read().expect("no writer panics").get(path).cloned()
    }

    /// The folder that a file or folder is in.
    pub(crate) fn holding(&self, path: &Path) -> Option<Arc<Folder>> {
        self.0.read().expect("no writer panics").values().find(|folder| folder.holds(path)).cloned()
    }

    pub(crate) fn insert(&self, folder: Arc<Folder>) {
        self.0.write().expect("no writer panics").insert(folder.path.clone(), folder);
    }

    pub(crate) fn remove(&self, path: &Path) -> Option<Arc<Folder>> {
        self.0.write().expect("no writer panics").remove(path)
    }

    /// Says something to one folder, if it runs.
    pub(crate) fn tell(&self, path: &Path, ask: Ask) {
        if let Some(folder) = self.get(path) {
            folder.tell(ask);
        }
    }

    /// Says something to all.
    pub(crate) fn tell_all(&self, ask: impl Fn() -> Ask) {
        for folder in self.all() {
            folder.tell(ask());
        }
    }
}
