//! A git-annex repository with a work tree: opened, made new, or adopted.
//!
//! Format: git-annex repository version 10, as written by 10.20230126 and 10.20261026.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{AttrCheckFlags, AttrValue};
use tributary_formats::tree_path::TreePath;
use tributary_formats::uuid::RepoUuid;

use crate::annex_branch::AnnexBranch;
use crate::config_lock;
use crate::place_in_tree::WorkTree;
use crate::store::ObjectStore;

mod checks;
mod filter_lines;
mod hooks;
mod identity;
mod init;

pub(crate) use checks::{lists_differences, open_git};
pub use init::Setup;

/// The repository version that is read and written here.
pub const ANNEX_VERSION: &str = "10";

/// An open git-annex repository. It can be sent to another thread but not shared between two.
pub struct Repository {
    git: git2::Repository,
    uuid: RepoUuid,
    /// The common directory: that of the main repository, should this be a linked work tree of it.
    git_dir: PathBuf,
    work_dir: Option<PathBuf>,
}

/// Whether git takes this as the short name of a branch.
#[must_use]
pub fn is_branch_name(name: &str) -> bool {
    git2::Branch::name_is_valid(name).unwrap_or(false)
}

impl Repository {
    /// Opens the git-annex repository whose work tree's top is `path`.
    ///
    /// # Errors
    /// Each state that must not be written to has its own [`OpenError`]; [`OpenError::NotAnnexed`] is a plain
    /// git repository, for [`Repository::init_annex`].
    pub fn open(path: &Path) -> Result<Repository, OpenError> {
        checks::own_git_directory(path)?;
        let git = checks::open_git(path)?;
        if git.is_bare() {
            return Err(OpenError::Bare { path: path.to_owned() });
        }
        let repo = Repository::from_annexed(git, path)?;
        checks::checked_out(&repo.git)?;
        checks::no_assistant(&repo.annex_dir())?;
        Ok(repo)
    }

    /// Opens a repository that serves as a remote on a local path, bare or not, and in whatever branch it is.
    ///
    /// # Errors
    /// As [`Repository::open`], but a bare repository, an adjusted branch and a running assistant are let pass.
    pub fn open_remote(path: &Path) -> Result<Repository, OpenError> {
        Repository::from_annexed(checks::open_git(path)?, path)
    }

    /// Lets go of all that was read and mapped so far, and opens the repository anew. Handles of one repository share
    /// what they map of its packs, so it is let go of when the last of them has rested or is closed.
    ///
    /// # Errors
    /// As [`Repository::open`]; the handle can be used as before. Only when the repository is taken away in the very
    /// middle is it good for nothing any more.
    pub fn rest(&mut self) -> Result<(), OpenError> {
        // Whatever can be the matter is met before anything is closed.
        let work_dir = self.work_dir().to_owned();
        self.uuid = Repository::open(&work_dir)?.uuid;
        let nothing = git2::Odb::new().and_then(git2::Repository::from_odb).map_err(OpenError::Git)?;
        // Two handles that overlap would keep the packs mapped.
        drop(std::mem::replace(&mut self.git, nothing));
        self.git = checks::open_git(&work_dir)?;
        Ok(())
    }

    fn from_annexed(git: git2::Repository, path: &Path) -> Result<Repository, OpenError> {
        let uuid = checks::annex_uuid(&git, path)?;
        checks::not_tuned(&git)?;
        Ok(Repository::from_parts(git, uuid))
    }

    fn from_parts(git: git2::Repository, uuid: RepoUuid) -> Repository {
        // libgit2 ends directories in a slash, which would show in every path that a person sees.
        let plain = |path: &Path| path.components().collect::<PathBuf>();
        let (git_dir, work_dir) = (plain(git.commondir()), git.workdir().map(plain));
        Repository { git, uuid, git_dir, work_dir }
    }

    /// The `annex.uuid`.
    pub fn uuid(&self) -> &RepoUuid {
        &self.uuid
    }

    /// Top of the work tree.
    ///
    /// # Panics
    /// For a bare repository, which only [`Repository::open_remote`] returns; ask [`Repository::is_bare`] there.
    pub fn work_dir(&self) -> &Path {
        self.work_dir.as_deref().expect("only a remote may be bare")
    }

