//! git-annex's attributes (`annex.largefiles` and the like) of many paths.
//!
//! Most folders set none, and to have git find that out for each path costs more than to store a small file. So each
//! directory is looked at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::ObjectType;
use tributary_formats::tree_path::TreePath;

use crate::repository::Repository;

/// git-annex's attributes as they are while this lives: take it again for the next batch.
pub struct AnnexAttributes<'r> {
    repo: &'r Repository,
    /// A file outside the folder sets some.
    outside: bool,
    /// Whether a directory, or one above it, sets some.
    set_in: RefCell<HashMap<Vec<u8>, bool>>,
}

impl<'r> AnnexAttributes<'r> {
    /// Looks for the files that set attributes for the whole folder: `info/attributes`, the user's and the system's.
    pub fn of(repo: &'r Repository) -> Self {
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".config")));
        let files = [
            Some(repo.git().commondir().join("info/attributes")),
            config.map(|dir| dir.join("git/attributes")),
            Some("/etc/gitattributes".into()),
        ];
        let outside = repo.git_config_get("core.attributesfile").is_some()
            || files.iter().flatten().any(|file| names_one(file));
        AnnexAttributes { repo, outside, set_in: RefCell::default() }
    }

    /// As [`Repository::attribute`], for a name that begins with `annex.`.
    pub fn get(&self, path: &TreePath, name: &str) -> Option<String> {
        if !self.outside && !self.is_set_in(path.parent().as_ref()) {
            return None;
        }
        self.repo.attribute(path, name)
    }

    /// Whether a directory (None: the top), or one above it, has a `.gitattributes`: in the work tree, or in the last
    /// commit, since one that is still arriving counts.
    fn is_set_in(&self, dir: Option<&TreePath>) -> bool {
        let bytes = dir.map_or(&b""[..], |dir| dir.as_bytes());
        if let Some(known) = self.set_in.borrow().get(bytes) {
            return *known;
        }
        let above = dir.is_some_and(|dir| self.is_set_in(dir.parent().as_ref()));
        let file = Path::new(OsStr::from_bytes(bytes)).join(".gitattributes");
        let set =
            above || self.repo.work_dir().join(&file).symlink_metadata().is_ok() || self.is_committed(&file);
        self.set_in.borrow_mut().insert(bytes.to_vec(), set);
        set
    }

    fn is_committed(&self, file: &Path) -> bool {
        let tree = self.repo.git().head().and_then(|head| head.peel_to_tree());
        tree.and_then(|tree| tree.get_path(file)).is_ok_and(|entry| entry.kind() == Some(ObjectType::Blob))
    }
}

/// Whether an attributes file may set one of git-annex's. `git annex init` writes one into each repository that does not.
fn names_one(file: &Path) -> bool {
    std::fs::read(file).is_ok_and(|text| text.windows(6).any(|window| window == b"annex."))
}
