//! Annex or git? And with which backend, and unlocked or not: the rules for files that are added.
//!
//! Source: `annex-format` 7.2: git configuration, then `.gitattributes`, then config.log; the rule for dotfiles.

use tributary_formats::backend::Backend;
use tributary_formats::tree_path::TreePath;

use crate::annex_branch::ReadError;
use crate::repository::Repository;

/// The rules of one repository, read once: take them again when config.log or the git configuration changed.
/// `.gitattributes` are looked up for each path.
pub struct AddRules<'r> {
    repo: &'r Repository,
}

/// What a rule may ask about the file.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Where it is.
    pub path: &'a TreePath,
    /// Bytes.
    pub size: u64,
}

impl<'r> AddRules<'r> {
    /// Reads the rules.
    pub fn load(repo: &'r Repository) -> Result<AddRules<'r>, ReadError> {
        let _ = repo;
        todo!()
    }

    /// Whether the file's content goes to the annex; otherwise it goes into git.
    pub fn is_large(&self, file: Candidate<'_>) -> bool {
        let _ = (file, self.repo);
        todo!()
    }

    /// The backend for the file: its `annex.backend` attribute, else the configured one, else SHA256E.
    pub fn backend_for(&self, path: &TreePath) -> Backend {
        let _ = path;
        todo!()
    }

    /// Whether the file is added unlocked, as a plain file.
    pub fn add_unlocked(&self, file: Candidate<'_>) -> bool {
        let _ = file;
        todo!()
    }
}