    /// Whether there is no work tree.
    pub fn is_bare(&self) -> bool {
        self.work_dir.is_none()
    }

    /// The `.git` directory, or the bare repository itself.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// `GITDIR/annex`.
    pub fn annex_dir(&self) -> PathBuf {
        self.git_dir.join("annex")
    }

    /// `GITDIR/tributary`: our own state, which can be deleted at any time.
    pub fn state_dir(&self) -> PathBuf {
        self.git_dir.join("tributary")
    }

    /// Short name of the branch that HEAD is on, such as `master`; it need not have a commit yet.
    ///
    /// # Errors
    /// When somebody detached HEAD since the repository was opened.
    pub fn branch(&self) -> Result<String, git2::Error> {
        checks::branch_of_head(&self.git)
    }

    /// Whether the repository may still be written to, and is on the branch that it was on when it was opened: what
    /// git and git-annex may have changed meanwhile.
    ///
    /// # Errors
    /// As [`Repository::open`]; [`OpenError::BranchSwitched`] for another branch.
    pub fn still_fit(&self, branch: &str) -> Result<(), OpenError> {
        checks::checked_out(&self.git)?;
        checks::no_assistant(&self.annex_dir())?;
        let found = self.branch()?;
        if found == branch {
            Ok(())
        } else {
            Err(OpenError::BranchSwitched { expected: branch.to_owned(), found })
        }
    }

    /// The libgit2 handle.
    pub fn git(&self) -> &git2::Repository {
        &self.git
    }

    /// Value of a git configuration variable, from all levels; None when unset or not UTF-8.
    pub fn git_config_get(&self, name: &str) -> Option<String> {
        self.git.config().and_then(|config| config.get_string(name)).ok()
    }

    /// As git reads a boolean; None when unset or no boolean.
    pub fn git_config_bool(&self, name: &str) -> Option<bool> {
        self.git.config().and_then(|config| config.get_bool(name)).ok()
    }

    /// Sets a variable in the repository's own configuration.
    pub fn git_config_set(&self, name: &str, value: &str) -> Result<(), git2::Error> {
        config_lock::patiently(&self.git, || self.local_config()?.set_str(name, value))
    }

    /// Removes a variable from the repository's own configuration; unset already is fine.
    pub fn git_config_unset(&self, name: &str) -> Result<(), git2::Error> {
        match config_lock::patiently(&self.git, || self.local_config()?.remove(name)) {
            Err(error) if error.code() != git2::ErrorCode::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Value of a file's attribute in `.gitattributes`, as the folder has them now, else as the index has; None when
    /// unset, or set without a value.
    pub fn attribute(&self, path: &TreePath, name: &str) -> Option<String> {
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        let value = self.git.get_attr_bytes(path, name, AttrCheckFlags::FILE_THEN_INDEX).ok()?;
        match AttrValue::from_bytes(value) {
            AttrValue::String(text) => Some(text.to_owned()),
            _ => None,
        }
    }

    fn local_config(&self) -> Result<git2::Config, git2::Error> {
        self.git.config()?.open_level(git2::ConfigLevel::Local)
    }

    /// Who commits: `user.name` and `user.email`, else the login name and LOGIN@HOST. Never fails.
    pub fn author(&self) -> git2::Signature<'static> {
        identity::author(&self.git)
    }

    /// As [`Repository::author`] with a given time (seconds since 1970), in UTC.
    pub fn author_at(&self, seconds: u64) -> git2::Signature<'static> {
        identity::at(&identity::author(&self.git), seconds)
    }

    /// The contents. The store keeps no handle of the repository and can go to other threads.
    pub fn store(&self) -> ObjectStore {
        ObjectStore::of(self)
    }

    /// The work tree, for reading and placing files without following links out of it.
    ///
    /// # Errors
    /// When the top cannot be opened: gone, unreadable.
    pub fn work_tree(&self) -> std::io::Result<WorkTree> {
        WorkTree::open(self.work_dir(), &self.annex_dir())
    }

    /// The git-annex branch.
    pub fn annex_branch(&self) -> AnnexBranch<'_> {
        AnnexBranch::new(self)
    }
}

/// Why a folder cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No git repository has its top here.
    #[error("{path} is not a git repository")]
    NotRepository {
        /// The folder.
        path: PathBuf,
    },
    /// A git repository that git-annex was never initialised in.
    #[error("{path} is a git repository without git-annex")]
    NotAnnexed {
        /// The folder.
        path: PathBuf,
    },
    /// Version 8 or 9, or older; `git annex upgrade` brings it to 10.
    #[error("the repository has git-annex version {version}; run `git annex upgrade` in it")]
    VersionTooOld {
        /// Its `annex.version`, or `none`.
        version: String,
    },
    /// Newer than what is known here.
    #[error("the repository has git-annex version {version}, which is newer than {ANNEX_VERSION}")]
    VersionTooNew {
        /// Its `annex.version`.
        version: String,
    },
    /// A direct mode repository of git-annex 5.
    #[error("the repository is in direct mode; run `git annex upgrade` in it")]
    DirectMode,
    /// HEAD is on an adjusted branch.
    #[error("the repository is on the adjusted branch {branch}")]
    AdjustedBranch {
        /// Short name, such as `adjusted/master(unlocked)`.
        branch: String,
    },
    /// Another branch was checked out since the repository was opened.
    #[error("the branch {found} was checked out; it was {expected}")]
    BranchSwitched {
        /// The branch it was on.
        expected: String,
        /// The branch it is on.
        found: String,
    },
    /// HEAD is on no branch.
    #[error("no branch is checked out")]
    DetachedHead,
    /// A merge, rebase or the like was started by hand and is not finished.
    #[error("a {operation} was started in the repository and is not finished")]
    Unfinished {
        /// Git's word for it, such as `merge`.
        operation: &'static str,
    },
    /// Tuned at init (`difference.log`): its directories are laid out otherwise.
    #[error("the repository was tuned when it was made, which is not supported")]
    Tuned,
    /// `annex.pidlock` is set: its file system has no record locks.
    #[error("the repository uses annex.pidlock, which is not supported")]
    PidLock,
    /// git-annex's own assistant runs there and would commit old files again.
    #[error("the git-annex assistant is running in the repository (process {pid})")]
    AssistantRunning {
        /// Its process.
        pid: u32,
    },
    /// A bare repository where a folder is needed.
    #[error("{path} is a bare repository")]
    Bare {
        /// The repository.
        path: PathBuf,
    },
    /// A sub-module or linked work tree: `.git` is a file or a link.
    #[error("{path} is a sub-module or a linked work tree")]
    Linked {
        /// The folder.
        path: PathBuf,
    },
    /// The repository belongs to somebody else, and git refuses to use it.
    #[error("{path} belongs to another user")]
    NotOwned {
        /// The folder.
        path: PathBuf,
    },
    /// The folder or its `.git` cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// What could not be read.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Its UUID is one that cannot be used.
    #[error("the repository has an annex.uuid that cannot be used")]
    BadUuid,
    /// libgit2 failed: a broken repository.
    #[error("the git repository cannot be opened")]
    Git(#[from] git2::Error),
}

/// Why a folder did not become a repository.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is a repository already; see [`Repository::adopt`].
    #[error("{path} is a git repository already")]
    AlreadyRepository {
        /// The folder.
        path: PathBuf,
    },
    /// A bare repository can only be made where nothing is.
    #[error("{path} is not empty")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder lies inside another repository's work tree.
    #[error("{path} lies inside the git repository {outer}")]
    InsideRepository {
        /// The folder.
        path: PathBuf,
        /// Top of the repository around it.
        outer: PathBuf,
    },
    /// What is there cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file could not be made.
    #[error("{path} cannot be written")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The git-annex branch could not be written.
    #[error("the git-annex branch could not be written")]
    AnnexBranch(#[from] crate::annex_branch::UpdateError),
    /// libgit2 failed.
    #[error("the git repository could not be made")]
    Git(#[from] git2::Error),
}
